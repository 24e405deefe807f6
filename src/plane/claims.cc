#include "plane/claims.h"

#include "base/utf8.h"
#include "contract/contract.h"
#include "contract/event.h"
#include "plane/keeper.h"

namespace writ::plane {
namespace {

using canon::Json;
namespace event = contract::event;

/// Runs that a claim may end on its way because a secret is missing, or leave alone because one is late.
constexpr int kPassedOverMax = 16;
constexpr Millis kSecretsLate{25};  ///< until they are looked for again

/// Runs that were taken out of the queue and go back into it.
struct PutBack {
  explicit PutBack(RunQueue& into) : queue(into) {}
  ~PutBack() {
    for (auto& run : runs) queue.Add(std::move(run));
  }
  PutBack(const PutBack&) = delete;
  RunQueue& queue;
  std::vector<WaitingRun> runs;
};

struct Secrets {
  std::vector<ClaimedRun::Secret> values;
  std::string problem;  ///< not empty: the run cannot be given to anybody
  bool late = false;    ///< they will be here in a moment
};

Secrets ReadSecrets(Core& core, const std::vector<contract::SecretClaim>& claims, const RunnerOffer& offer) {
  Secrets secrets;
  for (const auto& claim : claims) {
    auto value = core.secrets(claim.name);
    if (!value && value.error().code == Code::kDeadline) {
      secrets.late = true;  // the others are asked for meanwhile
      continue;
    }
    if (!value) {
      core.log(fmt::format("secret {}: {}", claim.name, value.error().what));  // it may tell of places that are nobody's business
      secrets.problem = fmt::format("secret \"{}\" cannot be read by the plane; its log says why", claim.name);
    } else if (!*value) {
      secrets.problem = fmt::format("secret \"{}\" is not in the plane's store", claim.name);
    } else if (!IsUtf8((*value)->value.text())) {
      secrets.problem = fmt::format("secret \"{}\" is no text, so it cannot be sent", claim.name);
    } else if (!(*value)->host.empty() && !offer.secret_hosts) {
      secrets.problem = fmt::format("secret \"{}\" is bound to {}, and the runner that asked for the run would show it to the job", claim.name,
                                    (*value)->host);
    } else {
      secrets.values.push_back({claim.name, std::move((*value)->value), std::move((*value)->host)});
    }
    if (!secrets.problem.empty()) break;
  }
  return secrets;
}

Json ClaimedEvent(const storage::Runner& runner, const Json& host) {
  Json claimed = event::RunClaimed(runner.id, runner.key_id);
  if (host.is_object()) {
    Json facts = host;
    claimed.Set("writ", std::move(facts.Set("v", 1)));
  }
  return claimed;
}

}  // namespace

Answer<std::optional<ClaimedRun>> ClaimNext(Core& core, Change& change, const storage::Runner& runner,
                                            const RunnerOffer& offer, const Json& host) {
  PutBack late(core.queue);
  for (int passed = 0; passed < kPassedOverMax; ++passed) {
    auto waiting = core.queue.TakeNext(runner.pool, offer, change.now());
    if (!waiting) return std::nullopt;
    auto opened = core.chains.Open(change, waiting->id);
    if (!opened && opened.error().code == Code::kCorrupt) {
      // Nothing is signed over a chain that was changed, and it must not keep the others waiting.
      core.log(fmt::format("run {} is left alone: {}", waiting->id, opened.error().what));
      continue;
    }
    change.OnUndo([&core, back = *waiting] { core.queue.Add(back); });
    KeptRun* run = WRIT_ANSWER(std::move(opened));
    const auto contract = WRIT_ANSWER(contract::DecodeContract(run->contract));
    Secrets secrets = ReadSecrets(core, contract.secrets, offer);
    if (secrets.late && secrets.problem.empty()) {
      core.look_again = change.mono() + kSecretsLate;
      core.pools_with_late_secrets.insert(runner.pool);
      late.runs.push_back(*std::move(waiting));
      continue;
    }
    if (!secrets.problem.empty()) {
      WRIT_ANSWER(EndByKeeper(core, change, *run,
                              {.failure = "secret_release_denied", .message = std::move(secrets.problem)}));
      continue;
    }

    const Millis lease = offer.extension ? core.settings.lease : core.settings.old_lease;
    const ClaimToken token{run->id, runner.id, MakeNonce(), change.now() + kClaimTokenLife};
    WRIT_ANSWER(change->Claim(run->id,
                              {.runner_id = runner.id,
                               .claim_id = token.nonce,
                               .until = change.now() + lease,
                               .attempt = waiting->attempts + 1,
                               .renewable = offer.extension},
                              change.now()));
    change.OnUndo([&core, id = run->id] { core.chains.Forget(id); });
    run->status = storage::RunStatus::kClaimed;
    std::vector<Json> events;
    events.push_back(ClaimedEvent(runner, host));
    for (const auto& claim : contract.secrets) events.push_back(event::SecretReleased(claim.name, claim.scope));
    WRIT_ANSWER(core.chains.Append(change, *run, std::move(events)));
    HoldRun(core, change, run->id,
            {.runner_id = runner.id,
             .claim_id = token.nonce,
             .attempt = waiting->attempts + 1,
             .renewable = offer.extension,
             .ends_at = change.mono() + lease});
    session::Reach(core.fault, fault::kClaimed);
    change.AfterCommit([&core, released = contract.secrets.size()] {
      core.metrics.Add("runs.claimed");
      if (released > 0) core.metrics.Add("secrets.released", released);
    });

    ClaimedRun claimed;
    claimed.run_id = run->id;
    claimed.contract = WRIT_ANSWER(core.store.GetDocument(run->id, "contract")).value_or("");
    claimed.events = WRIT_ANSWER(core.store.Events(run->id));
    claimed.claim_token = SealClaimToken(token, core.keys.plane);
    claimed.secrets = std::move(secrets.values);
    claimed.attempt = waiting->attempts + 1;
    claimed.lease = lease;
    return claimed;
  }
  return std::nullopt;
}

Answer<Reporter> CheckReporter(Core& core, std::string_view text, std::string_view run_id, WallTime now) {
  HeldRun* held = core.leases.Find(run_id);
  const bool judged_before = held != nullptr && !held->judged_text.empty() && held->judged_text == text;
  Reporter reporter{judged_before ? held->judged
                                  : WRIT_ANSWER(OpenClaimToken(text, core.keys.plane.public_key()))};
  const ClaimToken& token = reporter.token;
  held = core.leases.Find(token.run_id);
  const bool alive = held != nullptr && held->claim_id == token.nonce && held->ends_at > core.clock.Mono();
  if (!alive) {
    if (auto fresh = CheckNotExpired(token, now); !fresh) return std::unexpected(std::move(fresh).error());
  }
  if (token.run_id != run_id) return Unauthorized("claim token run mismatch");
  if (held == nullptr) {
    // It has ended, waits again, or was never there. Who reported on it before is known from its claim's nonce only.
    const auto row = core.store.GetRun(run_id);
    if (!row && row.error().code == Code::kNotFound) return NotFound(fmt::format("unknown run {}", run_id));
    if (!row) return std::unexpected(FromError(row.error()));
    if (!storage::IsTerminal(row->status)) return Conflict(fmt::format("run {} was given to another runner", run_id));
    return reporter;
  }
  if (held->runner_id != token.runner_id) return Unauthorized("claim token runner mismatch");
  if (held->claim_id != token.nonce) return Conflict(fmt::format("run {} was given to another runner", run_id));
  if (!judged_before) held->judged_text = text, held->judged = token;
  reporter.held = held;
  return reporter;
}

Answer<> Renew(Core& core, Change& change, std::string_view run_id, const Reporter& reporter) {
  if (reporter.held == nullptr || !reporter.held->renewable) return {};
  // Written down rarely: the store's time only matters to who looks at it, leases begin anew after a restart.
  const MonoTime ends_at = change.mono() + core.settings.lease;
  if (ends_at - reporter.held->ends_at >= core.settings.lease / 3)
    WRIT_ANSWER(change->RenewLease(run_id, reporter.token.nonce, change.now() + core.settings.lease));
  core.leases.Renew(run_id, ends_at);
  return {};
}

Answer<std::string> Heartbeat(Core& core, Change& change, std::string_view run_id, const Reporter& reporter) {
  if (reporter.held == nullptr) {
    const auto row = WRIT_ANSWER(core.store.GetRun(run_id));
    return Conflict(fmt::format("run {} is {}", run_id, storage::RunStatusName(row.status)));
  }
  WRIT_ANSWER(Renew(core, change, run_id, reporter));
  ClaimToken token = reporter.token;
  token.expires = change.now() + kClaimTokenLife;
  return SealClaimToken(token, core.keys.plane);
}

}  // namespace writ::plane
