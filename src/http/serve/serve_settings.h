#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "http/server.h"

namespace writ::http {

enum class LogFormat : std::uint8_t { kJson, kText };
enum class LogLevel : std::uint8_t { kSilent, kErrors, kRequests };

/// What `writ serve` was told. docs/formats/serve.md has every name in its three spellings.
struct ServeSettings {
  std::string host = "127.0.0.1";
  std::uint16_t port = 7172;
  std::string state;                ///< absolute
  std::string policy_file;          ///< empty: policy.yaml or policy.json of the state directory
  std::string admin_token, enroll_token;
  std::optional<TlsFiles> tls;
  bool insecure_http = false, trust_proxy = false, retention = false, init = false, with_runner = false, help = false;
  bool json = false;  ///< stdout is one JSON object
  std::vector<std::string> server_names;
  std::map<std::string, std::string> isolation_tiers;
  std::string idp_issuer, idp_audience, idp_jwks;  ///< all or none
  LogFormat log_format = LogFormat::kText;
  LogLevel log_level = LogLevel::kRequests;
  std::string pool = "default";
  std::uint32_t concurrency = 1;
  std::vector<std::string> warnings;  ///< for the operator, one line each
};

/// Reads a file as text; secrets only from files that are the caller's alone.
struct ServeFiles {
  std::function<Result<std::string>(const std::string& path)> read, read_secret;
};

/// Flags win over the environment, the environment over the file, the file over what stands here. The file is
/// `--config FILE`, else `serve.yaml` or `serve.json` of the state directory, else the original's `config.json` there.
/// Errors: kInvalid naming the setting, its place and what would be right; also for unknown names in file and flags.
Result<ServeSettings> ReadServeSettings(std::span<const std::string_view> arguments, const EnvLookup& env, bool root, bool log_to_terminal,
                                        const ServeFiles& files);

/// The text of `writ serve --help`.
std::string ServeUsage();

}  // namespace writ::http
