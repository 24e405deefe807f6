#include "session/run_interception.h"

#include <algorithm>
#include <array>
#include <utility>

#include "net/host_name.h"
#include "sys/file.h"

namespace writ::session {
namespace {

constexpr const char* kHostRoots = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::size_t kHostRootsBytesMax = 3U << 20;
constexpr const char* kBundleName = "ca-certificates.crt";
constexpr std::uint16_t kHttps = 443;

/// Where programs look for the roots they trust: OpenSSL, curl, Python requests, Node, git, pip, AWS, Cargo, Deno, gRPC.
constexpr std::array kTrustVariables = {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO",
                                        "PIP_CERT",      "AWS_CA_BUNDLE",  "CARGO_HTTP_CAINFO",  "DENO_CERT", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"};

bool Names(const std::vector<std::string>& env, std::string_view variable) {
  return std::any_of(env.begin(), env.end(), [&](const std::string& entry) {
    return entry.size() > variable.size() && entry.starts_with(variable) && entry[variable.size()] == '=';
  });
}

}  // namespace

bool NeedsInterception(const policy::EgressRules& rules, const std::vector<secrets::EdgeSecret>& secrets) {
  return !secrets.empty() || std::any_of(rules.rules.begin(), rules.rules.end(), [](const auto& rule) { return rule.by_request(); });
}

Result<> CheckWayTo(const std::vector<secrets::EdgeSecret>& secrets, bool network_asked, const policy::EgressRules& rules) {
  for (const auto& secret : secrets) {
    const auto host = WRIT_TRY("secret " + secret.name, net::NormaliseHost(secret.host));
    if (network_asked && policy::DecideName(rules, host).allowed) continue;
    return Fail(Code::kInvalid, "--secret: {} is only put into requests to {}, and this run has no way there; add --net {}:{}", secret.name,
                secret.host, secret.host, kHttps);
  }
  return {};
}

Result<std::shared_ptr<const egress::Interception>> MakeInterception(std::vector<secrets::EdgeSecret> secrets, WallTime now,
                                                                     isolation::SessionSpec& spec) {
  auto interception = std::make_shared<egress::Interception>();
  interception->authority = WRIT_TRY("certificate authority", egress::CertificateAuthority::Make(now));
  interception->secrets = std::move(secrets);
  // A host without roots can verify no upstream either; its job then trusts this run's authority only.
  std::string bundle;
  if (auto roots = sys::ReadFile(kHostRoots, kHostRootsBytesMax)) {
    bundle = *std::move(roots);
  } else if (roots.error().code != Code::kNotFound) {
    return std::unexpected(std::move(roots).error());
  }
  if (!bundle.empty() && !bundle.ends_with('\n')) bundle += '\n';
  bundle += interception->authority->certificate_pem();
  spec.files.push_back({kBundleName, std::move(bundle)});
  const std::string path = fmt::format("{}/{}", isolation::kPlacedFiles, kBundleName);
  for (const char* variable : kTrustVariables)
    if (!Names(spec.env, variable)) spec.env.push_back(fmt::format("{}={}", variable, path));
  return interception;
}

}  // namespace writ::session
