#include "cli/run_options.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "base/limits.h"
#include "base/units.h"
#include "policy/egress_rule.h"

namespace writ::cli {
namespace {

template <class T>
Result<T> At(std::string_view option, Result<T> value) {
  if (!value) return std::unexpected(std::move(value).error().Doing(fmt::format("--{}", option)));
  return value;
}

/// The option that sets a limit, where it is not called like the limit.
std::string_view OptionOf(std::string_view limit) {
  if (limit == "wall-time") return "timeout";
  if (limit == "stdout") return "stdout-max";
  return limit == "stderr" ? "stderr-max" : limit;
}

Result<> ReadLimits(const Invocation& invocation, Limits& limits) {
  for (const LimitField& field : LimitFields()) {
    const std::string_view option = OptionOf(field.name);
    const auto text = invocation.Value(option);
    if (!text) continue;
    const auto value = At(option, ParseLimit(field, *text));
    if (!value) return std::unexpected(value.error());
    field.set(limits, *value);
  }
  return {};
}

/// `PATH[:NAME]`, cut at the last colon, so that a path with colons needs a name.
Result<api::InputRequest> ReadInput(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return api::InputRequest{std::string(text), {}};
  api::InputRequest input{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
  if (input.path.empty() || input.name.empty() || input.name.find('/') != std::string::npos) {
    return Fail(Code::kInvalid, "`{}` is not PATH or PATH:NAME; a path with a colon needs a NAME of one component",
                EscapeVisible(text));
  }
  return input;
}

api::OutputRequest ReadOutput(std::string_view text) {
  const bool optional = text.ends_with('?');
  if (optional) text.remove_suffix(1);
  return {std::string(text), optional};
}

bool IsVariableName(std::string_view name) {
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::ranges::all_of(name, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Result<api::EnvEntry> ReadEnv(std::string_view text, const CallerEnv& caller_env, std::vector<std::string>& warnings) {
  const auto equals = text.find('=');
  const std::string name(text.substr(0, equals));
  if (!IsVariableName(name)) {
    return Fail(Code::kInvalid, "`{}` is not a variable name: letters, digits and _, not starting with a digit", EscapeVisible(name));
  }
  if (equals != std::string_view::npos) {
    if (LooksSecret(name)) {
      warnings.push_back(fmt::format("--env {0}=... looks like a secret: its value stands in the signed contract in clear; "
                                     "`writ secret set {0}` and `--secret {0}` keep it out of everything",
                                     name));
    }
    return api::EnvEntry{name, std::string(text.substr(equals + 1)), api::EnvSource::kLiteral};
  }
  const auto value = caller_env(name);
  if (!value) return Fail(Code::kInvalid, "`{}` is not set in your environment; set it or use {}=VALUE", name, name);
  return api::EnvEntry{name, *value, api::EnvSource::kCaller};
}

/// `NAME[=VARIABLE]`; names are checked with the request.
Result<api::SecretRequest> ReadSecret(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return api::SecretRequest{std::string(text), {}};
  api::SecretRequest secret{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
  if (secret.name.empty() || !IsVariableName(secret.variable)) {
    return Fail(Code::kInvalid, "what was given is not NAME or NAME=VARIABLE; a value is never an argument, `writ secret set` reads it");
  }
  return secret;
}

Result<> ReadAccepted(std::string_view text, isolation::Mechanisms& accepted) {
  while (true) {
    const auto comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    const auto equals = one.find('=');
    if (equals == 0 || equals == std::string_view::npos || equals + 1 == one.size()) {
      return Fail(Code::kInvalid, "`{}` is not LIMIT=MECHANISM, for example memory=rlimit", EscapeVisible(one));
    }
    accepted[std::string(one.substr(0, equals))] = one.substr(equals + 1);
    if (comma == std::string_view::npos) return {};
    text.remove_prefix(comma + 1);
  }
}

Result<api::NetworkRequest> ReadNetwork(const Invocation& invocation) {
  api::NetworkRequest network;
  bool none = false;
  for (const auto text : invocation.Values("net")) {
    none |= text == "none";
    network.open |= text == "open";
    if (text != "none" && text != "open") network.rules.emplace_back(text);
  }
  for (const auto text : invocation.Values("net-rule")) network.rules.emplace_back(text);
  const bool learns = invocation.command != nullptr && invocation.command->name == "learn";
  if (learns && none) return Fail(Code::kInvalid, "--net none: there is nothing to learn without a network; use `writ run`");
  network.open |= learns;
  network.asked = network.open || !network.rules.empty();
  if (none && network.asked) {
    return Fail(Code::kInvalid, "--net none opens nothing; leave it out, or leave out the other --net and --net-rule");
  }
  for (const auto& rule : network.rules) {
    [[maybe_unused]] const auto read = WRIT_TRY("--net", policy::ParseEgressRule(rule));
  }
  if (const auto text = invocation.Value("net-budget")) {
    if (!network.asked) return Fail(Code::kInvalid, "--net-budget: there is no network to limit; name a host with --net");
    network.budget_bytes = WRIT_TRY("--net-budget", ParseSize(*text));
  }
  return network;
}

std::string Text(const Invocation& invocation, std::string_view option) {
  return std::string(invocation.Value(option).value_or(std::string_view{}));
}

}  // namespace

bool LooksSecret(std::string_view variable_name) {
  constexpr std::array<std::string_view, 14> kWords{"PASSWORD", "PASSWD", "PASSPHRASE", "PWD", "SECRET", "SECRETS", "TOKEN",
                                                    "APIKEY",   "KEY",    "CREDENTIAL", "CREDENTIALS", "COOKIE", "AUTH", "PAT"};
  constexpr std::array<std::string_view, 2> kHarmless{"PWD", "OLDPWD"};  // of every shell
  std::string upper(variable_name);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  if (std::ranges::find(kHarmless, upper) != kHarmless.end()) return false;
  std::string_view rest = upper;
  while (!rest.empty()) {
    const auto end = rest.find('_');
    const std::string_view word = rest.substr(0, end);
    const bool known = std::ranges::find(kWords, word) != kWords.end();
    if (known || word.ends_with("PASSWORD") || word.ends_with("TOKEN") || word.ends_with("SECRET")) return true;
    if (end == std::string_view::npos) return false;
    rest.remove_prefix(end + 1);
  }
  return false;
}

Result<RunOptions> ReadRunOptions(const Invocation& invocation, const CallerEnv& caller_env) {
  RunOptions options;
  api::CreateRun& request = options.request;
  request.argv.assign(invocation.operands.begin(), invocation.operands.end());
  request.workspace = Text(invocation, "workspace");
  request.root = Text(invocation, "root");
  request.out_dir = Text(invocation, "out-dir");
  request.cwd = Text(invocation, "cwd");
  request.policy_file = Text(invocation, "policy");
  request.identity = Text(invocation, "as");
  if (const auto tier = invocation.Value("tier")) request.tier = *tier;
  request.kill_on_output_limit = invocation.Value("on-output-limit") == "kill";
  if (auto read = ReadLimits(invocation, request.limits); !read) return std::unexpected(std::move(read).error());
  for (const auto text : invocation.Values("input")) request.inputs.push_back(WRIT_TRY("--input", ReadInput(text)));
  for (const auto text : invocation.Values("output")) request.outputs.push_back(ReadOutput(text));
  for (const auto text : invocation.Values("env")) {
    request.env.push_back(WRIT_TRY("--env", ReadEnv(text, caller_env, options.warnings)));
  }
  for (const auto text : invocation.Values("secret")) request.secrets.push_back(WRIT_TRY("--secret", ReadSecret(text)));
  for (const auto text : invocation.Values("accept")) WRIT_TRY("--accept", ReadAccepted(text, request.accepted));
  request.network = WRIT_TRY("network", ReadNetwork(invocation));
  if (!request.out_dir.empty() && request.outputs.empty()) {
    return Fail(Code::kInvalid, "--out-dir: no result is declared; name what to release with --output NAME");
  }
  options.interactive = invocation.Has("interactive");
  options.terminal = invocation.Has("tty");
  options.dry_run = invocation.Has("dry-run");
  options.json = invocation.Has("json");
  options.quiet = invocation.Has("quiet");
  if (options.json && options.terminal) {
    return Fail(Code::kInvalid, "--json: a terminal (-t) has no output to put into an object; use one of them");
  }
  return options;
}

}  // namespace writ::cli
