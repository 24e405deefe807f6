#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "api/upstream_proxy.h"
#include "base/escape.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/content_json.h"
#include "cli/dry_run.h"
#include "cli/host_probe.h"
#include "cli/live_output.h"
#include "cli/network_report.h"
#include "cli/run_grammar.h"
#include "cli/run_options.h"
#include "cli/run_report.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/user_name.h"
#include "session/stdin_pump.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

constexpr int kCannotRun = 125;
constexpr Millis kProgressAfter{2000};
constexpr Millis kProgressEvery{1000};

/// Passes cancelling and resizing on to the run, and shows progress while nothing else happens.
class RunMonitor final : public api::RunControl {
 public:
  /// `live` is borrowed; nullptr shows no progress.
  RunMonitor(LiveOutput* live, Millis limit, std::function<void(std::string_view)> say)
      : live_(live), limit_(limit), say_(std::move(say)) {}
  void OnParked(std::string_view, std::string_view why) override { say_(why); }
  void OnContract(std::string_view run_id) override { run_id_ = run_id; }
  void OnTick(Millis since_start) override {
    if (!live_ || since_start < next_) return;
    next_ = since_start + kProgressEvery;
    const Millis whole{since_start / std::chrono::seconds{1} * 1000};
    live_->ShowProgress(fmt::format("writ: running, {} of {}; Ctrl-C ends it", FormatDuration(whole), FormatDuration(limit_)));
  }
  void OnGuestEnd() override {
    if (live_) live_->ShowProgress({});
  }
  const std::string& run_id() const { return run_id_; }

 private:
  LiveOutput* live_;
  Millis limit_;
  std::function<void(std::string_view)> say_;  ///< a line for whoever waits
  Millis next_ = kProgressAfter;
  std::string run_id_;
};

/// Which of the caller's descriptors are terminals, and what follows from it.
struct Screen {
  bool in = IsTerminal(STDIN_FILENO), out = IsTerminal(STDOUT_FILENO), err = IsTerminal(STDERR_FILENO);
  /// The one whose size the job's terminal has; -1 when there is none.
  int Fd() const { return out ? STDOUT_FILENO : in ? STDIN_FILENO : -1; }
};

LiveOutputOptions OutputOptions(const RunOptions& options, const Screen& screen, api::RunControl*& control) {
  LiveOutputOptions live;
  live.stdout_filter = screen.out && !options.terminal ? Filter::kTerminal : Filter::kNone;
  live.stderr_filter = screen.err ? Filter::kTerminal : Filter::kNone;
  live.raw_terminal = options.terminal && options.interactive && screen.in;
  live.stdout_limit = FormatSize(options.request.limits.stdout_bytes);
  live.stderr_limit = FormatSize(options.request.limits.stderr_bytes);
  live.on_reader_gone = [&control] { control->Cancel(); };
  live.stop = [&control] { return control->cancelled(); };
  return live;
}

/// `writ run` carries a job out; `writ learn` says afterwards what it used.
enum class Learn : bool { kNo, kYes };

/// The end of a run for whoever reads JSON.
int AnswerInJson(Context& context, api::LocalPlane& plane, const api::RunResult& result, Learn learn) {
  canon::Json json = RunJson(result);
  if (learn == Learn::kYes && result.contract.is_object()) {
    const auto explained = plane.Explain(result.run_id);
    if (!explained) return Complain(context, explained.error(), kCannotRun);
    json.Set("learned", LearnedJson(*explained));
  }
  if (result.contract.is_object()) {
    for (const std::string_view kind : {"stdout", "stderr"}) {
      auto content = KeptContentJson(plane, result.run_id, kind, kJsonStreamMax);
      if (!content) return Complain(context, content.error(), kCannotRun);
      json.Set(kind, *std::move(content));
    }
  }
  const int printed = PrintJson(context, json);
  return printed == 0 ? result.exit_code : kCannotRun;
}

int DryRun(Context& context, api::LocalPlane& plane, const RunOptions& options) {
  const auto preview = plane.DryRun(options.request);
  if (!preview) return Complain(context, preview.error(), kCannotRun);
  const int printed = options.json ? PrintJson(context, PreviewJson(*preview)) : Print(context, RenderPreview(*preview, options.request, options.interactive));
  return printed == 0 ? PreviewStatus(*preview) : kCannotRun;
}

/// A tier that nothing here provides is no matter of policy.
Result<> CheckTier(std::string_view tier, const std::vector<std::unique_ptr<isolation::Backend>>& backends) {
  std::vector<std::string_view> offered;
  for (const auto& backend : backends) offered.push_back(backend->tier());
  if (std::ranges::find(offered, tier) != offered.end()) return {};
  return Fail(Code::kUnavailable, "--tier: there is no tier `{}` here; this program has: {} (`writ doctor` says why)", tier,
              fmt::join(offered, ", "));
}

/// Everything of one run after the options were read and the backends started.
class OneRun {
 public:
  OneRun(Context& context, RunOptions options, api::LocalPlane& plane, Learn learn)
      : context_(context), options_(std::move(options)), plane_(plane), learn_(learn) {}

  int Run() {
    if (const auto opened = OpenStdin(); !opened) return Complain(context_, opened.error(), kCannotRun);
    const Limits limits = options_.request.limits;
    api::RunControl* control = nullptr;
    LiveOutput live(OutputOptions(options_, screen_, control));
    NoOutput nothing;
    const bool progress = screen_.err && !options_.quiet && !options_.json && !options_.terminal && !(options_.interactive && screen_.in);
    const bool waits = options_.request.wait_for_consent;
    RunMonitor monitor(progress ? &live : nullptr, limits.wall_time, [&](std::string_view why) {
      if (waits) Warn(context_, why);  // otherwise the end says it
    });
    control = &monitor;
    isolation::OutputSink& sink = options_.json ? static_cast<isolation::OutputSink&>(nothing) : live;

    const SignalScope signals(monitor, options_.terminal ? screen_.Fd() : -1);
    auto result = Drive(sink, monitor);
    if (const auto finished = live.Finish(); !finished) {
      if (!result) return Complain(context_, result.error(), kCannotRun);
      Complain(context_, finished.error(), kCannotRun);
      result->exit_code = kCannotRun;
    }
    if (!result) {
      const int status = Complain(context_, result.error(), kCannotRun);
      if (!monitor.run_id().empty()) Warn(context_, fmt::format("see `writ show {}`", monitor.run_id()));
      return status;
    }
    return Report(*result, limits, live);
  }

 private:
  Result<> OpenStdin() {
    if (!options_.interactive) return {};
    if (options_.terminal && screen_.in) {
      // The keys are copied into the job's own terminal; the job never holds this one.
      options_.request.stdin_fd = sys::UniqueFd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
      if (!options_.request.stdin_fd.valid()) return FailErrno("copy the descriptor of stdin");
      return {};
    }
    pump_ = WRIT_TRY("-i", session::StdinPump::Start(STDIN_FILENO));
    options_.request.stdin_fd = pump_->TakeReadEnd();
    return {};
  }

  /// The terminal is raw only while the run lasts.
  Result<api::RunResult> Drive(isolation::OutputSink& sink, RunMonitor& monitor) {
    std::unique_ptr<RawTerminal> raw;
    if (options_.terminal && options_.interactive && screen_.in) raw = WRIT_TRY("-t", RawTerminal::Enter(STDIN_FILENO));
    return plane_.Run(std::move(options_.request), sink, monitor);
  }

  int Report(const api::RunResult& result, const Limits& limits, LiveOutput& live) {
    for (const auto& line : Reasons(result)) Warn(context_, line);
    if (options_.json) return AnswerInJson(context_, plane_, result, learn_);
    if (!options_.quiet && result.contract.is_object()) {
      if (const auto said = live.SayBlock(RenderSummary(result, limits, screen_.err ? TextColumns(STDERR_FILENO) : 1000)); !said) {
        return kCannotRun;  // stderr is gone; the exit status is all that is left to say so
      }
    }
    if (learn_ == Learn::kYes && result.contract.is_object()) {
      const auto explained = plane_.Explain(result.run_id);
      if (!explained) return Complain(context_, explained.error(), kCannotRun);
      if (const auto said = live.SayBlock(RenderLearned(*explained)); !said) return kCannotRun;
    }
    return result.exit_code;
  }

  Context& context_;
  RunOptions options_;
  api::LocalPlane& plane_;
  const Learn learn_;
  const Screen screen_;
  std::unique_ptr<session::StdinPump> pump_;
};

/// Serving the run's way out takes connections, and so may reading a secret that is linked to a server.
Network NetworkOf(const api::CreateRun& request) {
  return request.network.asked || !request.secrets.empty() ? Network::kOut : Network::kNone;
}

/// The options that a parked run was asked with, read again where they were given.
Result<RunOptions> RecordedOptions(Context& context, std::string_view run) {
  const auto order = WRIT_TRY("--resume", OpenPlane()->Order(run));
  if (::chdir(order.directory.c_str()) != 0) return FailErrno("--resume: go to " + order.directory);
  std::vector<std::string_view> words = {"run"};
  words.insert(words.end(), order.words.begin(), order.words.end());
  const auto invocation = ParseCommandLine(words);
  if (!invocation) return Fail(Code::kInvalid, "--resume: the recorded command line: {}", invocation.error().what);
  RunOptions options = WRIT_TRY("--resume", ReadRunOptions(*invocation, context.env));
  options.request.resume = order.run_id;
  options.json = context.invocation.Has("json");
  options.quiet = context.invocation.Has("quiet");
  return options;
}

/// What else stands on a command line with --resume. Everything but how to tell is that of the recorded one.
Result<> CheckResume(const Invocation& invocation) {
  if (!invocation.operands.empty()) return Fail(Code::kInvalid, "--resume starts the recorded command; name no other");
  for (const auto& [option, value] : invocation.options) {
    if (option->name != "resume" && option->name != "wait" && option->name != "json" && option->name != "quiet")
      return Fail(Code::kInvalid, "--resume starts exactly what was approved; --{} cannot be added", option->name);
  }
  return {};
}

int RunOrLearn(Context& context, Learn learn) {
  const auto resumed = context.invocation.Value("resume");
  if (resumed) {
    if (const auto alone = CheckResume(context.invocation); !alone) return Complain(context, alone.error(), kCannotRun);
  }
  Result<RunOptions> options = Fail(Code::kInternal, "not read yet");
  if (!resumed) options = ReadRunOptions(context.invocation, context.env);
  if (!resumed && !options) return Complain(context, options.error(), kCannotRun);

  // Privileged work first: the helper inherits nothing from what comes later, and the probes start processes, which
  // this program gives up below.
  auto backends = context.wiring.start_backends();
  if (!backends) return Complain(context, backends.error(), kCannotRun);
  if (resumed) options = RecordedOptions(context, *resumed);  // no store is opened before the helper runs
  if (!options) return Complain(context, options.error(), kCannotRun);
  options->request.caller = {.uid = ::getuid(), .name = UserName(::getuid())};
  options->request.wait_for_consent = context.invocation.Has("wait") || Screen{}.err;
  if (options->terminal) options->request.terminal = TerminalSize(Screen{}.Fd()).value_or(isolation::SessionSpec::Terminal{});
  api::LocalPlaneOptions plane_options;
  plane_options.backends = *std::move(backends);
  plane_options.credentials = context.credentials;
  auto upstream = api::UpstreamProxyOf(context.env);
  if (!upstream) return Complain(context, upstream.error(), kCannotRun);
  plane_options.upstream_proxy = *std::move(upstream);
  if (const auto offered = CheckTier(options->request.tier, plane_options.backends); !offered) {
    return Complain(context, offered.error(), kCannotRun);
  }
  if (!options->dry_run) {
    auto digest = HostProbeDigest(context.env);
    plane_options.probe_digest = [digest = std::move(digest)] { return digest; };
  }
  if (const auto confined = context.wiring.confine(NetworkOf(options->request)); !confined) return Complain(context, confined.error(), kCannotRun);

  for (const auto& warning : options->warnings) Warn(context, warning);
  const auto plane = api::LocalPlane::Create(std::move(plane_options));
  if (options->dry_run) return DryRun(context, *plane, *options);
  return OneRun(context, *std::move(options), *plane, learn).Run();
}

}  // namespace

int RunCommand(Context& context) {
  if (context.invocation.Has("plane") && context.invocation.Has("resume"))
    return Complain(context, Error{Code::kInvalid, "--resume starts a run of this machine; it does not go with --plane"}, kCannotRun);
  if (context.invocation.Has("plane")) return RunOnPlane(context);
  for (const Option& option : kRunElsewhere) {
    if (option.name != "wait" && option.name != "resume" && context.invocation.Has(option.name)) {
      return Complain(context, Error{Code::kInvalid, fmt::format("--{} goes with --plane only", option.name)}, kCannotRun);
    }
  }
  return RunOrLearn(context, Learn::kNo);
}

int LearnCommand(Context& context) {
  if (context.invocation.Has("resume")) return Complain(context, Error{Code::kInvalid, "--resume: learning needs a run of its own"}, kCannotRun);
  if (context.invocation.Has("plane")) return Complain(context, Error{Code::kInvalid, "--plane: learning needs a run on this machine"}, kCannotRun);
  return RunOrLearn(context, Learn::kYes);
}

}  // namespace writ::cli
