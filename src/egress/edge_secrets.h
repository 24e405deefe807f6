#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "egress/interception.h"
#include "net/http1.h"
#include "policy/egress.h"
#include "secrets/redactor.h"

namespace writ::egress {

/// Where a stream goes, as far as secrets are concerned.
struct SecretScope {
  net::Host host;
  bool secured = false;  ///< inside TLS with an upstream that has proved to be `host`
};

/// The secrets of one run by the host they belong to. Never changed after it is made.
class EdgeSecrets {
 public:
  /// Borrows the values: `interception` is kept. Errors: kInvalid for a host that is none, an empty placeholder, a value
  /// too short to be found again in answers, or over 16 KiB.
  static Result<std::shared_ptr<const EdgeSecrets>> Make(std::shared_ptr<const Interception> interception);

  bool empty() const { return bound_.empty(); }
  bool BelongsTo(const net::Host& host) const;
  /// Whether requests of that scope carry values, so that answers have to be looked through.
  bool Released(const SecretScope& scope) const { return scope.secured && BelongsTo(scope.host); }
  /// Whether a field has the name of a secret that is put into requests of that scope.
  bool IsNamed(const SecretScope& scope, std::string_view field) const;
  /// Finds values in answers, and stands their placeholders in.
  const std::shared_ptr<const secrets::RedactionPatterns>& patterns() const { return patterns_; }

 private:
  friend class PlaceholderFilter;
  struct Bound {
    const secrets::EdgeSecret* secret = nullptr;
    net::Host host;
  };
  std::shared_ptr<const Interception> keep_;
  std::vector<Bound> bound_;
  std::shared_ptr<const secrets::RedactionPatterns> patterns_;
};

/// Replaces placeholders by values in one stream, whatever the borders of the pieces it comes in, and stops at a
/// placeholder whose value must not go there. Held back is only what may be the beginning of a placeholder.
class PlaceholderFilter {
 public:
  /// How a value stands in what it is put into.
  enum class Form : std::uint8_t { kPlain, kUrl };
  /// `secrets` is borrowed.
  PlaceholderFilter(const EdgeSecrets& secrets, SecretScope scope, Form form)
      : secrets_(secrets), scope_(std::move(scope)), form_(form) {}
  ~PlaceholderFilter();

  /// Appends to `out` what may go on. False: a placeholder that does not belong here; see refusal().
  bool Write(std::string_view piece, std::string& out);
  /// The stream has ended.
  void Finish(std::string& out);
  /// The whole of a text beside the stream, as a trailer. False: as above, and the text is as it was.
  bool Whole(std::string& text);
  bool replaced() const { return replaced_; }
  const policy::EgressVerdict& refusal() const { return refusal_; }

 private:
  bool Put(const EdgeSecrets::Bound& found, std::string& out);
  const EdgeSecrets& secrets_;
  const SecretScope scope_;
  const Form form_;
  std::string held_;
  bool replaced_ = false;
  policy::EgressVerdict refusal_;
};

/// What became of the head of a request.
struct SecretsInHead {
  bool replaced = false;
  std::optional<policy::EgressVerdict> refusal;
};
/// Puts values into the target (percent-encoded) and the field values of a request. `Basic` credentials are decoded for
/// it and encoded again. A field that has the name of a secret of that host (`_` and `-` alike), but not its placeholder,
/// is taken out: there the job has nothing of its own to say.
SecretsInHead PutSecretsIntoHead(const EdgeSecrets& secrets, const SecretScope& scope, net::Http1RequestHead& head);

/// Stands placeholders in for values in fields.
void HideSecrets(const EdgeSecrets& secrets, net::Http1Fields& fields);

}  // namespace writ::egress
