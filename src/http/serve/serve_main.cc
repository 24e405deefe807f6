#include "http/serve/serve_main.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <optional>

#include "api/plane/plane_service.h"
#include "base/escape.h"
#include "canon/json.h"
#include "crypto/key_file.h"
#include "http/serve/log_writer.h"
#include "http/serve/own_certificate.h"
#include "http/serve/plane_door.h"
#include "http/serve/serve_home.h"
#include "http/serve/serve_settings.h"
#include "http/server.h"
#include "plane/idp.h"
#include "policy/load.h"
#include "runner/runner.h"
#include "secrets/credentials.h"
#include "sys/file.h"

namespace writ::http {
namespace {

constexpr Millis kStopPatience{20000};
constexpr std::size_t kFileBytesMax = 1 << 20;

/// Lines for the operator in the format that was asked for.
class Talk {
 public:
  Talk(LogWriter& writer, const ServeSettings& settings) : writer_(writer), settings_(settings) {}
  void Say(std::string_view level, std::string_view text) const {
    if (settings_.log_level == LogLevel::kSilent && level != "error") return;
    if (settings_.log_format == LogFormat::kText) return writer_.Line(fmt::format("writ serve: {}: {}", level, EscapeVisible(text)));
    writer_.Line(canon::Compact(canon::Json::Of({{"at", FormatTimestamp(clock_.Now())}, {"level", level}, {"text", EscapeVisible(text)}})));
  }
  void Request(const RequestRecord& record) const {
    const bool failed = record.status >= 500 || !record.cause.empty();
    if (settings_.log_level == LogLevel::kSilent || (settings_.log_level == LogLevel::kErrors && !failed)) return;
    writer_.Line(settings_.log_format == LogFormat::kText ? TextLine(record) : JsonLine(record));
  }

 private:
  LogWriter& writer_;
  const ServeSettings& settings_;
  SystemClock clock_;
};

int Fails(const Error& error, int status) {
  static_cast<void>(sys::WriteAll(STDERR_FILENO, fmt::format("writ serve: {}\n", EscapeVisible(error.what))));
  return status;
}

Result<std::string> PolicyFile(const ServeSettings& settings) {
  if (!settings.policy_file.empty()) return settings.policy_file;
  for (const char* name : {"policy.yaml", "policy.json"}) {
    const std::string path = settings.state + "/" + name;
    if (::access(path.c_str(), F_OK) == 0) return path;
  }
  return Fail(Code::kInvalid, "there is no policy: name one with --policy FILE, or make a first one with `writ serve --init`");
}

/// Connections need descriptors: as many as the hard limit allows, up to what the limits of connections can use.
void RaiseDescriptors(std::size_t connections_max) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  const rlim_t wanted = connections_max + 1024;
  if (files.rlim_cur >= wanted) return;
  files.rlim_cur = std::min<rlim_t>(wanted, files.rlim_max);
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &files));  // fewer descriptors: fewer connections, and accept says so
}

std::string UrlOf(const ServeSettings& settings, std::uint16_t port) {
  const bool bracketed = settings.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", settings.tls ? "https" : "http", bracketed ? "[" : "", settings.host, bracketed ? "]" : "", port);
}

bool IsLoopback(std::string_view host) { return host == "localhost" || host.starts_with("127.") || host == "::1"; }

/// Everything that runs, in the order in which it goes: runner, server, plane.
struct Running {
  std::unique_ptr<api::PlaneService> plane;
  std::unique_ptr<PlaneDoor> door;
  std::unique_ptr<Server> server;
  std::optional<sys::TemporaryDirectory> runner_tls;  ///< certificate and key of the next
  std::unique_ptr<Server> runner_server;              ///< for the runner of this process alone
  std::unique_ptr<Runner> runner;
};

Result<> StartPlane(const ServeSettings& settings, const EnvLookup& env, const ServeWiring& wiring,
                    std::shared_ptr<const secrets::Credentials> credentials, const Talk& talk, Running& running) {
  const std::string policy_file = WRIT_TRY("policy", PolicyFile(settings));
  api::PlaneOptions options{.state_dir = settings.state,
                            .policy = WRIT_TRY("policy", policy::LoadFile(policy_file)),
                            .keys = WRIT_TRY("keys", ReadOrCreatePlaneKeys(settings.state, credentials->master)),
                            .admin_token = settings.admin_token,
                            .enroll_token = settings.enroll_token};
  options.settings.isolation_tiers = settings.isolation_tiers;
  options.settings.retention = settings.retention;
  if (!settings.idp_issuer.empty()) {
    const std::string keys = WRIT_TRY("--idp-jwks", sys::ReadFile(settings.idp_jwks, kFileBytesMax));
    options.idp = std::make_shared<const plane::IdentityProvider>(
        WRIT_TRY("identity provider", plane::MakeIdentityProvider(settings.idp_issuer, settings.idp_audience, keys)));
  }
  options.secrets = SecretsOf(settings.state, std::move(credentials), env);
  options.log = [&talk](std::string_view text) { talk.Say("error", text); };
  if (wiring.adjust_plane) wiring.adjust_plane(options);
  running.plane = WRIT_TRY("plane", api::PlaneService::Start(std::move(options)));
  running.door = std::make_unique<PlaneDoor>(*running.plane);
  return {};
}

Result<> StartServer(const ServeSettings& settings, Listener listener, const Talk& talk, Running& running) {
  ServerOptions options;
  options.host = settings.host;
  options.port = settings.port;
  options.tls = settings.tls;
  options.names = settings.server_names;
  options.trust_forwarded_for = settings.trust_proxy;
  options.log = [&talk](const RequestRecord& record) { talk.Request(record); };
  RaiseDescriptors(options.limits.connections_max);
  running.server = WRIT_TRY("server", Server::Start(std::move(options), *running.door, std::move(listener)));
  const std::string url = UrlOf(settings, running.server->port());
  WRIT_TRY("plane.url", sys::WriteFileAtomic(settings.state + "/plane.url", url + "\n", 0644, sys::Durability::kQuick));
  WRIT_TRY("stdout", sys::WriteAll(STDOUT_FILENO, settings.json ? canon::Compact(canon::Json::Of({{"url", url}})) + "\n" : fmt::format("listening on {}\n", url)));
  return {};
}

/// A door for the runner of this process alone, on loopback, behind mutual TLS with a key that nobody else has. The names in
/// the plane's own certificate, and which clients it lets in, do not matter there.
Result<> StartRunnerDoor(Running& running, runner::Options& options) {
  WRIT_TRY("directory", sys::MakeDirectories(options.dir, 0700));
  running.runner_tls.emplace(WRIT_TRY("directory", sys::TemporaryDirectory::Create(options.dir, "tls-")));
  const std::string certificate = running.runner_tls->path() + "/own.pem", key = running.runner_tls->path() + "/own.key";
  auto own = WRIT_TRY("certificate", MakeOwnCertificate(SystemClock().Now()));
  WRIT_TRY("certificate", sys::WriteFileAtomic(certificate, own.certificate_pem, 0600, sys::Durability::kQuick));
  WRIT_TRY("key", sys::WriteFileAtomic(key, own.key_pem, 0600, sys::Durability::kQuick));
  crypto::Wipe(own.key_pem);
  ServerOptions door;
  door.port = 0;
  door.tls = TlsFiles{.cert_file = certificate, .key_file = key, .client_ca_file = certificate};
  running.runner_server = WRIT_TRY("server", Server::Start(std::move(door), *running.door));
  options.plane_url = fmt::format("https://127.0.0.1:{}", running.runner_server->port());
  options.ca_file = options.client_cert_file = certificate;
  options.client_key_file = key;
  return {};
}

Result<> StartRunner(const ServeSettings& settings, const EnvLookup& env, const ServeWiring& wiring,
                     std::vector<runner::TierBackend> backends, const Talk& talk, Running& running) {
  if (settings.enroll_token.empty()) return Fail(Code::kInvalid, "--with-runner needs an enroll token");
  runner::Options options;
  options.plane_url = UrlOf(settings, running.server->port());
  options.pool = settings.pool;
  options.enroll_token = settings.enroll_token;
  options.dir = settings.state + "/runner";
  options.concurrency = settings.concurrency;
  if (settings.tls) WRIT_TRY("door of the runner", StartRunnerDoor(running, options));
  options.backends = std::move(backends);
  options.env = env;
  if (wiring.adjust) WRIT_TRY("runner", wiring.adjust(options));
  options.say = [&talk](const std::string& line) { talk.Say("runner", line); };
  running.runner = WRIT_TRY("runner", Runner::Create(std::move(options)));
  WRIT_TRY("runner", running.runner->Start());
  return {};
}

/// Waits for the signal that ends the plane; SIGHUP on the way reads the certificate anew.
void WaitForEnd(const sigset_t& signals, const ServeSettings& settings, const Talk& talk, Server& server) {
  for (;;) {
    int number = 0;
    if (::sigwait(&signals, &number) != 0) continue;
    if (number != SIGHUP) return talk.Say("info", "stopping");
    if (!settings.tls) continue;
    const auto reloaded = server.ReloadTls();
    talk.Say(reloaded ? "info" : "error", reloaded ? "the certificate was read anew" : reloaded.error().what);
  }
}

int Serve(const ServeSettings& settings, const EnvLookup& env, const ServeWiring& wiring,
          std::shared_ptr<const secrets::Credentials> credentials,
          std::vector<runner::TierBackend> backends, Listener listener) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread: one place waits for them
  ::signal(SIGPIPE, SIG_IGN);
  LogWriter writer(STDERR_FILENO);
  const Talk talk(writer, settings);
  for (const auto& warning : settings.warnings) talk.Say("warning", warning);
  Running running;
  auto started = StartPlane(settings, env, wiring, std::move(credentials), talk, running);
  if (started) started = StartServer(settings, std::move(listener), talk, running);
  if (started && settings.with_runner) started = StartRunner(settings, env, wiring, std::move(backends), talk, running);
  if (started) WaitForEnd(signals, settings, talk, *running.server);
  // A second signal ends the program at once: what is durable is durable.
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  if (running.runner) running.runner->Stop();  // its runs end first, and are reported
  const Deadline deadline = Deadline::After(kStopPatience);
  if (running.plane) {
    // Long polls are answered while the server still listens to whoever is connected.
    if (const auto stopped = running.plane->Stop(deadline); !stopped) talk.Say("error", stopped.error().what);
  }
  for (auto* server : {running.runner_server.get(), running.server.get()})
    if (server != nullptr) server->Stop(deadline);
  static_cast<void>(::unlink((settings.state + "/plane.url").c_str()));
  if (started) return 0;
  talk.Say("error", started.error().what);
  return started.error().code == Code::kInvalid ? 2 : 1;
}

}  // namespace

int ServeMain(std::span<const std::string_view> arguments, const EnvLookup& env, const ServeWiring& wiring) {
  auto credentials = std::make_shared<secrets::Credentials>(secrets::TakeCredentials());
  if (crypto::SecretBytes original = secrets::TakeVariable("WARRANT_MASTER_KEY"); credentials->master.empty()) {
    credentials->master = std::move(original);
  }
  const ServeFiles files{.read = [](const std::string& path) { return sys::ReadFile(path, kFileBytesMax); },
                         .read_secret = [](const std::string& path) -> Result<std::string> {
                           const auto secret = WRIT_TRY("read", crypto::ReadSecretFile(path, kFileBytesMax));
                           return std::string(secret.text());
                         }};
  const auto settings = ReadServeSettings(arguments, env, ::geteuid() == 0, ::isatty(STDERR_FILENO) == 1, files);
  if (!settings) return Fails(settings.error(), 2);
  if (settings->help) return sys::WriteAll(STDOUT_FILENO, ServeUsage()) ? 0 : 1;
  if (const auto kept = secrets::KeepMemoryPrivate(); !kept) return Fails(kept.error(), 1);
  if (settings->init) {
    const auto shown = InitialiseHome(*settings, credentials->master);
    if (!shown) return Fails(shown.error(), shown.error().code == Code::kInvalid ? 2 : 1);
    return sys::WriteAll(STDOUT_FILENO, *shown) ? 0 : 1;
  }
  if (settings->admin_token.empty()) {
    return Fails({Code::kInvalid, "there is no admin token: give --admin-token-file FILE, or make one with `writ serve --init`"}, 2);
  }
  if (!settings->tls && !IsLoopback(settings->host)) {
    if (!settings->insecure_http) {
      return Fails({Code::kInvalid, "without TLS everybody on the way reads tokens and secrets: give --tls-cert and --tls-key, listen on "
                                    "127.0.0.1, or say --insecure-http"}, 2);
    }
    static_cast<void>(sys::WriteAll(STDERR_FILENO, "writ serve: warning: without TLS everybody on the way reads tokens and secrets\n"));
  }
  std::vector<runner::TierBackend> backends;
  if (settings->with_runner) {
    auto made = wiring.start_backends(settings->state + "/runner");
    if (!made) return Fails(made.error(), 1);
    backends = *std::move(made);
  }
  // A port below 1024 needs a privilege that is given up next. Nobody can connect yet.
  auto listener = BindListener(settings->host, settings->port);
  if (!listener) return Fails(listener.error(), listener.error().code == Code::kInvalid ? 2 : 1);
  if (const auto confined = wiring.confine(); !confined) return Fails(confined.error(), 1);
  return Serve(*settings, env, wiring, std::move(credentials), std::move(backends), *std::move(listener));
}

}  // namespace writ::http
