#include "client/handoff_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "canon/vectors_for_test.h"
#include "contract/hash.h"
#include "crypto/digest.h"

namespace writ::client {
namespace {

using canon::Json;

const Json* Recorded(const Json& file, std::string_view name) {
  for (const Json& c : file.Find("objects")->array()) {
    if (*c.FindString("name") == name) return c.Find("object");
  }
  return nullptr;
}

/// The ask and the notes from which the original made its recorded envelope.
TEST(HandoffBuilder, MakesTheRecordedEnvelope) {
  const Json file = test::VectorFile("handoff.json");
  const Json* recorded = Recorded(file, "envelope");
  ASSERT_NE(recorded, nullptr);
  const contract::Envelope envelope = contract::DecodeEnvelope(*recorded).value();
  const contract::Checkpoint checkpoint = contract::DecodeCheckpoint(envelope.checkpoint).value();
  RunAsk ask;
  ask.requested_by = envelope.actor;
  ask.agent = envelope.agent;
  ask.prompt = envelope.prompt;
  ask.pool = envelope.pool;
  ask.secrets = envelope.secrets;
  ask.network = envelope.network;
  ask.budget = envelope.budget;
  ask.disclosure = envelope.disclosure;
  ask.workspace = contract::DecodeManifest(checkpoint.workspace).value();
  if (!envelope.execution.is_null()) ask.execution = contract::DecodeExecution(envelope.execution).value();
  ask.isolation = envelope.isolation;
  HandoffNotes notes;
  notes.message = checkpoint.message;
  notes.parent = checkpoint.parent;
  notes.reason = envelope.reason;
  notes.host = envelope.host;
  if (checkpoint.semantic) notes.note = checkpoint.semantic->note;
  const HandoffIds ids{checkpoint.checkpoint_id, envelope.envelope_id, checkpoint.created_at, envelope.created_at};
  const auto handoff = BuildHandoff(ask, notes, ids);
  ASSERT_TRUE(handoff) << handoff.error().what;
  // The transcript and the journal behind the recorded hashes are not recorded: their two members are compared apart.
  Json made = handoff->envelope, wanted = *recorded;
  const auto without_hashes = [](Json& json) {
    Json inner = *json.Find("checkpoint");
    if (const Json* semantic = inner.Find("semantic")) {
      Json plain = *semantic;
      plain.Remove("transcriptHash");
      plain.Remove("toolJournalHash");
      inner.Set("semantic", plain);
    }
    json.Set("checkpoint", inner);
  };
  without_hashes(made);
  without_hashes(wanted);
  EXPECT_EQ(canon::Canonical(made).value(), canon::Canonical(wanted).value());
  EXPECT_EQ(handoff->ask.continuation->checkpoint_id, checkpoint.checkpoint_id);
  EXPECT_EQ(handoff->ask.continuation->tier, "workspace");
}

TEST(HandoffBuilder, BlobsAreWhatTheHashesName) {
  const Json file = test::VectorFile("handoff.json");
  const Json* journal = Recorded(file, "toolJournal");
  ASSERT_NE(journal, nullptr);
  RunAsk ask;
  ask.requested_by = {"human", "alice"};
  ask.agent.kind = "mock";
  ask.prompt = "go on";
  HandoffNotes notes;
  notes.transcript = "user: hello\n";
  notes.journal = contract::DecodeToolJournal(*journal).value();
  const auto handoff = BuildHandoff(ask, notes, MakeHandoffIds(SystemClock{}));
  ASSERT_TRUE(handoff) << handoff.error().what;
  ASSERT_EQ(handoff->blobs.size(), 3u);
  const Json* semantic = handoff->checkpoint.Find("semantic");
  ASSERT_NE(semantic, nullptr);
  EXPECT_EQ(*semantic->FindString("transcriptHash"), crypto::Sha256Hex(handoff->blobs[0]));
  EXPECT_EQ(*semantic->FindString("toolJournalHash"), contract::HashCanonical(*journal).value());
  EXPECT_EQ(handoff->envelope_hash, contract::HashCanonical(handoff->envelope).value());
  EXPECT_EQ(handoff->ask.continuation->envelope_hash, handoff->envelope_hash);
  EXPECT_EQ(crypto::Sha256Hex(handoff->blobs[2]), handoff->envelope_hash);
}

TEST(HandoffBuilder, WithoutNotesThereIsNoSemanticPart) {
  RunAsk ask;
  ask.requested_by = {"human", "alice"};
  ask.prompt = "go on";
  const auto handoff = BuildHandoff(ask, {}, MakeHandoffIds(SystemClock{}));
  ASSERT_TRUE(handoff);
  EXPECT_EQ(handoff->checkpoint.Find("semantic"), nullptr);
  EXPECT_EQ(handoff->blobs.size(), 1u);
}

}  // namespace
}  // namespace writ::client
