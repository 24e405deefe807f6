#include "session/run_engine.h"

#include <iterator>
#include <memory>
#include <utility>

#include "contract/event.h"
#include "session/egress_session.h"
#include "session/receipt_builder.h"

namespace writ::session {
namespace {

namespace event = contract::event;
using canon::Json;
using isolation::Outcome;
using isolation::Termination;

constexpr Millis kSlice{50};  ///< how long a cancellation may go unseen

/// The limit that ended a run, by the name people type; empty when none did.
std::string_view LimitReached(const Outcome& outcome) {
  switch (outcome.how) {
    case Termination::kTimeLimit: return "wall-time";
    case Termination::kCpuLimit: return "cpu-time";
    case Termination::kMemoryLimit: return "memory";
    case Termination::kOutputLimit: return outcome.stdout_truncated ? "stdout" : "stderr";
    case Termination::kDiskLimit: return "disk";
    default: return "";
  }
}

/// `spawn error: spawn CMD ENOENT`, as the original protocol tells in a log what could not be executed.
std::string SpawnError(const std::string& program, int exit_code) {
  return fmt::format("spawn error: spawn {} {}\n", program, exit_code == 127 ? "ENOENT" : "EACCES");
}

/// How the outcome is recorded, results aside.
Ending EndingOf(const Outcome& outcome, const RunOrder& order) {
  Ending ending;
  switch (outcome.how) {
    case Termination::kExited:
      if (outcome.code == 0) ending.status = RunState::kCompleted;
      break;
    case Termination::kCancelled:
      ending.status = RunState::kCancelled;
      ending.actor = order.requester;
      break;
    default: break;
  }
  if (ending.status != RunState::kFailed) return ending;
  const bool counts = order.warrant_words && outcome.how == Termination::kNotStarted && outcome.code != 0;
  const bool unspoken = !counts && (outcome.how == Termination::kNotStarted || outcome.how == Termination::kInterrupted);
  ending.message = unspoken && !outcome.message.empty()
                       ? outcome.message
                       : fmt::format("agent exited with code {}", WireExitCode(outcome));
  return ending;
}

/// Why the exit code is not the job's own; empty when it is.
std::string ProblemOf(const Outcome& outcome, CancelledBy by) {
  switch (outcome.how) {
    case Termination::kExited:
    case Termination::kSignal: return "";
    case Termination::kCancelled:
      return by == CancelledBy::kKillRequest ? "the run was killed by another command" : "the run was cancelled";
    default: break;
  }
  if (!outcome.message.empty()) return outcome.message;
  return fmt::format("the run ended by {}", isolation::TerminationName(outcome.how));
}

/// The facts of the guest's end. `execution_hash` is empty when nothing was started.
std::vector<Json> ExecutedEvents(const Outcome& outcome, const GuestOutput& output, std::string_view execution_hash) {
  std::vector<Json> events;
  const auto truncated = [&](const char* stream, std::uint64_t kept) {
    events.push_back(
        event::Extension("writ.stream.truncated", Json::Of({{"stream", stream}, {"keptBytes", kept}})));
  };
  if (outcome.stdout_truncated) truncated("stdout", output.kept(isolation::Stream::kStdout));
  if (outcome.stderr_truncated) truncated("stderr", output.kept(isolation::Stream::kStderr));
  if (const auto limit = LimitReached(outcome); !limit.empty())
    events.push_back(event::Extension("writ.limit.reached", Json::Of({{"limit", limit}})));
  if (outcome.how == Termination::kInterrupted)
    events.push_back(event::Extension("writ.run.interrupted", Json::Of({{"reason", outcome.message}})));
  events.push_back(event::Extension("writ.run.ended", EndFacts(outcome)));
  if (!execution_hash.empty()) events.push_back(event::CommandExecuted(execution_hash, WireExitCode(outcome)));
  return events;
}

/// What the backend and this engine enforce together.
isolation::Guarantees GuaranteesOf(const isolation::Session& session, const RunOrder& order) {
  isolation::Guarantees guarantees = session.guarantees();
  if (order.egress && order.egress->interception) {
    guarantees.enforced.insert_or_assign(
        "interception", fmt::format("run-authority sha256:{}", order.egress->interception->authority->certificate_sha256()));
  }
  if (order.redaction != nullptr) guarantees.enforced.insert_or_assign("redaction", std::string(kRedactionMechanism));
  return guarantees;
}

/// The run failed by what Writ, not the job, could not do.
void FailRun(RunEnd& end, const std::string& why) {
  end.exit_code = 125;
  end.problem = why;
  end.ending.status = RunState::kFailed;
  end.ending.failure = "session_failed";
  end.ending.message = why;
}

}  // namespace

/// The guest and what is known of it, from before its start until its files were looked at.
struct RunEngine::Guest {
  Guest(isolation::OutputSink& live, storage::BlobStore& blobs, const RunOrder& order)
      : output(live, blobs, order.spec.limits, order.redaction, order.live_log) {}

  GuestOutput output;
  std::unique_ptr<isolation::Session> session;  ///< null: not started
  std::unique_ptr<EgressSession> egress;        ///< null: no way out
  Outcome outcome;
  std::string failure = "session_failed";
  CancelledBy cancelled_by = CancelledBy::kNobody;
};

std::vector<Json> MaterialisedEvents(const Materialised& given) {
  std::vector<Json> events;
  events.push_back(event::WorkspaceMaterialized(given.manifest_hash));
  for (const auto& input : given.inputs) {
    events.push_back(event::Extension("writ.input.staged", Json::Of({{"name", input.name},
                                                                     {"type", workspace::EntryTypeName(input.type)},
                                                                     {"sha256", input.sha256},
                                                                     {"bytes", input.bytes}})));
  }
  return events;
}

Result<RunEnd> RunEngine::Carry(RunOrder order, EventLog& log, isolation::OutputSink& live, RunMonitor& monitor) {
  RunEnd end;
  Guest guest(live, parts_.blobs, order);
  auto driven = Drive(guest, order, log, monitor);
  if (guest.egress) {
    auto closed = guest.egress->Close();
    guest.egress.reset();
    if (driven) driven = std::move(closed);
  }
  WRIT_TRY("run", std::move(driven));
  monitor.OnGuestEnd();
  Reach(parts_.fault, fault::kGuestEnded);

  if (guest.session) end.guarantees = GuaranteesOf(*guest.session, order);
  guest.outcome.message = Redact(order.redaction, guest.outcome.message);
  end.outcome = guest.outcome;
  end.ending = EndingOf(guest.outcome, order);
  end.ending.failure = guest.failure;
  if (order.budget_time && guest.outcome.how == Termination::kTimeLimit) {
    end.ending.failure = "budget_exceeded";
    end.ending.message = guest.outcome.message;
  }
  end.exit_code = ShellExitCode(guest.outcome, guest.cancelled_by);
  end.problem = ProblemOf(guest.outcome, guest.cancelled_by);
  // Before the results are looked at, which may take long: whoever ends this run after a crash knows this much.
  WRIT_TRY("run", log.Append(ExecutedEvents(guest.outcome, guest.output, guest.session || guest.outcome.code != 0 ? order.execution_hash : "")));
  Reach(parts_.fault, fault::kEndRecorded);
  Report(guest, order, end);
  Reach(parts_.fault, fault::kCollected);
  return end;
}

/// A guest whose way out has failed ends, also when it came to an end of its own by then: what it did without the network
/// that it was promised is not its result. True: that is how it ends.
bool RunEngine::InterruptUnlessServed(Guest& guest) {
  auto served = guest.egress->Served();
  if (served) return false;
  guest.session->Kill(Termination::kInterrupted);
  guest.outcome.how = Termination::kInterrupted;
  guest.outcome.message = std::move(served).error().Doing("the run's network failed").what;
  return true;
}

/// Starts the guest and waits for its end. Leaves `guest.outcome` in every case that is not a failure of the log.
Result<> RunEngine::Drive(Guest& guest, RunOrder& order, EventLog& log, RunMonitor& monitor) {
  guest.cancelled_by = monitor.Poll(nullptr);
  if (guest.cancelled_by != CancelledBy::kNobody) {
    guest.outcome.how = Termination::kCancelled;
    guest.outcome.message = "cancelled before it was started";
    return {};
  }
  const std::string program = order.spec.argv.empty() ? "" : order.spec.argv.front();
  auto started = parts_.backend.Start(std::move(order.spec), guest.output);
  if (!started) {
    guest.outcome.how = Termination::kNotStarted;
    guest.outcome.message = started.error().what;
    if (order.warrant_words && started.error().code == Code::kNotFound) {  // its working directory, say
      guest.outcome.code = 127;
      WRIT_TRY("log", guest.output.Write(isolation::Stream::kStderr, AsBytes(SpawnError(program, 127))));
    }
    if (started.error().code == Code::kUnavailable) guest.failure = "capability_mismatch";
    return {};
  }
  guest.session = *std::move(started);
  if (order.log_bytes_max)
    guest.output.EndAbove(*order.log_bytes_max, [&guest] { guest.session->Kill(Termination::kOutputLimit); });
  WRIT_TRY("log", log.Append(event::Extension("writ.cell.prepared", CellFacts(GuaranteesOf(*guest.session, order)))));
  Reach(parts_.fault, fault::kStarted);
  if (order.egress) {
    // What the guest opens before this waits in the listeners.
    auto doors = guest.session->TakeDoors();
    auto opened = doors ? EgressSession::Open(*std::move(doors), *order.egress, log, *guest.session, order.redaction)
                        : std::unexpected(std::move(doors).error());
    if (!opened) {
      guest.session->Kill(Termination::kInterrupted);
      guest.outcome.how = Termination::kInterrupted;
      guest.outcome.message = std::move(opened).error().Doing("open the way out").what;
      return {};
    }
    guest.egress = *std::move(opened);
  }

  for (;;) {
    auto outcome = guest.session->Wait(Deadline::After(kSlice));
    if (guest.egress && InterruptUnlessServed(guest)) return {};
    if (outcome) {
      guest.outcome = *std::move(outcome);
      if (order.warrant_words && guest.outcome.how == Termination::kNotStarted && guest.outcome.code != 0)
        WRIT_TRY("log", guest.output.Write(isolation::Stream::kStderr, AsBytes(SpawnError(program, guest.outcome.code))));
      return {};
    }
    if (outcome.error().code != Code::kDeadline) {
      guest.outcome.how = Termination::kInterrupted;
      guest.outcome.message = outcome.error().what;
      return {};
    }
    if (auto passed = guest.output.Idle(); !passed) {  // as when the backend could not pass output on
      guest.session->Kill(Termination::kInterrupted);
      guest.outcome.how = Termination::kInterrupted;
      guest.outcome.message = std::move(passed).error().what;
      return {};
    }
    if (guest.egress) {
      if (auto healthy = guest.egress->Health(); !healthy) {
        guest.session->Kill(Termination::kInterrupted);
        return std::unexpected(std::move(healthy).error().Doing("record the network"));
      }
    }
    const CancelledBy by = monitor.Poll(guest.session.get());
    if (by != CancelledBy::kNobody && guest.cancelled_by == CancelledBy::kNobody) {
      guest.cancelled_by = by;
      guest.session->Kill(Termination::kCancelled);
    }
    if (auto update = monitor.NewRules()) {
      // Without a way out every change is denied, and only the denial is recorded.
      auto changed = guest.egress ? guest.egress->Change(*std::move(update)) : update->record();
      monitor.OnRulesApplied(changed);
      if (!changed) {
        guest.session->Kill(Termination::kInterrupted);
        return std::unexpected(std::move(changed).error().Doing("change the network"));
      }
    }
  }
}

/// Collects what the guest left, and puts what was found into `end.ending`.
void RunEngine::Report(Guest& guest, const RunOrder& order, RunEnd& end) {
  auto& events = end.ending.before;
  // After an interruption by the host the files are not what the job meant to leave.
  const bool trees = guest.session && guest.outcome.how != Termination::kInterrupted;
  isolation::Session* left = trees ? guest.session.get() : nullptr;
  auto results = order.collect ? order.collect(left, guest.output)
                               : CollectResults(left, guest.output, {order.given, order.outputs, parts_.state, parts_.blobs,
                                                                     parts_.clock, order.redaction});
  if (guest.session) guest.session->Close();
  end.closing = std::move(guest.session);
  if (!results) {
    FailRun(end, Redact(order.redaction, results.error().what));
    return;
  }
  end.results = *std::move(results);
  std::move(end.results.events.begin(), end.results.events.end(), std::back_inserter(events));
  end.results.events.clear();
  end.ending.artifacts = end.results.artifacts;
  const auto& missing = end.results.collection.missing;
  if (end.ending.status != RunState::kCompleted || missing.empty()) return;
  std::string names;
  for (const auto& output : missing)
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", output.path, output.reason);
  FailRun(end, fmt::format("declared output is missing: {}", names));
}

}  // namespace writ::session
