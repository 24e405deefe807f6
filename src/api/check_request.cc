#include "api/check_request.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "api/run_network.h"
#include "base/utf8.h"
#include "session/inherit.h"

namespace writ::api {
namespace {

constexpr std::size_t kArgsMax = 10'000;
constexpr std::size_t kArgBytesMax = 100'000;
constexpr std::size_t kCommandBytesMax = 4096;
constexpr std::size_t kNamesMax = 256;             // env, inputs, outputs
constexpr std::size_t kNameBytesMax = 255;         // one path component
constexpr std::size_t kPathBytesMax = 4096;

/// Text that a contract can carry and a system call can take.
Result<> CheckText(std::string_view what, std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max)
    return Fail(Code::kInvalid, "{} has {} bytes; at most {} are allowed", what, text.size(), bytes_max);
  if (text.find('\0') != text.npos) return Fail(Code::kInvalid, "{} contains a NUL byte", what);
  if (!IsUtf8(text)) return Fail(Code::kInvalid, "{} is not UTF-8, so no contract can name it", what);
  return {};
}

Result<> CheckArgv(const std::vector<std::string>& argv) {
  if (argv.empty() || argv.front().empty()) return Fail(Code::kInvalid, "no command is given");
  if (argv.size() - 1 > kArgsMax)
    return Fail(Code::kInvalid, "{} arguments are given; at most {} are allowed", argv.size() - 1, kArgsMax);
  WRIT_TRY("command", CheckText("it", argv.front(), kCommandBytesMax));
  for (std::size_t i = 1; i < argv.size(); ++i)
    WRIT_TRY(fmt::format("argument {}", i), CheckText("it", argv[i], kArgBytesMax));
  return {};
}

bool IsEnvName(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && name.size() <= 256 && letter(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

Result<> CheckEnv(const std::vector<EnvEntry>& env) {
  if (env.size() > kNamesMax)
    return Fail(Code::kInvalid, "{} environment entries are given; at most {} are allowed", env.size(), kNamesMax);
  for (const auto& entry : env) {
    if (!IsEnvName(entry.name))
      return Fail(Code::kInvalid, "environment name \"{}\" must be letters, digits and _, not starting with a digit",
                  entry.name);
    // What configures Writ itself, its master key before all, is never a job's business.
    if (session::IsNeverInherited(entry.name))
      return Fail(Code::kInvalid, "environment name {} is Writ's own; no run may be given it", entry.name);
    WRIT_TRY(fmt::format("environment {}", entry.name), CheckText("its value", entry.value, kArgBytesMax));
  }
  return {};
}

Result<> CheckSecrets(const std::vector<SecretRequest>& secrets) {
  if (secrets.size() > kNamesMax)
    return Fail(Code::kInvalid, "{} secrets are named; at most {} are allowed", secrets.size(), kNamesMax);
  std::set<std::string_view> variables;
  for (const auto& secret : secrets) {
    for (const std::string_view name : {std::string_view(secret.name), std::string_view(secret.variable)}) {
      if (name.empty() && !secret.name.empty()) continue;
      if (!IsEnvName(name))
        return Fail(Code::kInvalid, "--secret: \"{}\" must be letters, digits and _, not starting with a digit", name);
      if (session::IsNeverInherited(name))
        return Fail(Code::kInvalid, "--secret: {} is Writ's own name; no run may be given it", name);
    }
    if (!secret.variable.empty() && !variables.insert(secret.variable).second)
      return Fail(Code::kInvalid, "--secret: two secrets are to be the variable {}", secret.variable);
  }
  return {};
}

bool IsComponent(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

/// Several components, none of which leads up or away.
bool IsPathBeneath(std::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax) return false;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const auto component = path.substr(at, end - at);
    if (!IsComponent(component) || component.size() > kNameBytesMax) return false;
    at = end + 1;
  }
  return true;
}

Result<> CheckPlaces(const CreateRun& request) {
  WRIT_TRY("--workspace", CheckText("the path", request.workspace, kPathBytesMax));
  WRIT_TRY("--root", CheckText("the path", request.root, kPathBytesMax));
  WRIT_TRY("--out-dir", CheckText("the path", request.out_dir, kPathBytesMax));
  WRIT_TRY("--cwd", CheckText("the path", request.cwd, kPathBytesMax));
  if (!request.cwd.empty() && request.cwd != "." && !IsPathBeneath(request.cwd))
    return Fail(Code::kInvalid, "--cwd \"{}\" must be a path below /work without . and ..", request.cwd);

  if (request.inputs.size() > kNamesMax)
    return Fail(Code::kInvalid, "{} inputs are given; at most {} are allowed", request.inputs.size(), kNamesMax);
  std::set<std::string> names;
  for (const auto& input : request.inputs) {
    WRIT_TRY("--input", CheckText("the path", input.path, kPathBytesMax));
    const std::string name = InputName(input);
    WRIT_TRY("--input", CheckText("the name", name, kNameBytesMax));
    if (input.path.empty() || !IsComponent(name))
      return Fail(Code::kInvalid, "--input \"{}\" needs a name for /in: --input PATH:NAME, without slashes", input.path);
    if (!names.insert(name).second) return Fail(Code::kInvalid, "two inputs are named \"{}\"", name);
  }

  if (request.outputs.size() > kNamesMax)
    return Fail(Code::kInvalid, "{} outputs are declared; at most {} are allowed", request.outputs.size(), kNamesMax);
  std::set<std::string> outputs;
  for (const auto& output : request.outputs) {
    WRIT_TRY("--output", CheckText("the name", output.name, kPathBytesMax));
    if (!IsPathBeneath(output.name))
      return Fail(Code::kInvalid, "--output \"{}\" must be a path below /out without . and ..", output.name);
    if (!outputs.insert(output.name).second) return Fail(Code::kInvalid, "output \"{}\" is declared twice", output.name);
  }
  return {};
}

/// The names of all limits, and what is no number but may be enforced less well.
std::vector<std::string_view> Acceptable() {
  std::vector<std::string_view> names;
  for (const LimitField& field : LimitFields()) names.push_back(field.name);
  names.push_back("groups");
  return names;
}

Result<> CheckAccepted(const isolation::Mechanisms& accepted) {
  const auto names = Acceptable();
  for (const auto& [limit, mechanism] : accepted) {
    if (std::find(names.begin(), names.end(), limit) == names.end())
      return Fail(Code::kInvalid, "--accept: there is no limit \"{}\"; the limits are {}", limit, fmt::join(names, ", "));
    if (mechanism.empty() || mechanism.size() > 64 || !std::all_of(mechanism.begin(), mechanism.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        }))
      return Fail(Code::kInvalid, "--accept {}: \"{}\" is no mechanism; an example is memory=rlimit", limit, mechanism);
  }
  return {};
}

}  // namespace

std::string InputName(const InputRequest& input) {
  if (!input.name.empty()) return input.name;
  std::string_view path = input.path;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == path.npos ? path : path.substr(slash + 1));
}

Result<> CheckRequest(const CreateRun& request) {
  WRIT_TRY("request", CheckArgv(request.argv));
  WRIT_TRY("request", CheckEnv(request.env));
  WRIT_TRY("request", CheckSecrets(request.secrets));
  WRIT_TRY("request", CheckPlaces(request));
  WRIT_TRY("request", CheckLimits(request.limits));
  WRIT_TRY("request", CheckAccepted(request.accepted));
  WRIT_TRY("request", CheckNetwork(request.network));
  WRIT_TRY("--tier", CheckText("the name", request.tier, 64));
  WRIT_TRY("--policy", CheckText("the path", request.policy_file, kPathBytesMax));
  WRIT_TRY("--as", CheckText("the identity", request.identity, 256));
  if (request.caller.name.empty() || request.caller.name.size() > 256 || !IsUtf8(request.caller.name))
    return Fail(Code::kInvalid, "the caller has no usable name; it must have 1 to 256 bytes of UTF-8");
  return {};
}

}  // namespace writ::api
