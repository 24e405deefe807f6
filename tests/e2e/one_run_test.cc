// One run, step by step, as ARCHITECTURE.md tells it: set a breakpoint at each numbered comment and step in.
// The guest is scripted (isolation/fake), everything else is what `writ run` uses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "api/check_request.h"
#include "api/draft_contract.h"
#include "contract/bundle.h"
#include "contract/hash.h"
#include "crypto/digest.h"
#include "crypto/ed25519.h"
#include "isolation/fake/fake_backend.h"
#include "plane/countersign.h"
#include "plane/issue_contract.h"
#include "policy/evaluate.h"
#include "policy/load.h"
#include "session/end_run.h"
#include "session/materialise.h"
#include "session/receipt_builder.h"
#include "session/run_engine.h"
#include "storage/memory/memory_store.h"
#include "sys/file.h"

namespace writ {
namespace {

using isolation::Place;
using isolation::Stream;
namespace fake = isolation::fake;

/// The person's terminal.
struct Terminal final : isolation::OutputSink {
  Result<> Write(Stream, ByteView bytes) override {
    shown += AsText(bytes);
    return {};
  }
  Result<> Truncated(Stream) override { return {}; }
  std::string shown;
};

/// Nobody interferes.
struct Undisturbed final : session::RunMonitor {
  session::CancelledBy Poll(isolation::Session*) override { return session::CancelledBy::kNobody; }
};

std::vector<std::string> TypesOf(const canon::Json& events) {
  std::vector<std::string> types;
  for (const auto& entry : events.array()) types.push_back(*entry.Find("event")->FindString("type"));
  return types;
}

TEST(OneRun, FromContractToReceipt) {
  auto directory = *sys::TemporaryDirectory::Create(testing::TempDir(), "one_run");
  const std::string work = directory.path() + "/work", staging = directory.path() + "/staging";
  for (const auto& made : {work, staging}) ASSERT_TRUE(sys::MakeDirectories(made, 0700));
  ASSERT_TRUE(sys::WriteFileAtomic(work + "/notes.txt", "one\n", 0644));
  ASSERT_TRUE(sys::WriteFileAtomic(directory.path() + "/data.csv", "1,2,3\n", 0644));
  const auto store = storage::MakeMemoryStore();
  const auto blobs = storage::MakeMemoryBlobStore();
  FakeClock clock(*ParseTimestamp("2026-03-01T12:00:00.000Z"));
  const auto plane_key = crypto::PrivateKey::Generate(), runner_key = crypto::PrivateKey::Generate();
  const std::string plane_pem = plane_key.public_key().Pem(), runner_pem = runner_key.public_key().Pem();

  // 1. A door decodes what was asked into api::CreateRun and bounds it.
  api::CreateRun request;
  request.argv = {"summarise", "/in/data.csv"};
  request.workspace = work;
  request.inputs = {{directory.path() + "/data.csv", ""}};
  request.outputs = {{"summary.txt", false}};
  request.caller = {1000, "ada"};
  ASSERT_TRUE(api::CheckRequest(request));

  // 2. Policy returns a Decision: a pure function of policy and request.
  const policy::Policy policy = policy::LocalDefault();
  const policy::Decision decision = policy::Evaluate(policy, api::ToPolicyRequest(request));
  ASSERT_EQ(decision.verdict, policy::Verdict::kAllow) << decision.reason;

  // 5. (Early, because the contract names digests.) What the run will see is opened, copied and hashed.
  const std::string run_id = "run_00000000-0000-4000-8000-000000000001";
  session::StatePlace place{.path = directory.path() + "/state", .exists = false, .staging = staging};
  auto given = session::Materialise(api::ToSources(request), place, run_id, clock);
  ASSERT_TRUE(given) << given.error().what;
  EXPECT_EQ(given->inputs.front().sha256, crypto::Sha256Hex("1,2,3\n"));

  // 3. The plane logs the decision and signs the contract; the runner checks it, claims and says what it has
  // materialised. One durable change.
  auto draft = api::DraftContract(request, *given, policy, run_id);
  ASSERT_TRUE(draft) << draft.error().what;
  const canon::Json host = session::HostFacts("");
  const std::string genesis = crypto::Sha256Hex(plane_pem);
  auto issued = plane::IssueContract(
      {*store, clock, plane_key, plane_pem, genesis, "rnr_00000000-0000-4000-8000-000000000002", runner_key.key_id(), host,
       session::MaterialisedEvents(*given)},
      *std::move(draft), decision, "{}");
  ASSERT_TRUE(issued) << issued.error().what;
  EXPECT_EQ(store->GetRun(run_id)->status, storage::RunStatus::kRunning);
  EXPECT_EQ(store->GetDecisionHead(genesis)->hash, *issued->contract.json.Find("writ")->FindString("decision"));

  // 4. to 8. The engine starts the guest through a backend, logs what guards it, streams its output, and collects what
  // it left once its last process is dead.
  fake::FakeBackend backend(directory.path(),
                            fake::Script{.steps = {fake::Print{Stream::kStdout, "sum: 6\n"},
                                                   fake::WriteFile{Place::kWorkspace, "notes.txt", "one\ntwo\n"},
                                                   fake::WriteFile{Place::kOut, "summary.txt", "6\n"}}});
  const session::FaultHook no_faults;
  session::RunEngine engine({*blobs, clock, backend, place, no_faults});
  session::RunOrder order{.given = *std::move(given),
                          .spec = api::ToSpec(request),
                          .outputs = api::DeclaredOutputs(request),
                          .execution_hash = *api::ExecutionHashOf(request),
                          .requester = {"human", "ada"}};
  ASSERT_TRUE(session::LendLayers(order.given, order.spec));
  Terminal terminal;
  Undisturbed undisturbed;
  const auto end = engine.Carry(std::move(order), issued->log, terminal, undisturbed);
  ASSERT_TRUE(end) << end.error().what;
  EXPECT_EQ(end->exit_code, 0) << end->problem;
  EXPECT_EQ(terminal.shown, "sum: 6\n");

  // 9. The receipt is built from the chain, signed by the runner, countersigned by the plane, stored with the events
  // since the guest's end as one durable change.
  const session::Countersigner countersign = [&](canon::Json& receipt, const session::RunFacts& facts) {
    return plane::Countersign(receipt, issued->contract.json, issued->contract.hash, facts, runner_pem, plane_key);
  };
  const auto receipt = session::EndRun(
      {*store, clock, issued->contract.json, issued->contract.hash, runner_key, countersign, no_faults}, issued->log,
      end->ending, "{}");
  ASSERT_TRUE(receipt) << receipt.error().what;
  EXPECT_EQ(store->GetRun(run_id)->status, storage::RunStatus::kCompleted);

  // 10. Anybody with the plane's public key checks it offline: nothing below needs the store's word.
  canon::Json events = canon::Json::MakeArray();
  const auto texts = store->Events(run_id);
  ASSERT_TRUE(texts);
  for (const auto& text : *texts) events.Append(*canon::Parse(text, canon::Mode::kWire));
  EXPECT_THAT(TypesOf(events),
              testing::ElementsAre("run.created", "policy.evaluated", "run.claimed", "workspace.materialized",
                                   "writ.input.staged", "writ.cell.prepared", "writ.run.ended", "command.executed",
                                   "file.changed", "writ.changes.recorded", "artifact.created", "boundary.crossed",
                                   "artifact.created", "boundary.crossed", "writ.stream.kept", "writ.output.collected",
                                   "writ.outputs.recorded", "run.completed"));
  const auto bundle = contract::MakeBundle(issued->contract.json, *receipt, std::move(events), plane_pem, runner_pem);
  contract::Pins pins;
  pins.plane.push_back(contract::Pin::OfKey(plane_key.public_key()));
  const auto verified = contract::VerifyBundle(bundle, pins);
  EXPECT_THAT(verified.problems, testing::ElementsAre());
  EXPECT_THAT(verified.warnings, testing::ElementsAre());
  EXPECT_TRUE(verified.pinned);

  // And a forged outcome does not pass.
  canon::Json forged = bundle;
  canon::Json changed = *receipt;
  changed.Set("status", "failed");
  forged.Set("receipt", std::move(changed));
  EXPECT_FALSE(contract::VerifyBundle(forged, pins).ok());
}

}  // namespace
}  // namespace writ
