#include "client/handoff_builder.h"

#include "base/ids.h"
#include "contract/hash.h"
#include "crypto/digest.h"

namespace writ::client {

HandoffIds MakeHandoffIds(const Clock& clock) {
  const WallTime now = clock.Now();
  return {MakeId("chk_"), MakeId("env_"), now, now};
}

Result<Handoff> BuildHandoff(RunAsk ask, const HandoffNotes& notes, const HandoffIds& ids) {
  Handoff handoff;
  contract::Checkpoint checkpoint;
  checkpoint.checkpoint_id = ids.checkpoint_id;
  checkpoint.created_at = ids.checkpoint_at;
  checkpoint.message = notes.message;
  checkpoint.parent = notes.parent;
  checkpoint.workspace = contract::ToJson(ask.workspace);
  if (notes.transcript || notes.journal || notes.note) {
    contract::Checkpoint::Semantic semantic;
    semantic.note = notes.note;
    if (notes.transcript) {
      semantic.transcript_hash = crypto::Sha256Hex(*notes.transcript);
      handoff.blobs.push_back(*notes.transcript);
    }
    if (notes.journal) {
      std::string bytes = WRIT_TRY("tool journal", canon::Canonical(contract::ToJson(*notes.journal)));
      semantic.tool_journal_hash = crypto::Sha256Hex(bytes);
      handoff.blobs.push_back(std::move(bytes));
    }
    checkpoint.semantic = std::move(semantic);
  }
  handoff.checkpoint = contract::ToJson(checkpoint);
  [[maybe_unused]] const auto checked = WRIT_TRY("checkpoint", contract::DecodeCheckpoint(handoff.checkpoint));

  contract::Envelope envelope;
  envelope.envelope_id = ids.envelope_id;
  envelope.created_at = ids.envelope_at;
  envelope.actor = ask.requested_by;
  envelope.host = notes.host;
  envelope.pool = ask.pool;
  envelope.checkpoint = handoff.checkpoint;
  envelope.agent = ask.agent;
  envelope.prompt = ask.prompt;
  envelope.reason = notes.reason;
  envelope.secrets = ask.secrets;
  envelope.network = ask.network;
  envelope.budget = ask.budget;
  envelope.disclosure = ask.disclosure;
  if (ask.execution) envelope.execution = contract::ToJson(*ask.execution);
  envelope.isolation = ask.isolation;
  handoff.envelope = contract::ToJson(envelope);
  [[maybe_unused]] const auto read = WRIT_TRY("envelope", contract::DecodeEnvelope(handoff.envelope));
  std::string bytes = WRIT_TRY("envelope", canon::Canonical(handoff.envelope));
  handoff.envelope_hash = crypto::Sha256Hex(bytes);
  handoff.blobs.push_back(std::move(bytes));

  ask.continuation = contract::Continuation{handoff.envelope_hash, ids.checkpoint_id, "workspace"};
  handoff.ask = std::move(ask);
  return handoff;
}

}  // namespace writ::client
