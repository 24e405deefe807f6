#include "runner/command.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "base/escape.h"
#include "base/units.h"
#include "base/utf8.h"
#include "crypto/ed25519.h"
#include "crypto/key_file.h"
#include "policy/load.h"
#include "runner/runner.h"
#include "secrets/credentials.h"
#include "sys/file.h"

namespace writ::runner {
namespace {

constexpr std::size_t kTokenBytesMax = 4096;
constexpr std::uint64_t kConcurrencyMax = 1024;
constexpr int kNothingWaited = 3;

constexpr std::string_view kUsage =
    "Usage: writ runner --plane URL [OPTION]...\n"
    "\n"
    "Claims runs of a plane and carries them out until SIGTERM, which lets what is running end. Opens no port: all\n"
    "connections go out to the plane, through $HTTPS_PROXY or $HTTP_PROXY where they are set.\n"
    "\n"
    "  --plane URL          the plane, http:// or https:// [$WARRANT_PLANE_URL]\n"
    "  --pool POOL          the pool to enrol in [$WARRANT_POOL, else default]\n"
    "  --token-file FILE    holds the enroll token, readable by its owner only [$WARRANT_ENROLL_TOKEN]\n"
    "  --token TOKEN        the same in sight of every user of this machine\n"
    "  --dir DIR            identity, keys, cache and store [$WARRANT_RUNNER_DIR, else .warrant-runner]\n"
    "  --concurrency N      runs at a time [1]\n"
    "  --labels K=V,...     what sets this runner apart; may be repeated\n"
    "  --poll-interval D    between claims, at a plane without long polling [1s]\n"
    "  --once               carry out one run; exit status 3 when none waits\n"
    "  --plane-key K        PEM file or key id: contracts must be signed by this key\n"
    "  --policy FILE        never more than this policy allows, whatever the plane signs; without it the plane decides\n"
    "  --ca-file FILE       authorities to trust instead of the system's\n"
    "  --client-cert FILE   certificate for a plane that wants one\n"
    "  --client-key FILE    its key\n"
    "  --agent KIND=DIR[:BIN]  a vendor's agent program (claude-code, codex) and its files, shown to jobs read-only;\n"
    "                       BIN is the program's directory below DIR\n"
    "  --inherit NAME,...   further variables that contracts may take from this process; PREFIX* is a pattern\n"
    "  -h, --help           print this\n";

Result<std::pair<std::string, std::string>> Pair(std::string_view option, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == text.npos) return Fail(Code::kInvalid, "{} {}: NAME=VALUE is expected", option, EscapeVisible(text));
  return std::pair(std::string(text.substr(0, equals)), std::string(text.substr(equals + 1)));
}

std::vector<std::string_view> Parts(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    if (end > at) parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

Result<AgentInstall> Agent(std::string_view text) {
  auto [kind, place] = WRIT_TRY("--agent", Pair("--agent", text));
  if (kind != "claude-code" && kind != "codex") return Fail(Code::kInvalid, "--agent {}: the kinds are claude-code and codex", EscapeVisible(kind));
  AgentInstall agent{.kind = kind, .directory = place};
  if (const std::size_t colon = place.rfind(':'); colon != place.npos) {
    agent.directory = place.substr(0, colon);
    agent.bin = place.substr(colon + 1);
  }
  if (!agent.directory.starts_with('/') || agent.bin.starts_with('/') || agent.bin.find("..") != agent.bin.npos)
    return Fail(Code::kInvalid, "--agent {}: an absolute directory and a path below it are expected", EscapeVisible(text));
  return agent;
}

Result<> Apply(CommandSettings& settings, std::string_view option, std::string_view value) {
  Options& options = settings.options;
  const std::string text(value);
  if (option == "--plane") options.plane_url = text;
  else if (option == "--pool") options.pool = text;
  else if (option == "--token-file") settings.token_file = text;
  else if (option == "--token") options.enroll_token = text, settings.token_shown = true;
  else if (option == "--dir") options.dir = text;
  else if (option == "--concurrency") options.concurrency = static_cast<std::uint32_t>(WRIT_TRY(option, ParseCount(value, kConcurrencyMax)));
  else if (option == "--poll-interval") options.poll_interval = WRIT_TRY(option, ParseDuration(value));
  else if (option == "--policy") settings.policy_file = text;
  else if (option == "--ca-file") options.ca_file = text;
  else if (option == "--client-cert") options.client_cert_file = text;
  else if (option == "--client-key") options.client_key_file = text;
  else if (option == "--agent") options.agents.push_back(WRIT_TRY(option, Agent(value)));
  else if (option == "--plane-key") (crypto::IsKeyId(value) ? options.plane_key : settings.plane_key_file) = text;
  else if (option == "--inherit") for (const auto part : Parts(value)) options.inherit.allow.emplace_back(part);
  else if (option == "--labels") {
    for (const auto part : Parts(value)) {
      auto [name, label] = WRIT_TRY(option, Pair(option, part));
      options.labels.insert_or_assign(std::move(name), std::move(label));
    }
  } else {
    return Fail(Code::kInvalid, "unknown option {}; see writ runner --help", EscapeVisible(option));
  }
  return {};
}

int Complain(const Error& error, int status) {
  std::fputs(fmt::format("runner error: {}\n", EscapeVisible(error.what)).c_str(), stderr);
  return status;
}

sigset_t EndSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) ::sigaddset(&signals, number);
  return signals;
}

/// Waits for a signal on a thread of its own, so that one ends the enrolment too.
class EndWatch {
 public:
  /// The signals are blocked already.
  explicit EndWatch(const sigset_t& signals)
      : thread_([this, signals] {
          int received = 0;
          ::sigwait(&signals, &received);
          if (over_) return;
          std::fputs("runner: no more claims; what is running ends first\n", stderr);
          source_.request_stop();
        }) {}
  ~EndWatch() {
    over_ = true;
    if (thread_.joinable()) ::pthread_kill(thread_.native_handle(), SIGTERM);  // sigwait takes it
  }
  std::stop_token token() const { return source_.get_token(); }
  void Wait() { thread_.join(); }

 private:
  std::atomic<bool> over_ = false;
  std::stop_source source_;
  std::jthread thread_;
};

}  // namespace

std::string_view CommandUsage() { return kUsage; }

Result<CommandSettings> ParseCommand(std::span<const std::string_view> arguments, const EnvLookup& env) {
  CommandSettings settings;
  Options& options = settings.options;
  options.env = env;
  for (const auto& [name, member] : {std::pair{"WARRANT_PLANE_URL", &options.plane_url}, {"WARRANT_ENROLL_TOKEN", &options.enroll_token},
                                     {"WARRANT_POOL", &options.pool}, {"WARRANT_RUNNER_DIR", &options.dir}})
    if (auto value = env(name); value && !value->empty()) *member = *std::move(value);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view word = arguments[i];
    if (word == "-h" || word == "--help") settings.help = true;
    else if (word == "--once") settings.once = true;
    else {
      std::string_view value;
      if (const auto equals = word.find('='); word.starts_with("--") && equals != word.npos) {
        value = word.substr(equals + 1);
        word = word.substr(0, equals);
      } else {
        if (!word.starts_with("--")) return Fail(Code::kInvalid, "unexpected argument {}; see writ runner --help", EscapeVisible(word));
        if (i + 1 == arguments.size()) return Fail(Code::kInvalid, "{} needs a value", EscapeVisible(word));
        value = arguments[++i];
      }
      WRIT_TRY("writ runner", Apply(settings, word, value));
    }
  }
  if (!options.dir.empty() && options.dir.front() != '/') {
    std::error_code failed;
    options.dir = std::filesystem::absolute(options.dir, failed).string();
    if (failed) return Fail(Code::kInvalid, "--dir: the working directory cannot be named: {}", failed.message());
  }
  if (!settings.help && options.plane_url.empty()) return Fail(Code::kInvalid, "--plane URL or $WARRANT_PLANE_URL is needed");
  return settings;
}

Result<> LoadFiles(CommandSettings& settings) {
  if (!settings.token_file.empty()) {
    const auto bytes = WRIT_TRY("--token-file", crypto::ReadSecretFile(settings.token_file, kTokenBytesMax));
    settings.options.enroll_token = TrimSpace(AsText(bytes.bytes()));
  }
  if (!settings.plane_key_file.empty()) {
    const auto key = WRIT_TRY("--plane-key", crypto::ReadPublicKeyFile(settings.plane_key_file));
    settings.options.plane_key = key.Pem();
  }
  if (!settings.policy_file.empty()) settings.options.policy = WRIT_TRY("--policy", policy::LoadFile(settings.policy_file));
  return {};
}

int CommandMain(std::span<const std::string_view> arguments, const EnvLookup& env, const CommandWiring& wiring) {
  auto settings = ParseCommand(arguments, env);
  if (!settings) return Complain(settings.error(), 2);
  if (settings->help) return sys::WriteAll(1, kUsage) ? 0 : 1;
  if (const auto kept = secrets::KeepMemoryPrivate(); !kept) return Complain(kept.error(), 1);
  if (auto loaded = LoadFiles(*settings); !loaded) return Complain(loaded.error(), 1);
  if (const auto& policy = settings->options.policy)
    for (const auto& problem : policy->warnings) std::fputs(fmt::format("runner: {}\n", policy::FormatProblem(problem, policy->source)).c_str(), stderr);
  if (settings->token_shown) std::fputs("runner: a token on the command line can be read by every user of this machine; use --token-file\n", stderr);
  auto backends = wiring.start_backends(settings->options.dir);  // first of all: before threads and connections exist
  if (!backends) return Complain(backends.error(), 1);
  settings->options.backends = *std::move(backends);
  if (wiring.adjust)
    if (auto adjusted = wiring.adjust(settings->options); !adjusted) return Complain(adjusted.error(), 1);
  if (wiring.confine)
    if (auto confined = wiring.confine(); !confined) return Complain(confined.error(), 1);

  const sigset_t signals = EndSignals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads made from here on leave them to this one
  ::signal(SIGPIPE, SIG_IGN);
  auto runner = Runner::Create(std::move(settings->options));
  if (!runner) return Complain(runner.error(), 1);
  EndWatch watch(signals);
  if (settings->once) {
    const auto ran = (*runner)->RunOnce(watch.token());
    if (!ran) return Complain(ran.error(), 1);
    return *ran ? 0 : kNothingWaited;
  }
  if (auto started = (*runner)->Start(watch.token()); !started) {
    if (!watch.token().stop_requested()) return Complain(started.error(), 1);
    std::fputs("runner: stopped before it was enrolled\n", stderr);
    return 0;
  }
  watch.Wait();
  (*runner)->Stop();
  return 0;
}

}  // namespace writ::runner
