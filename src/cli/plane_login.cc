// Which plane is used, remembering one, forgetting its key.
#include <unistd.h>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/plane_link.h"
#include "cli/secret_prompt.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "storage/state_dir.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

/// --token-file, $WRIT_PLANE_TOKEN, the terminal, or stdin.
Result<crypto::SecretBytes> AskToken(const Context& context) {
  if (const auto file = context.invocation.Value("token-file")) return client::ReadTokenFile(std::string(*file));
  if (const auto text = context.credentials->plane_token.text(); !text.empty()) return crypto::SecretBytes::CopyOf(AsBytes(text));
  if (IsTerminal(STDIN_FILENO)) return AskForSecret(STDIN_FILENO, "Token (not shown): ");
  std::string text = WRIT_TRY("stdin", sys::ReadAll(STDIN_FILENO, 16 << 10));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  crypto::SecretBytes token = crypto::SecretBytes::CopyOf(AsBytes(text));
  crypto::Wipe(text);
  return token;
}

struct Health {
  bool reachable = false, token_taken = false;
  std::string service, problem;
};

/// Asks the two routes that every plane has.
Health HealthOf(remote::PlaneConnection& plane) {
  Health health;
  const auto answer = plane.Get("/v1/health");
  const Json* ok = answer ? answer->Find("ok") : nullptr;
  const std::string* service = answer ? answer->FindString("service") : nullptr;
  if (!answer || !ok || !ok->is_bool() || !ok->boolean()) {
    health.problem = answer ? "what answers there is no plane" : answer.error().what;
    return health;
  }
  health.reachable = true;
  health.service = service ? service->substr(0, 100) : "";
  // Every role may do one of these two.
  for (const char* path : {"/v1/policy", "/v1/runners"}) {
    const auto known = plane.Get(path);
    health.token_taken |= known.has_value() || plane.last_answer().status == 403;
    if (health.token_taken) return health;
    health.problem = known.error().what;
  }
  return health;
}

Result<std::string> KeepToken(const std::string& config, const std::string& name, const crypto::SecretBytes& token) {
  const std::string directory = config + "/tokens";
  WRIT_TRY("token", sys::MakeDirectories(directory, 0700));
  const std::string path = fmt::format("{}/{}", directory, name);
  WRIT_TRY("token", sys::WriteFileAtomic(path, token.bytes(), 0600));
  return path;
}

Result<std::string> Absolute(std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  char here[4096];
  if (::getcwd(here, sizeof(here)) == nullptr) return FailErrno("working directory");
  return fmt::format("{}/{}", here, path);
}

struct LoggedIn {
  std::string name, url;
  Health health;
  bool is_default = false;
};

Result<LoggedIn> Login(Context& context) {
  LoggedIn done;
  done.name = context.invocation.Value("name").value_or("default");
  if (!client::IsPlaneName(done.name)) return Fail(Code::kInvalid, "--name: a name has 1 to 64 letters, digits, - and _");
  done.url = WRIT_TRY("URL", client::NormalPlaneUrl(context.operand(0)));
  const std::string config = WRIT_TRY("login", client::ConfigDirectory(context.env));
  auto settings = WRIT_TRY("login", client::LoadPlaneSettings(config));
  const crypto::SecretBytes token = WRIT_TRY("token", AskToken(context));
  if (!client::IsToken(token.text())) return Fail(Code::kInvalid, "what was given is no token: 1 to 1024 printable characters without spaces");
  const auto endpoint = WRIT_TRY("URL", net::ParseBaseUrl(done.url));
  const bool local = endpoint.host == "localhost" || endpoint.host == "::1" || endpoint.host.starts_with("127.");
  if (!endpoint.tls && !local && !context.invocation.Has("insecure-http")) {
    return Fail(Code::kDenied, "{} is not encrypted: everybody on the way could read the token; use https://, or --insecure-http", EscapeVisible(done.url));
  }
  client::PlaneEntry entry{done.url, {}, {}, {}, {}};
  net::HttpClientOptions http;
  if (const auto ca = context.invocation.Value("ca-file")) entry.ca_file = http.ca_file = WRIT_TRY("--ca-file", Absolute(*ca));
  const auto cert = context.invocation.Value("client-cert"), key = context.invocation.Value("client-key");
  if (cert.has_value() != key.has_value()) return Fail(Code::kInvalid, "--client-cert and --client-key come together");
  if (cert) entry.client_cert_file = http.client_cert_file = WRIT_TRY("--client-cert", Absolute(*cert));
  if (key) entry.client_key_file = http.client_key_file = WRIT_TRY("--client-key", Absolute(*key));
  http.proxy = WRIT_TRY("URL", net::ProxyFor(endpoint, context.env));
  const auto plane = WRIT_TRY("login", remote::PlaneConnection::Open(done.url, std::string(token.text()), http));
  done.health = HealthOf(*plane);
  if (!done.health.reachable) return Fail(Code::kUnavailable, "{}: {}", EscapeVisible(done.url), done.health.problem);
  if (!done.health.token_taken) return Fail(Code::kDenied, "{} does not take this token: {}", EscapeVisible(done.url), done.health.problem);
  const auto file = context.invocation.Value("token-file");
  const bool keep_file = file && context.invocation.Has("keep-token-file");
  entry.token_file = keep_file ? WRIT_TRY("--token-file", Absolute(*file)) : std::string();
  if (!keep_file) entry.token_file = WRIT_TRY("login", KeepToken(config, done.name, token));
  settings.planes[done.name] = entry;
  if (!context.invocation.Has("no-default") || settings.default_name.empty()) settings.default_name = done.name;
  done.is_default = settings.default_name == done.name;
  WRIT_TRY("login", client::SavePlaneSettings(config, settings));
  return done;
}

}  // namespace

int PlaneLoginCommand(Context& context) {
  const auto done = Login(context);
  if (!done) return Complain(context, done.error());
  if (context.json()) return PrintJson(context, Json::Of({{"name", done->name}, {"url", done->url}, {"service", done->health.service}}));
  return Print(context, fmt::format("`{}` is {}{}\n", done->name, done->url, done->is_default ? ", and the plane that commands use by default" : ""));
}

int PlaneStatusCommand(Context& context) {
  const auto config = client::ConfigDirectory(context.env);
  if (!config) return Complain(context, config.error());
  const auto settings = client::LoadPlaneSettings(*config);
  if (!settings) return Complain(context, settings.error());
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto known = link->trust().known->List();
  if (!known) return Complain(context, known.error());
  std::string key, since;
  for (const auto& plane : *known) {
    if (plane.url == link->target().url) key = plane.key.KeyId(), since = plane.since;
  }
  const Health health = HealthOf(link->plane());
  const int status = health.reachable && health.token_taken ? 0 : 1;
  if (context.json()) {
    Json planes = Json::MakeArray();
    for (const auto& [name, entry] : settings->planes) {
      planes.Append(Json::Of({{"name", name}, {"url", entry.url}, {"default", name == settings->default_name}}));
    }
    Json json = Json::Of({{"url", link->target().url}, {"name", link->target().name}, {"hasToken", !link->target().token.empty()},
                          {"reachable", health.reachable}, {"service", health.service}, {"tokenTaken", health.token_taken}});
    if (!key.empty()) json.Set("planeKeyId", key).Set("keySince", since);
    if (!health.problem.empty()) json.Set("problem", health.problem);
    const int printed = PrintJson(context, json.Set("planes", std::move(planes)));
    return printed == 0 ? status : 1;
  }
  std::vector<std::vector<std::string>> rows{{"plane", EscapeVisible(link->target().url) + (link->target().name.empty() ? "" : fmt::format(" ({})", link->target().name))}};
  rows.push_back({"answers", health.reachable ? EscapeVisible(health.service) : "no: " + EscapeVisible(health.problem)});
  rows.push_back({"token", link->target().token.empty() ? "none" : health.token_taken ? "taken" : "not taken: " + EscapeVisible(health.problem)});
  rows.push_back({"key", key.empty() ? "none on record; the first bundle that verifies puts it there" : fmt::format("{} since {}", key, ShowTime(since))});
  for (const auto& [name, entry] : settings->planes) {
    rows.push_back({name == settings->default_name ? "default" : "known", fmt::format("{}  {}", name, EscapeVisible(entry.url))});
  }
  return Print(context, RenderTable(rows, IsTerminal(STDOUT_FILENO) ? TextColumns(STDOUT_FILENO) : 1000)) == 0 ? status : 1;
}

int PlaneForgetCommand(Context& context) {
  const auto url = client::NormalPlaneUrl(context.operand(0));
  if (!url) return Complain(context, url.error(), 2);
  const auto state = storage::DefaultStatePath(context.env, ::geteuid() == 0);
  if (!state) return Complain(context, state.error());
  const auto directory = storage::StateDir::Open(*state, storage::StateAccess::kWrite);
  if (!directory) return Complain(context, directory.error());
  if (const auto removed = client::KnownPlanes(directory->path()).Remove(*url); !removed) return Complain(context, removed.error());
  if (context.json()) return PrintJson(context, Json::Of({{"forgotten", *url}}));
  return Print(context, fmt::format("the next bundle of {} that verifies puts its key on record\n", *url));
}

}  // namespace writ::cli
