#include "session/receipt_builder.h"

#include <sys/utsname.h>

#include <algorithm>

#include "contract/extension.h"
#include "contract/manifest.h"


namespace writ::session {
namespace {

using canon::Json;

/// A member of the facts of an event, if the run came that far.
void Copy(Json& to, const std::optional<Json>& from, std::string_view name) {
  if (!from) return;
  if (const Json* value = from->Find(name)) to.Set(name, *value);
}

Json::Array Texts(const std::vector<std::string>& texts) { return Json::Array(texts.begin(), texts.end()); }

/// receipt.writ: the defaults of a run of which nothing is known, overlaid with what its chain says.
Json WritMember(const RunFacts& facts) {
  contract::ReceiptExtension unknown;
  unknown.version = WRIT_VERSION;
  unknown.probe = contract::kHashOfNothing;
  unknown.duration_us = static_cast<std::uint64_t>(facts.mono_us);
  Json writ = contract::ToJson(unknown);
  for (const auto* name : {"kernel", "probe"}) Copy(writ, facts.host, name);
  for (const auto* name : {"tier", "backend", "enforced"}) Copy(writ, facts.cell, name);
  for (const auto* name : {"termination", "use"}) Copy(writ, facts.ended, name);
  for (const auto* name : {"network", "networkMore"}) Copy(writ, facts.network, name);
  if (facts.checked) writ.Set("contract", *facts.checked);
  if (facts.interrupted && !facts.ended) {
    contract::TerminationRecord termination{.how = "interrupted", .code = {}, .message = {}};
    if (const auto* reason = facts.interrupted->FindString("reason")) termination.message = *reason;
    writ.Set("termination", contract::ToJson(termination));
  }
  if (!facts.outputs.empty()) writ.Set("outputs", Json::Array(facts.outputs));
  if (!facts.missing.empty()) writ.Set("missing", Texts(facts.missing));
  if (!facts.undeclared.empty()) writ.Set("undeclared", Json::Array(facts.undeclared));
  if (facts.undeclared_more > 0) writ.Set("undeclaredMore", facts.undeclared_more);
  if (!facts.truncated.empty()) {
    Json truncated = Json::MakeObject();
    for (const auto& stream : facts.truncated) truncated.Set(stream, true);
    writ.Set("truncated", std::move(truncated));
  }
  return writ;
}

}  // namespace

Json HostFacts(std::string_view probe) {
  Json facts = Json::MakeObject();
  struct utsname host{};
  facts.Set("kernel", ::uname(&host) == 0 ? static_cast<const char*>(host.release) : "");
  facts.Set("version", WRIT_VERSION);
  facts.Set("probe", probe.empty() ? contract::kHashOfNothing : probe);
  return facts;
}

Json CellFacts(const isolation::Guarantees& guarantees) {
  // "writ-jail/0.1.0"
  const std::string_view backend = guarantees.backend;
  const std::size_t slash = backend.rfind('/');
  contract::BackendVersion parts{std::string(backend.substr(0, slash)), ""};
  if (slash != backend.npos) parts.version = backend.substr(slash + 1);
  return Json::Of({{"tier", guarantees.tier},
                   {"backend", contract::ToJson(parts)},
                   {"enforced", contract::ToJson(guarantees.enforced)}});
}

Json EndFacts(const isolation::Outcome& outcome) {
  using isolation::Termination;
  contract::TerminationRecord termination;
  termination.how = isolation::TerminationName(outcome.how);
  if (outcome.how == Termination::kExited || outcome.how == Termination::kSignal ||
      (outcome.how == Termination::kNotStarted && outcome.code != 0))
    termination.code = static_cast<std::uint64_t>(outcome.code);
  if (!outcome.message.empty()) termination.message = outcome.message;

  const auto count = [](std::int64_t value) { return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0)); };
  contract::ResourceRecord use;
  use.wall_us = count(outcome.use.wall_us);
  if (outcome.use.cpu_user_us) use.cpu_user_us = count(*outcome.use.cpu_user_us);
  if (outcome.use.cpu_system_us) use.cpu_system_us = count(*outcome.use.cpu_system_us);
  use.memory_peak_bytes = outcome.use.memory_peak_bytes;
  use.stdout_bytes = outcome.use.stdout_bytes;
  use.stderr_bytes = outcome.use.stderr_bytes;
  return Json::Of({{"termination", contract::ToJson(termination)}, {"use", contract::ToJson(use)}});
}

Result<Json> BuildReceipt(const Json& contract, std::string_view contract_hash, const RunFacts& facts,
                          RunState status) {
  auto draft = WRIT_TRY("receipt", contract::DraftFor(contract));
  if (draft.contract_hash != contract_hash)
    return Fail(Code::kInvalid, "receipt of run {}: the contract does not have the hash the chain began with", draft.run_id);
  if (facts.runner_id.empty()) return Fail(Code::kInvalid, "receipt: run {} was never claimed", draft.run_id);
  draft.runner_id = facts.runner_id;
  draft.runner_key_id = facts.runner_key_id;
  draft.status = storage::RunStatusName(status);
  draft.diff_hash = facts.diff_hash;
  draft.artifact_hashes = facts.artifact_hashes;
  draft.writ = WritMember(facts);
  return contract::MakeReceipt(draft, facts.chain);
}

}  // namespace writ::session
