#include "egress/edge_secrets.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/escape.h"
#include "crypto/secret.h"

namespace writ::egress {
namespace {

constexpr std::size_t kValueBytesMax = 16U << 10;  // so that what is sent stays in proportion to what the job sent

/// RFC 3986 section 2.3: everything but unreserved characters is encoded, so that a value stays one part of a URL.
void AppendUrl(std::string_view value, std::string& out) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    }
  }
}

/// How many bytes at the end of `text` may be the beginning of `word`.
std::size_t BeginsAtEnd(std::string_view text, std::string_view word) {
  for (std::size_t count = std::min(text.size(), word.size() - 1); count > 0; --count) {
    if (text.ends_with(word.substr(0, count))) return count;
  }
  return 0;
}

}  // namespace

Result<std::shared_ptr<const EdgeSecrets>> EdgeSecrets::Make(std::shared_ptr<const Interception> interception) {
  auto made = std::make_shared<EdgeSecrets>();
  std::vector<secrets::RedactedValue> values;
  for (const auto& secret : interception->secrets) {
    const auto host = net::NormaliseHost(secret.host);
    if (!host) return Fail(Code::kInvalid, "the host of secret {} is none", EscapeVisible(secret.name));
    if (secret.placeholder.empty()) return Fail(Code::kInvalid, "secret {} has no placeholder", secret.name);
    if (secret.value.size() < secrets::kSecretBytesMin) {
      return Fail(Code::kInvalid, "the value of secret {} is shorter than {} bytes: it could not be hidden in answers",
                  EscapeVisible(secret.name), secrets::kSecretBytesMin);
    }
    if (secret.value.size() > kValueBytesMax) {
      return Fail(Code::kInvalid, "the value of secret {} is over {} bytes", EscapeVisible(secret.name), kValueBytesMax);
    }
    made->bound_.push_back({&secret, *host});
    values.push_back({secret.name, secret.value.bytes(), secret.placeholder});
  }
  made->patterns_ = WRIT_TRY("secrets of the edge", secrets::RedactionPatterns::Make(values));
  made->keep_ = std::move(interception);
  return made;
}

bool EdgeSecrets::BelongsTo(const net::Host& host) const {
  return std::ranges::any_of(bound_, [&](const Bound& bound) { return bound.host == host; });
}

PlaceholderFilter::~PlaceholderFilter() { crypto::Wipe(held_); }

bool PlaceholderFilter::Put(const EdgeSecrets::Bound& found, std::string& out) {
  const std::string name = EscapeVisible(found.secret->name, 100), owner = EscapeVisible(found.host.ToText(), 260);
  if (found.host != scope_.host) {
    refusal_.rule = "secret.host";
    refusal_.reason = fmt::format("secret {} is for {} only", name, owner);
    return false;
  }
  if (!scope_.secured) {
    refusal_.rule = "secret.cleartext";
    refusal_.reason = fmt::format("secret {} is sent to {} inside TLS only", name, owner);
    return false;
  }
  replaced_ = true;
  if (form_ == Form::kUrl) {
    AppendUrl(found.secret->value.text(), out);
  } else {
    out += found.secret->value.text();
  }
  return true;
}

bool PlaceholderFilter::Write(std::string_view piece, std::string& out) {
  held_ += piece;
  std::string_view rest = held_;
  for (;;) {
    std::size_t at = std::string_view::npos;
    const EdgeSecrets::Bound* found = nullptr;
    for (const auto& bound : secrets_.bound_) {
      const std::string& placeholder = bound.secret->placeholder;
      const std::size_t here = rest.find(placeholder);
      const bool better = here < at || (here == at && found != nullptr &&
                                        placeholder.size() > found->secret->placeholder.size());
      if (here != std::string_view::npos && better) at = here, found = &bound;
    }
    if (found == nullptr) break;
    out += rest.substr(0, at);
    if (!Put(*found, out)) return false;
    rest.remove_prefix(at + found->secret->placeholder.size());
  }
  std::size_t keep = 0;
  for (const auto& bound : secrets_.bound_) keep = std::max(keep, BeginsAtEnd(rest, bound.secret->placeholder));
  out += rest.substr(0, rest.size() - keep);
  held_.erase(0, held_.size() - keep);
  return true;
}

void PlaceholderFilter::Finish(std::string& out) {
  out += held_;
  held_.clear();
}

bool PlaceholderFilter::Whole(std::string& text) {
  PlaceholderFilter filter(secrets_, scope_, form_);
  std::string out;
  if (!filter.Write(text, out)) {
    refusal_ = filter.refusal();
    crypto::Wipe(out);
    return false;
  }
  filter.Finish(out);
  replaced_ |= filter.replaced();
  std::swap(text, out);
  return true;
}

bool EdgeSecrets::IsNamed(const SecretScope& scope, std::string_view field) const {
  if (net::FieldNameIs(field, "Host")) return false;  // says where the request goes, and was judged
  return Released(scope) && std::ranges::any_of(bound_, [&](const Bound& bound) {
           std::string name = bound.secret->name;
           std::ranges::replace(name, '_', '-');
           return bound.host == scope.host && net::FieldNameIs(field, name);
         });
}

namespace {

/// RFC 7617 section 2: `Basic` and base64 of user and password. False: refused.
bool PutIntoBasic(PlaceholderFilter& filter, std::string& value) {
  constexpr std::string_view kScheme = "Basic ";
  if (value.size() <= kScheme.size() || !net::FieldNameIs(value.substr(0, kScheme.size()), kScheme)) return true;
  auto plain = Base64DecodeLenient(std::string_view(value).substr(kScheme.size()));
  if (!plain) return true;  // the server's to refuse
  const std::string before = *plain;
  const bool passed = filter.Whole(*plain);
  if (passed && *plain != before) value = std::string(kScheme) + Base64Encode(AsBytes(*plain));
  crypto::Wipe(*plain);
  return passed;
}

}  // namespace

SecretsInHead PutSecretsIntoHead(const EdgeSecrets& secrets, const SecretScope& scope, net::Http1RequestHead& head) {
  SecretsInHead done;
  PlaceholderFilter url(secrets, scope, PlaceholderFilter::Form::kUrl), plain(secrets, scope, PlaceholderFilter::Form::kPlain);
  if (!url.Whole(head.target)) {
    done.refusal = url.refusal();
    return done;
  }
  std::erase_if(head.fields, [&](net::Http1Field& field) {
    if (done.refusal) return false;
    const std::string before = field.value;
    const bool credentials = net::FieldNameIs(field.name, "Authorization");
    if (!plain.Whole(field.value) || (credentials && !PutIntoBasic(plain, field.value))) done.refusal = plain.refusal();
    return field.value == before && secrets.IsNamed(scope, field.name);
  });
  done.replaced = url.replaced() || plain.replaced();
  return done;
}

void HideSecrets(const EdgeSecrets& secrets, net::Http1Fields& fields) {
  for (auto& field : fields) field.value = secrets::RedactText(secrets.patterns(), field.value);
}

}  // namespace writ::egress
