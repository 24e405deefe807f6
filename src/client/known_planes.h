#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "crypto/ed25519.h"

namespace writ::client {

/// A plane whose key this client has seen: like a line of ssh's known_hosts (docs/formats/plane-client.md).
struct KnownPlane {
  std::string url;  ///< ParseBaseUrl form: scheme, host, port, base path
  crypto::PublicKey key;
  std::string since;  ///< timestamp of the first use
};

/// Lines `URL KEYID BASE64-OF-32-BYTES TIMESTAMP`; empty lines and lines that begin with `#` are left out. Errors:
/// kCorrupt naming the line: a file that cannot be read trusts nobody.
Result<std::vector<KnownPlane>> ParseKnownPlanes(std::string_view text);
std::string RenderKnownPlanes(const std::vector<KnownPlane>& planes);

inline constexpr std::size_t kKnownPlanesBytesMax = 4u << 20;
inline constexpr std::string_view kKnownPlanesFile = "known_planes";

/// How a plane's key came to be trusted.
enum class KeyTrust : std::uint8_t {
  kKnown,    ///< it is the key seen before
  kFirstUse  ///< there was none: it is now on record
};

/// The keys of planes in `directory`/known_planes. Several processes may share it.
class KnownPlanes {
 public:
  explicit KnownPlanes(std::string directory) : directory_(std::move(directory)) {}

  Result<std::vector<KnownPlane>> List() const;
  /// Compares with what is on record, or records the key when there is nothing for this URL.
  /// Errors: kDenied with instructions when another key is on record; those of the file.
  Result<KeyTrust> Check(std::string_view url, const crypto::PublicKey& key, WallTime now) const;
  /// Forgets a plane. Errors: kNotFound.
  Result<> Remove(std::string_view url) const;

 private:
  std::string Path() const;
  std::string directory_;
};

}  // namespace writ::client
