#include "http/serve/serve_settings.h"

#include <algorithm>
#include <array>

#include "base/escape.h"
#include "base/nearest.h"
#include "canon/json.h"
#include "net/authority.h"
#include "net/host_name.h"
#include "policy/yaml.h"
#include "storage/state_dir.h"

namespace writ::http {
namespace {

enum class Shape : std::uint8_t { kText, kSwitch, kList };

struct Setting {
  std::string_view flag;  ///< without dashes; in files the same in camelCase
  std::string_view variable;
  Shape shape;
  std::string_view value, help;
};

constexpr Setting kSettings[] = {
    {"listen", "WRIT_LISTEN", Shape::kText, "HOST:PORT", "where to listen; port 0 takes any free one (127.0.0.1:7172)"},
    {"policy", "WRIT_POLICY", Shape::kText, "FILE", "the policy: YAML or warrant.policy.v1 JSON (policy.yaml of the state directory)"},
    {"state", "WRIT_PLANE_STATE", Shape::kText, "DIR", "where everything is kept ($FUSIONKIT_HOME, $WARRANT_HOME, else plane/ of writ's state)"},
    {"admin-token", "WRIT_ADMIN_TOKEN", Shape::kText, "T", "token of the principal admin; everybody on this machine sees it here"},
    {"admin-token-file", "WRIT_ADMIN_TOKEN_FILE", Shape::kText, "F", "the same from a file"},
    {"enroll-token", "WRIT_ENROLL_TOKEN", Shape::kText, "T", "token with which runners enrol, again and again"},
    {"enroll-token-file", "WRIT_ENROLL_TOKEN_FILE", Shape::kText, "F", "the same from a file"},
    {"tls-cert", "WRIT_TLS_CERT", Shape::kText, "FILE", "certificate chain, PEM; SIGHUP reads it anew"},
    {"tls-key", "WRIT_TLS_KEY", Shape::kText, "FILE", "its key, PEM"},
    {"client-ca", "WRIT_CLIENT_CA", Shape::kText, "FILE", "clients need a certificate from these authorities"},
    {"insecure-http", "WRIT_INSECURE_HTTP", Shape::kSwitch, "", "listen beyond this machine without TLS all the same"},
    {"server-name", "WRIT_SERVER_NAME", Shape::kList, "NAME,...", "further names that a loopback listener answers to"},
    {"trust-proxy", "WRIT_TRUST_PROXY", Shape::kSwitch, "", "believe X-Forwarded-For: only behind a proxy that sets it"},
    {"retention", "WRIT_RETENTION", Shape::kSwitch, "", "delete what is older than the policy keeps"},
    {"map-isolation", "WRIT_MAP_ISOLATION", Shape::kList, "NAME=TIER,...", "which tier carries out an isolation that a request names"},
    {"idp-issuer", "WRIT_IDP_ISSUER", Shape::kText, "URL", "identity provider whose tokens may approve"},
    {"idp-audience", "WRIT_IDP_AUDIENCE", Shape::kText, "NAME", "whom its tokens must be for"},
    {"idp-jwks", "WRIT_IDP_JWKS", Shape::kText, "FILE", "its public keys, pinned"},
    {"log-format", "WRIT_LOG_FORMAT", Shape::kText, "json|text", "of the lines on stderr (text on a terminal, else json)"},
    {"log-level", "LOG_LEVEL", Shape::kText, "LEVEL", "silent, error, or info: one line for each request (info)"},
    {"with-runner", "WRIT_WITH_RUNNER", Shape::kSwitch, "", "also carry out runs in this process"},
    {"pool", "WRIT_POOL", Shape::kText, "POOL", "of that runner (default)"},
    {"concurrency", "WRIT_CONCURRENCY", Shape::kText, "N", "its runs at a time (1)"},
};
/// Flags that are no settings: what to do, and where settings are.
constexpr Setting kActions[] = {
    {"config", "WRIT_SERVE_CONFIG", Shape::kText, "FILE", "settings, YAML or JSON (serve.yaml or serve.json of the state directory)"},
    {"init", "", Shape::kSwitch, "", "make keys, tokens, policy and settings, show the admin token once, and end"},
    {"json", "", Shape::kSwitch, "", "stdout is one JSON object: {\"url\"}, or with --init what was made"},
    {"help", "", Shape::kSwitch, "", "show this text"},
};

using Values = std::map<std::string, std::string, std::less<>>;

std::string FileName(std::string_view flag) {
  std::string name;
  bool upper = false;
  for (const char c : flag) {
    if (c == '-') upper = true;
    else name.push_back(std::exchange(upper, false) ? static_cast<char>(c - 32) : c);
  }
  return name;
}

const Setting* FindFlag(std::string_view flag) {
  for (const std::span<const Setting> table : {std::span<const Setting>(kSettings), std::span<const Setting>(kActions)})
    for (const Setting& setting : table)
      if (setting.flag == flag) return &setting;
  return nullptr;
}

Result<> ReadFlags(std::span<const std::string_view> arguments, Values& values) {
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    const std::string_view argument = arguments[at];
    if (!argument.starts_with("--")) return Fail(Code::kInvalid, "{} is no option; see `writ serve --help`", EscapeVisible(argument, 80));
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(2, equals == argument.npos ? equals : equals - 2);
    const Setting* setting = FindFlag(name);
    if (setting == nullptr) {
      std::vector<std::string_view> known;
      for (const Setting& one : kSettings) known.push_back(one.flag);
      return Fail(Code::kInvalid, "--{} is not known{}", EscapeVisible(name, 80), DidYouMean(name, known));
    }
    std::string value = "true";
    if (setting->shape == Shape::kSwitch) {
      if (equals != argument.npos) return Fail(Code::kInvalid, "--{} takes no value", name);
    } else if (equals != argument.npos) {
      value = argument.substr(equals + 1);
    } else if (at + 1 < arguments.size()) {
      value = arguments[++at];
    } else {
      return Fail(Code::kInvalid, "--{} needs a value: {}", name, setting->value);
    }
    if (value.empty()) return Fail(Code::kInvalid, "--{} has an empty value", name);
    std::string& place = values[std::string(name)];
    place = setting->shape == Shape::kList && !place.empty() ? place + "," + value : value;
  }
  return {};
}

/// A settings file as values by flag. Lists may be lists, `mapIsolation` also a mapping.
class FileReader {
 public:
  FileReader(const std::string& path, Values& values) : path_(path), values_(values) {}

  Result<> Yaml(const policy::YamlNode& root) {
    using Node = policy::YamlNode::Kind;
    if (root.kind != Node::kMapping) return Fail(Code::kInvalid, "{}: settings are a mapping of names to values", path_);
    for (const auto& member : root.members) {
      const std::string at = fmt::format("{}:{}:{}: {}", path_, member.line, member.column, EscapeVisible(member.name, 80));
      std::string value;
      if (member.value.kind == Node::kPlain || member.value.kind == Node::kQuoted) {
        value = member.value.text;
      } else if (member.value.kind == Node::kSequence) {
        for (const auto& item : member.value.items) value += (value.empty() ? "" : ",") + item.text;
      } else if (member.value.kind == Node::kMapping) {
        for (const auto& item : member.value.members) value += (value.empty() ? "" : ",") + item.name + "=" + item.value.text;
      }
      if (auto taken = Take(member.name, value, at); !taken) return taken;
    }
    return {};
  }

  Result<> Json(const canon::Json& root) {
    if (!root.is_object()) return Fail(Code::kInvalid, "{}: settings are an object", path_);
    const std::string* version = root.FindString("version");
    if (version != nullptr && *version == "warrant.config.v2") return Original(root);
    for (const auto& [name, member] : root.object()) {
      const std::string at = fmt::format("{}: {}", path_, EscapeVisible(name, 80));
      std::string value;
      if (member.is_string()) value = member.string();
      else if (member.is_bool()) value = member.boolean() ? "true" : "false";
      else if (member.is_number()) value = canon::Compact(member);
      else if (member.is_array()) {
        for (const auto& item : member.array()) {
          if (!item.is_string()) return Fail(Code::kInvalid, "{}: a list of texts", at);
          value += (value.empty() ? "" : ",") + item.string();
        }
      } else if (member.is_object()) {
        for (const auto& [key, item] : member.object()) {
          if (!item.is_string()) return Fail(Code::kInvalid, "{}: texts", at);
          value += (value.empty() ? "" : ",") + key + "=" + item.string();
        }
      }
      if (auto taken = Take(name, value, at); !taken) return taken;
    }
    return {};
  }

 private:
  Result<> Take(std::string_view name, const std::string& value, const std::string& at) {
    std::vector<std::string> names;
    for (const Setting& setting : kSettings) {
      names.push_back(FileName(setting.flag));
      if (names.back() != name) continue;
      if (value.empty()) return Fail(Code::kInvalid, "{} has no value", at);
      if (setting.flag == "state") return Fail(Code::kInvalid, "{} belongs on the command line or into ${}", at, setting.variable);
      values_[std::string(setting.flag)] = value;
      return {};
    }
    const std::vector<std::string_view> known(names.begin(), names.end());
    return Fail(Code::kInvalid, "{} is not known{}", at, DidYouMean(name, known));
  }

  /// `warrant.config.v2` of the original's home; what concerns its client is left alone.
  Result<> Original(const canon::Json& root) {
    const std::string* host = root.FindString("host");
    const canon::Json* port = root.Find("port");
    if (port != nullptr && port->is_number()) {
      values_["listen"] = fmt::format("{}:{}", host == nullptr ? "127.0.0.1" : *host, canon::Compact(*port));
    }
    if (const std::string* token = root.FindString("adminToken")) values_["admin-token"] = *token;
    if (const std::string* token = root.FindString("enrollToken")) values_["enroll-token"] = *token;
    return {};
  }

  const std::string& path_;
  Values& values_;
};

Result<> ReadFileText(const std::string& path, const std::string& text, Values& values) {
  FileReader reader(path, values);
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start != text.npos && text[start] == '{') {
    auto json = canon::Parse(text, canon::Mode::kStrict, {.bytes_max = 1 << 20});
    if (!json) return std::unexpected(std::move(json).error().Doing(path));
    return reader.Json(*json);
  }
  const auto yaml = policy::ReadYaml(text);
  if (!yaml) return Fail(Code::kInvalid, "{}:{}:{}: {}", path, yaml.error().line, yaml.error().column, EscapeVisible(yaml.error().text, 300));
  return reader.Yaml(*yaml);
}

/// The first of the usual files that exists; a missing one is no error.
Result<> ReadUsualFile(const std::string& state, const ServeFiles& files, Values& values) {
  for (const char* name : {"serve.yaml", "serve.json", "config.json"}) {
    const std::string path = state + "/" + name;
    const auto text = files.read_secret(path);
    if (text) return ReadFileText(path, *text, values);
    if (text.error().code != Code::kNotFound) return std::unexpected(text.error());
  }
  return {};
}

std::vector<std::string> Items(std::string_view list) {
  std::vector<std::string> items;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (end > 0) items.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return items;
}

class Reader {
 public:
  Reader(const Values& values, const ServeFiles& files) : values_(values), files_(files) {}
  std::string Text(std::string_view flag, std::string_view fallback = "") const {
    const auto found = values_.find(flag);
    return found == values_.end() ? std::string(fallback) : found->second;
  }
  bool Has(std::string_view flag) const { return values_.contains(flag); }
  Result<bool> Switch(std::string_view flag) const {
    const std::string text = Text(flag, "false");
    if (text == "true" || text == "1" || text == "yes") return true;
    if (text == "false" || text == "0" || text == "no") return false;
    return Fail(Code::kInvalid, "{} is {}; write true or false", flag, EscapeVisible(text, 80));
  }
  /// A token, or what its file holds without its line end.
  Result<std::string> Token(std::string_view flag) const {
    const std::string file = Text(fmt::format("{}-file", flag));
    std::string token = Text(flag);
    if (!file.empty()) {
      token = WRIT_TRY(fmt::format("--{}-file", flag), files_.read_secret(file));
      while (!token.empty() && (token.back() == '\n' || token.back() == '\r')) token.pop_back();
      if (token.empty()) return Fail(Code::kInvalid, "{} is empty", EscapeVisible(file));
    }
    if (token.empty()) return token;
    const bool plain = std::ranges::all_of(token, [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (!plain || token.size() < 16 || token.size() > 512) {
      return Fail(Code::kInvalid, "the {} is not 16 to 512 printable characters without spaces", flag);
    }
    return token;
  }

 private:
  const Values& values_;
  const ServeFiles& files_;
};

Result<ServeSettings> Convert(const Values& values, const ServeFiles& files, bool log_to_terminal) {
  const Reader read(values, files);
  ServeSettings settings;
  if (read.Has("listen")) {
    std::string text = read.Text("listen");
    const bool any = text.ends_with(":0");  // an authority has no port 0, a listener may
    if (any) text.resize(text.size() - 2);
    const auto authority = WRIT_TRY("--listen", net::ParseAuthority(text));
    settings.host = authority.host.ToText();
    settings.port = any ? 0 : authority.port.value_or(7172);
  }
  settings.policy_file = read.Text("policy");
  settings.init = WRIT_TRY("read", read.Switch("init"));
  settings.json = WRIT_TRY("read", read.Switch("json"));
  settings.insecure_http = WRIT_TRY("read", read.Switch("insecure-http"));
  settings.trust_proxy = WRIT_TRY("read", read.Switch("trust-proxy"));
  settings.retention = WRIT_TRY("read", read.Switch("retention"));
  settings.with_runner = WRIT_TRY("read", read.Switch("with-runner"));
  settings.admin_token = WRIT_TRY("admin token", read.Token("admin-token"));
  settings.enroll_token = WRIT_TRY("enroll token", read.Token("enroll-token"));
  if (read.Has("tls-cert") != read.Has("tls-key")) return Fail(Code::kInvalid, "--tls-cert and --tls-key belong together");
  if (read.Has("client-ca") && !read.Has("tls-cert")) return Fail(Code::kInvalid, "--client-ca needs --tls-cert and --tls-key");
  if (read.Has("tls-cert")) settings.tls = TlsFiles{read.Text("tls-cert"), read.Text("tls-key"), read.Text("client-ca")};
  for (const std::string& name : Items(read.Text("server-name"))) {
    settings.server_names.push_back(WRIT_TRY("--server-name", net::NormaliseHost(name)).ToText());
  }
  for (const std::string& item : Items(read.Text("map-isolation"))) {
    const std::size_t equals = item.find('=');
    if (equals == item.npos || equals == 0 || equals + 1 == item.size()) {
      return Fail(Code::kInvalid, "--map-isolation: {} is not NAME=TIER", EscapeVisible(item, 80));
    }
    settings.isolation_tiers[item.substr(0, equals)] = item.substr(equals + 1);
  }
  settings.idp_issuer = read.Text("idp-issuer");
  settings.idp_audience = read.Text("idp-audience");
  settings.idp_jwks = read.Text("idp-jwks");
  const int idp = read.Has("idp-issuer") + read.Has("idp-audience") + read.Has("idp-jwks");
  if (idp != 0 && idp != 3) return Fail(Code::kInvalid, "--idp-issuer, --idp-audience and --idp-jwks belong together");
  const std::string format = read.Text("log-format", log_to_terminal ? "text" : "json");
  if (format != "json" && format != "text") return Fail(Code::kInvalid, "--log-format is {}; write json or text", EscapeVisible(format, 80));
  settings.log_format = format == "json" ? LogFormat::kJson : LogFormat::kText;
  const std::string level = read.Text("log-level", "info");
  if (level == "silent") settings.log_level = LogLevel::kSilent;
  else if (level == "error" || level == "fatal" || level == "warn") settings.log_level = LogLevel::kErrors;
  else if (level != "info" && level != "debug" && level != "trace") {
    return Fail(Code::kInvalid, "--log-level is {}; write silent, error or info", EscapeVisible(level, 80));
  }
  settings.pool = read.Text("pool", "default");
  const std::string concurrency = read.Text("concurrency", "1");
  const auto count = net::ParsePort(concurrency);
  if (!count || *count > 1024) return Fail(Code::kInvalid, "--concurrency is {}; write a number from 1 to 1024", EscapeVisible(concurrency, 80));
  settings.concurrency = *count;
  return settings;
}

}  // namespace

Result<ServeSettings> ReadServeSettings(std::span<const std::string_view> arguments, const EnvLookup& env, bool root, bool log_to_terminal,
                                        const ServeFiles& files) {
  Values flags;
  WRIT_TRY("command line", ReadFlags(arguments, flags));
  if (flags.contains("help")) {
    ServeSettings settings;
    settings.help = true;
    return settings;
  }
  Values environment;
  for (const Setting& setting : kSettings) {
    const auto value = env(setting.variable);
    if (value && !value->empty()) environment[std::string(setting.flag)] = *value;
  }
  std::string state = flags.contains("state") ? flags["state"] : environment.contains("state") ? environment["state"] : "";
  if (state.empty()) state = env("FUSIONKIT_HOME").value_or("");
  if (state.empty()) state = env("WARRANT_HOME").value_or("");
  if (state.empty()) state = WRIT_TRY("state directory", storage::DefaultStatePath(env, root)) + "/plane";
  if (!state.starts_with('/')) {
    const auto here = env("PWD");
    if (!here || !here->starts_with('/')) return Fail(Code::kInvalid, "the state directory {} is no absolute path", EscapeVisible(state));
    state = *here + "/" + state;
  }
  Values values;
  const std::string config = flags.contains("config") ? flags["config"] : env("WRIT_SERVE_CONFIG").value_or("");
  if (!config.empty()) {
    const std::string text = WRIT_TRY("--config", files.read_secret(config));
    WRIT_TRY("settings", ReadFileText(config, text, values));
  } else if (!flags.contains("init")) {
    WRIT_TRY("settings", ReadUsualFile(state, files, values));
  }
  // A token given nearer takes the place of a token file given farther away, and the reverse.
  for (const Values* nearer : {&environment, &flags}) {
    for (const auto& [name, value] : *nearer) {
      if (name == "admin-token" || name == "enroll-token") values.erase(name + "-file");
      if (name == "admin-token-file" || name == "enroll-token-file") values.erase(name.substr(0, name.size() - 5));
      values[name] = value;
    }
  }
  auto settings = WRIT_TRY("settings", Convert(values, files, log_to_terminal));
  settings.state = state;
  for (const char* name : {"admin-token", "enroll-token"}) {
    if (flags.contains(name)) {
      settings.warnings.push_back(fmt::format("--{0} shows the token to everybody on this machine; --{0}-file does not", name));
    }
  }
  return settings;
}

std::string ServeUsage() {
  std::string text = "writ serve [OPTION...]: a plane that takes run requests, holds approvals and keeps evidence.\n\n";
  const auto list = [&](std::span<const Setting> table) {
    for (const Setting& setting : table) {
      const std::string left = fmt::format("--{}{}{}", setting.flag, setting.value.empty() ? "" : " ", setting.value);
      text += fmt::format("  {:<26} {}\n", left, setting.help);
      if (!setting.variable.empty()) text += fmt::format("  {:<26} ${}\n", "", setting.variable);
    }
  };
  list(kSettings);
  text += "\n";
  list(kActions);
  text +=
      "\nThe same names in camelCase are settings of a file. Flags win over variables, variables over the file.\n"
      "SIGTERM and SIGINT end the plane after what was asked is answered; SIGHUP reads the certificate anew.\n"
      "Exit status: 0 after a stop, 1 when it cannot go on, 2 for a wrong command line or wrong settings.\n";
  return text;
}

}  // namespace writ::http
