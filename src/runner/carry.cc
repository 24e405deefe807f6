#include "runner/carry.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/escape.h"
#include "contract/event.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "runner/ceiling.h"
#include "runner/given.h"
#include "runner/job.h"
#include "runner/live_feed.h"
#include "runner/scratch_blobs.h"
#include "runner/uplink.h"
#include "session/egress_order.h"
#include "session/end_orphan.h"
#include "session/run_engine.h"
#include "session/run_interception.h"

namespace writ::runner {
namespace {

namespace event = contract::event;
using canon::Json;

constexpr Millis kFetchPatience{15 * 60'000};
constexpr std::size_t kNamesMax = 100'000;
constexpr std::uint64_t kUploadBytesMax = 64u << 20;  // what a plane takes; held in memory twice

/// Why a run could not be started, in the words of its receipt.
struct Unable {
  std::string failure;
  std::string message;
};

/// Ends the guest when the plane no longer wants it to run.
class Monitor final : public session::RunMonitor {
 public:
  explicit Monitor(Uplink& uplink) : uplink_(uplink) {}

  session::CancelledBy Poll(isolation::Session* guest) override {
    const auto verdict = uplink_.verdict();
    if (verdict.kind == Verdict::Kind::kStopAsked) {
      reason_ = verdict.reason;
      return session::CancelledBy::kKillRequest;
    }
    if (verdict.kind == Verdict::Kind::kRefused) {
      reason_ = verdict.reason;
      refused_ = true;
      if (guest != nullptr) guest->Kill(isolation::Termination::kInterrupted);
    }
    return session::CancelledBy::kNobody;
  }
  const std::string& reason() const { return reason_; }
  bool refused() const { return refused_; }

 private:
  Uplink& uplink_;
  std::string reason_;
  bool refused_ = false;
};

/// The backend in which git runs: that of the process tier, if there is one.
isolation::Backend& GitBackend(const Options& options, isolation::Backend& job) {
  for (const auto& entry : options.backends)
    if (entry.backend->tier() == "process") return *entry.backend;
  return job;
}

/// Says in the chain whether the contract's signature was checked.
Json CheckedEvent(const std::optional<crypto::PublicKey>& plane_key) {
  Json facts = Json::Of({{"verified", plane_key.has_value()}});
  if (plane_key) facts.Set("keyId", plane_key->KeyId());
  return event::Extension("writ.contract.checked", std::move(facts));
}

/// One run from the checked claim to the receipt at the plane.
class Carrier {
 public:
  Carrier(const CarryParts& parts, const Claim& claim, const CheckedClaim& checked, LocalRuns::Lease store, session::EventLog log,
          sys::TemporaryDirectory folder, Uplink& uplink, LiveFeed& feed)
      : parts_(parts), claim_(claim), checked_(checked), store_(std::move(store)), log_(std::move(log)), folder_(std::move(folder)),
        uplink_(uplink), feed_(feed) {}

  Result<Carried> Carry();

 private:
  Result<std::optional<Unable>> Begin();
  Result<std::optional<Unable>> Judge(const policy::Policy& policy);
  Result<> Intercept(session::RunOrder& order);
  Result<session::Ending> Run();
  Result<> Upload(const std::vector<storage::Artifact>& artifacts);
  Result<Carried> Report(const session::Ending& ending);

  const CarryParts& parts_;
  const Claim& claim_;
  const CheckedClaim& checked_;
  LocalRuns::Lease store_;
  session::EventLog log_;
  sys::TemporaryDirectory folder_;
  Uplink& uplink_;
  LiveFeed& feed_;
  std::optional<Job> job_;
  Given given_;
  std::unique_ptr<storage::BlobStore> results_;
  std::unique_ptr<isolation::Session> closing_;  ///< its processes are dead; the rest of it goes while nobody waits
};

/// Everything before the guest. Errors: the log could not be written.
Result<std::optional<Unable>> Carrier::Begin() {
  WRIT_TRY("log", log_.Append(CheckedEvent(parts_.plane_key)));
  if (const auto valid = contract::CheckNotExpired(claim_.contract, parts_.clock.Now()); !valid)
    return Unable{"session_failed", valid.error().what};
  auto job = PrepareJob(checked_.contract, claim_.secrets, claim_.secret_hosts, parts_.options);
  if (!job) return Unable{job.error().code == Code::kUnavailable ? "capability_mismatch" : "session_failed", job.error().what};
  job_ = *std::move(job);
  if (parts_.options.policy)
    if (auto unable = WRIT_TRY("log", Judge(*parts_.options.policy))) return unable;
  isolation::Backend& git = GitBackend(parts_.options, *job_->backend);
  auto given = FetchGiven(checked_.contract, *job_, {parts_.blobs, parts_.checkouts, git, folder_, parts_.clock},
                          Deadline::After(kFetchPatience));
  if (!given) return Unable{"transfer_failed", session::Redact(job_->redaction, given.error().what)};
  given_ = *std::move(given);
  if (auto lent = session::LendLayers(given_.materialised, job_->spec); !lent) return Unable{"session_failed", lent.error().what};
  if (given_.stdin_pump) job_->spec.stdin_fd = given_.stdin_pump->TakeReadEnd();
  if (const auto accepted = job_->backend->Accepts(job_->spec); !accepted) return Unable{"capability_mismatch", accepted.error().what};
  WRIT_TRY("log", log_.Append(session::MaterialisedEvents(given_.materialised)));
  return std::optional<Unable>();
}

/// The operator's own ceiling. Errors: the log could not be written.
Result<std::optional<Unable>> Carrier::Judge(const policy::Policy& policy) {
  auto ask = AskOf(checked_.contract, claim_.contract, *job_);
  if (!ask) return Unable{"session_failed", ask.error().what};
  const policy::Decision decision = JudgeAsk(policy, checked_.contract, *std::move(ask));
  WRIT_TRY("log", log_.Append(event::Extension("writ.policy.judged", Json::Of({{"policyHash", policy.hash},
                                                                               {"decision", policy::VerdictName(decision.verdict)},
                                                                               {"rule", decision.rule}}))));
  if (decision.verdict == policy::Verdict::kAllow) return std::optional<Unable>();
  return Unable{"policy_denied", session::Redact(job_->redaction, RefusalText(decision))};
}

/// Where requests are judged, or secrets put into them, the proxy reads them.
Result<> Carrier::Intercept(session::RunOrder& order) {
  const policy::EgressRules none;
  const policy::EgressRules& rules = order.egress ? order.egress->rules : none;
  WRIT_TRY("secrets", session::CheckWayTo(job_->edge, order.egress.has_value(), rules));
  if (order.egress && session::NeedsInterception(rules, job_->edge))
    order.egress->interception = WRIT_TRY("interception", session::MakeInterception(std::move(job_->edge), parts_.clock.Now(), order.spec));
  return {};
}

Result<session::Ending> Carrier::Run() {
  session::RunOrder order{.given = std::move(given_.materialised),
                          .spec = std::move(job_->spec),
                          .outputs = job_->outputs,
                          .execution_hash = job_->execution_hash,
                          .redaction = job_->redaction,
                          .requester = checked_.contract.requested_by};
  session::Ending ending;
  auto egress = session::EgressOrderOf(claim_.contract);
  if (!egress) {
    ending.message = egress.error().what;
    return ending;
  }
  order.egress = *std::move(egress);
  order.spec.doors = order.egress.has_value();
  if (order.egress) order.egress->upstream = parts_.options.upstream_proxy;
  if (auto intercepted = Intercept(order); !intercepted) {
    ending.message = intercepted.error().what;
    return ending;
  }
  order.log_bytes_max = job_->log_bytes_max;
  order.warrant_words = !job_->writ;
  order.budget_time = job_->budget_time;
  order.collect = CollectorFor(given_, *job_, GitBackend(parts_.options, *job_->backend), *results_, parts_.clock);

  const session::StatePlace nowhere;
  session::RunEngine engine({*results_, parts_.clock, *job_->backend, nowhere, parts_.options.fault});
  Monitor monitor(uplink_);
  auto end = WRIT_TRY("run", engine.Carry(std::move(order), log_, feed_, monitor));
  ending = std::move(end.ending);
  closing_ = std::move(end.closing);
  if (monitor.refused()) {
    ending.before.push_back(event::Extension("writ.run.interrupted", Json::Of({{"reason", monitor.reason()}})));
    ending.message = "interrupted: " + monitor.reason();
  }
  return ending;
}

Result<> Carrier::Upload(const std::vector<storage::Artifact>& artifacts) {
  std::string last;
  for (const auto& artifact : artifacts) {
    if (artifact.hash == last) continue;
    last = artifact.hash;
    std::string bytes = WRIT_TRY(artifact.kind, results_->Get(artifact.hash, kUploadBytesMax));
    // A plane keeps what came with a receipt if receipt or chain name it; these only a record names.
    const bool in_record = artifact.kind == "content" || artifact.kind == "output";
    WRIT_TRY(artifact.kind, in_record ? uplink_.PutBlob(AsBytes(bytes)) : uplink_.PutSmallBlob(std::move(bytes)));
  }
  return {};
}

/// Terminal event, receipt, countersignature. `unknown`: how much of the chain the plane has. What a crash leaves undone here EndOrphans does.
Result<Carried> ReportEnd(const CarryParts& parts, storage::Store& store, session::EventLog& log, const Claim& claim,
                          const std::string& contract_hash, const session::Ending& ending, Uplink& uplink,
                          bool unknown = false) {
  {
    const auto transaction = WRIT_TRY("end run", store.Begin());
    WRIT_TRY("end run", session::AppendEnding(*transaction, log, ending));
    // From here on the chain names results that the plane has not: they are kept with it.
    WRIT_TRY("end run", parts.local.KeepCarried(*transaction, claim.run_id, uplink.Carried()));
    WRIT_TRY("end run", transaction->Commit(storage::Durability::kBuffered));
  }
  session::Reach(parts.options.fault, fault::kEndWritten);
  const Json receipt = WRIT_TRY("receipt", session::SignedReceipt(claim.contract, contract_hash, log.facts(), parts.identity.key));
  if (unknown) WRIT_TRY("report", uplink.FlushFromUnknown());
  session::Reach(parts.options.fault, fault::kSigned);
  const auto countersigned = WRIT_TRY("report", uplink.Complete(receipt));
  session::Reach(parts.options.fault, fault::kCompleted);
  WRIT_TRY("report", parts.local.SetReceipt(store, log, countersigned.value_or(receipt)));
  if (countersigned && parts.plane_key && !contract::IsSignedBy(*countersigned, contract::kSignerPlane, parts.plane_key->Pem()))
    return Fail(Code::kCorrupt, "the plane's signature of the receipt is not by the plane's key");
  const auto status = session::StatusOfTerminal(log.facts().terminal);
  return Carried{claim.run_id, std::string(storage::RunStatusName(status)),
                 status == session::RunState::kFailed ? ending.message : ""};
}

Result<Carried> Carrier::Carry() {
  results_ = MakeScratchBlobs(folder_.path());
  uplink_.Start();  // fetching may take longer than a lease lasts
  auto unable = WRIT_TRY("run", Begin());
  session::Reach(parts_.options.fault, fault::kMaterialised);
  session::Ending ending;
  if (unable) {
    uplink_.StopPosting();
    ending.failure = unable->failure;
    ending.message = unable->message;
  } else if (!uplink_.Alive() || uplink_.verdict().kind == Verdict::Kind::kRefused) {
    uplink_.StopPosting();
    ending.failure = "transfer_failed";
    ending.message = "the claim ended while the workspace was fetched; nothing was started";
  } else {
    ending = WRIT_TRY("run", Run());
    uplink_.StopPosting();
    if (auto uploaded = Upload(ending.artifacts); !uploaded) {
      if (!uplink_.Alive()) return std::unexpected(std::move(uploaded).error());
      // Nothing may be named that the plane does not have.
      ending = {.status = session::RunState::kFailed, .failure = "transfer_failed", .message = uploaded.error().what,
                .actor = {}, .before = {}, .artifacts = {}};
    }
    session::Reach(parts_.options.fault, fault::kUploaded);
  }
  return ReportEnd(parts_, *store_, log_, claim_, checked_.contract_hash, ending, uplink_);
}

}  // namespace

Result<Carried> CarryClaim(const CarryParts& parts, Claim claim) {
  const ClaimRules rules{.pool = parts.identity.pool,
                         .runner_id = parts.identity.runner_id,
                         .runner_key_id = parts.identity.key.key_id(),
                         .plane_key = parts.plane_key,
                         .now = parts.clock.Now()};
  const auto checked = WRIT_TRY("refused", CheckClaim(claim, rules));
  auto store = WRIT_TRY("runner store", parts.local.Store());
  WRIT_TRY("refused", parts.local.Record(*store, claim, checked.contract_hash));
  session::Reach(parts.options.fault, fault::kRecorded);
  const auto run = WRIT_TRY("runner store", store->GetRun(claim.run_id));
  auto log = WRIT_TRY("runner store", session::EventLog::Reopen(*store, parts.clock, run, checked.contract_hash));
  auto folder = WRIT_TRY("runner directory", sys::TemporaryDirectory::Create(parts.local.directory().File("runs"), claim.run_id + "."));
  LiveFeed feed;
  Uplink uplink(parts.lines, WRIT_TRY("plane", parts.lines.Take()), WRIT_TRY("runner store", parts.local.Store()), parts.local, claim,
                claim.events.size(), feed, {parts.options.first_backoff, parts.options.plain_claim_life});
  const std::string run_id = claim.run_id;
  Carrier carrier(parts, claim, checked, std::move(store), std::move(log), std::move(folder), uplink, feed);
  const auto confirmed = uplink.Confirm();
  auto carried = confirmed ? carrier.Carry() : Result<Carried>(std::unexpected(Error(confirmed.error()).Doing("the claim came late")));
  for (auto& secret : claim.secrets) crypto::Wipe(secret.value);
  uplink.Stop();
  if (!carried && (!confirmed || !uplink.Alive())) {
    // Nobody takes its report any more; the plane says what became of a run whose runner went silent.
    const auto again = WRIT_TRY("runner store", parts.local.Store());
    WRIT_TRY("runner store", parts.local.Forget(*again, run_id));
  }
  if (!carried) return std::unexpected(std::move(carried).error().Doing("run " + run_id));
  return carried;
}

namespace {

Result<> EndOrphan(const CarryParts& parts, LocalRuns::Orphan orphan) {
  auto store = WRIT_TRY("runner store", parts.local.Store());
  auto log = WRIT_TRY("recover", session::EventLog::Reopen(*store, parts.clock, orphan.run, orphan.contract_hash));
  const session::Ending ending = session::OrphanEnding(log.facts(), orphan.claim.contract);
  std::uint64_t claimed_at = 0;
  {
    const auto texts = WRIT_TRY("recover", store->Events(orphan.run.id));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const auto entry = canon::Parse(texts[i], canon::Mode::kWire);
      const Json* happened = entry ? entry->Find("event") : nullptr;
      const auto* type = happened == nullptr ? nullptr : happened->FindString("type");
      if (type != nullptr && (*type == "run.claimed" || *type == "secret.released")) claimed_at = i;
    }
  }
  LiveFeed nothing;
  Uplink uplink(parts.lines, WRIT_TRY("plane", parts.lines.Take()), WRIT_TRY("runner store", parts.local.Store()), parts.local, orphan.claim,
                claimed_at + 1, nothing, {parts.options.first_backoff, Millis{30'000}});
  uplink.CarryAgain(orphan.carried);
  const auto reported =
      ReportEnd(parts, *store, log, orphan.claim, orphan.contract_hash, ending, uplink, true);
  if (reported) return {};
  const bool expired = !contract::CheckNotExpired(orphan.claim.contract, parts.clock.Now());
  if (reported.error().code == Code::kDenied || expired) WRIT_TRY("runner store", parts.local.Forget(*store, orphan.run.id));
  return std::unexpected(Error(reported.error()).Doing("its end could not be reported any more"));
}

}  // namespace

Result<> EndOrphans(const CarryParts& parts) {
  const auto runs = WRIT_TRY("runner directory", parts.local.directory().Subdirectory("runs"));
  for (const auto& name : WRIT_TRY("runner directory", sys::ListNames(runs, kNamesMax)))
    if (!name.ends_with(".lock")) WRIT_TRY("runner directory", sys::RemoveTree(runs, name));  // folders of dead runs
  std::vector<LocalRuns::Orphan> orphans;
  {
    const auto store = WRIT_TRY("runner store", parts.local.Store());
    WRIT_TRY("runner store", parts.local.Prune(*store));
    orphans = WRIT_TRY("runner store", parts.local.Orphans(*store));
  }
  for (auto& orphan : orphans) {
    const std::string id = orphan.run.id;
    const auto ended = EndOrphan(parts, std::move(orphan));
    if (parts.options.say)
      parts.options.say(ended ? fmt::format("run {} was interrupted by the end of the runner; its receipt says so", id)
                              : fmt::format("runner error: run {}: {}", id, ended.error().what));
  }
  return {};
}

}  // namespace writ::runner
