#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/plane/plane_service.h"
#include "base/ids.h"
#include "contract/chain.h"
#include "contract/contract.h"
#include "contract/event.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/signing.h"
#include "contract/test_keys.h"
#include "session/receipt_builder.h"
#include "sys/file.h"

namespace writ::api {

inline constexpr const char* kTestPolicy =
    R"({"version":"warrant.policy.v1","runners":{"allowPools":["default"]},)"
    R"("agents":{"allow":["claude-code","codex","pi","mock","command"]},"dataClasses":[],)"
    R"("network":{"defaultDeny":true,"allowHosts":[]},"secrets":{"releasable":[)"
    R"({"name":"TOK","scope":"team:x","pools":["default"]},{"name":"MISSING","scope":"team:x","pools":["default"]}]},)"
    R"("budget":{"maxSpendUsd":25,"maxDurationMin":60},"consent":[{"when":"secret-release","approvers":["bob"]}],)"
    R"("retention":{"receiptsDays":365,"artifactsDays":90}})";

/// A status and a body, for comparisons in tests.
struct Said {
  int status = 0;
  canon::Json body;
  std::string text;
  std::string error() const {
    const std::string* what = body.FindString("error");
    return what == nullptr ? "" : *what;
  }
};

/// A clock that stands still until told otherwise; the plane's thread looks at it while the test sets it.
class SharedClock final : public Clock {
 public:
  explicit SharedClock(WallTime now) : now_(now) {}
  WallTime Now() const override { return now_; }
  MonoTime Mono() const override { return mono_; }
  void Advance(Millis by) { now_ = now_.load() + by, mono_ = mono_.load() + by; }
  void SetWall(WallTime now) { now_ = now; }  ///< a jump: monotonic time does not move

 private:
  std::atomic<WallTime> now_;
  std::atomic<MonoTime> mono_{MonoTime{}};
};

/// A plane over a state directory of its own. Tests restart it by Stop and Start.
class ServiceTest : public testing::Test {
 protected:
  static constexpr const char* kAdmin = "adm";
  static constexpr const char* kEnroll = "enr";

  std::string state() const { return temporary_.path() + "/state"; }

  virtual PlaneOptions Options() {
    PlaneOptions options{.state_dir = state(),
                         .policy = *policy::FromJson(*canon::Parse(kTestPolicy, canon::Mode::kStrict), "test"),
                         .keys = plane::MakePlaneKeys(test::KeyOfRepeated(0x11), test::KeyOfRepeated(0x44)),
                         .admin_token = kAdmin,
                         .enroll_token = kEnroll,
                         .clock = clock_.get(),
                         .fault_hook = fault_hook_};
    options.secrets = [this](std::string_view name) -> Result<std::optional<plane::ReleasableSecret>> {
      if (lookup_) return lookup_(name);
      const auto found = secrets_.find(std::string(name));
      if (found == secrets_.end()) return std::nullopt;
      return plane::ReleasableSecret(crypto::SecretBytes::CopyOf(AsBytes(found->second)));
    };
    options.log = [this](std::string_view text) { logged_.emplace_back(text); };
    return options;
  }
  void Start() {
    auto started = PlaneService::Start(Options());
    ASSERT_TRUE(started) << started.error().what;
    service_ = *std::move(started);
  }
  void Restart() {
    service_.reset();
    Start();
  }

  using Pending = std::future<PlaneReply>;
  Pending Send(PlaneCall call) {
    auto promise = std::make_shared<std::promise<PlaneReply>>();
    auto future = promise->get_future();
    service_->Call(std::move(call), [promise](PlaneReply reply) { promise->set_value(std::move(reply)); });
    return future;
  }
  static Said Take(Pending& pending) {
    if (pending.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    const PlaneReply reply = pending.get();
    auto body = canon::Parse(reply.body, canon::Mode::kWire);
    return {reply.status, body ? *body : canon::Json(), reply.body};
  }
  Said Ask(PlaneCall call) {
    auto pending = Send(std::move(call));
    return Take(pending);
  }
  Said Get(std::string path, std::string token = kAdmin, std::string address = "10.0.0.1") {
    return Ask({.method = "GET", .path = std::move(path), .authorization = "Bearer " + token, .address = std::move(address)});
  }
  static PlaneCall PostCall(std::string path, const canon::Json& body, const std::string& token = "") {
    return {.method = "POST",
            .path = std::move(path),
            .authorization = token.empty() ? "" : "Bearer " + token,
            .address = "10.0.0.1",
            .body = canon::Compact(body)};
  }
  Said Post(std::string path, const canon::Json& body, const std::string& token = "") {
    return Ask(PostCall(std::move(path), body, token));
  }

  /// A signed contract, as a plane makes it for an allowed request.
  static contract::Contract Draft(std::string run_id) {
    contract::Contract draft;
    draft.run_id = std::move(run_id);
    draft.requested_by = {"human", "alice"};
    draft.prompt = "echo hi";
    draft.pool = "default";
    draft.workspace = *canon::Parse(
        R"({"version":"warrant.manifest.v1","baseRef":"abc","bundleHash":"1111111111111111111111111111111111111111111111111111111111111111","untrackedFiles":[],"deniedPatterns":[],"deniedPaths":[]})",
        canon::Mode::kStrict);
    draft.policy_hash = std::string(64, 'a');
    draft.disclosure = "minimal-context";
    draft.execution = canon::Json::Of({{"kind", "shell"}, {"script", "echo hi"}});
    return draft;
  }
  /// Puts a run into the plane's queue past the policy.
  std::string AddRun(const std::function<void(contract::Contract&)>& change_draft = {}, std::string tenant = "r1") {
    std::string id = MakeId("run_");
    const auto added = service_->Do([&](plane::Core& core, plane::Change& change) -> plane::Answer<> {
      contract::Contract draft = Draft(id);
      draft.issued_at = change.now();
      draft.expires_at = change.now() + contract::kContractLife;
      draft.issuer_key_id = core.keys.plane.key_id();
      if (change_draft) change_draft(draft);
      const auto issued = WRIT_ANSWER(contract::Issue(std::move(draft), core.keys.plane));
      WRIT_ANSWER(change->CreateRun({.id = id, .status = storage::RunStatus::kCreated, .created = change.now()}));
      WRIT_ANSWER(change->SetContract(id, canon::Compact(issued.json), issued.hash));
      plane::KeptRun* run = WRIT_ANSWER(core.chains.Open(change, id));
      WRIT_ANSWER(core.chains.Append(change, *run,
                                     {contract::event::RunCreated(),
                                      contract::event::PolicyEvaluated("allow", "policy allows this run")}));
      WRIT_ANSWER(plane::QueueRun(core, change, id, issued.json, tenant));
      return {};
    });
    EXPECT_TRUE(added) << added.error().error;
    return id;
  }
  storage::Run RowOf(const std::string& id) {
    storage::Run row;
    const auto read = service_->Do([&](plane::Core& core, plane::Change&) -> plane::Answer<> {
      row = WRIT_ANSWER(core.store.GetRun(id));
      return {};
    });
    EXPECT_TRUE(read) << read.error().error;
    return row;
  }
  std::vector<std::string> TypesOf(const std::string& id) {
    std::vector<std::string> types;
    const auto read = service_->Do([&](plane::Core& core, plane::Change&) -> plane::Answer<> {
      for (const auto& text : WRIT_ANSWER(core.store.Events(id))) {
        const auto entry = WRIT_ANSWER(canon::Parse(text, canon::Mode::kWire));
        types.push_back(*entry.Find("event")->FindString("type"));
      }
      return {};
    });
    EXPECT_TRUE(read) << read.error().error;
    return types;
  }

  sys::TemporaryDirectory temporary_ = *sys::TemporaryDirectory::Create(testing::TempDir(), "service");
  std::unique_ptr<SharedClock> clock_ = std::make_unique<SharedClock>(*ParseTimestamp("2026-03-01T12:00:00.000Z"));
  std::map<std::string, std::string> secrets_{{"TOK", "s3cr3t"}};
  plane::SecretLookup lookup_;  ///< instead of secrets_, when it is set
  std::vector<std::string> logged_;
  std::function<void(std::string_view)> fault_hook_;
  std::unique_ptr<PlaneService> service_;
};

/// What a runner keeps of a run it has claimed: the chain, and how to report on it.
struct ClaimedByTest {
  std::string run_id, token, runner_id;
  canon::Json contract;
  std::string contract_hash;
  contract::EventChain chain{""};
  session::RunFacts facts;
  std::vector<canon::Json> pending;  ///< entries made and not posted

  /// From a claim's answer. Fails the test when the chain does not hold.
  static ClaimedByTest From(const canon::Json& answer) {
    ClaimedByTest claimed;
    claimed.run_id = *answer.FindString("runId");
    claimed.token = *answer.FindString("claimToken");
    claimed.contract = *answer.Find("contract");
    claimed.contract_hash = *contract::HashUnsigned(claimed.contract);
    claimed.chain = contract::EventChain(claimed.contract_hash);
    for (const auto& entry : answer.Find("events")->array()) {
      EXPECT_FALSE(claimed.chain.Accept(entry)->has_value());
      claimed.facts.Observe(entry);
    }
    claimed.runner_id = claimed.facts.runner_id;
    return claimed;
  }
  void Add(canon::Json event, WallTime at = *ParseTimestamp("2026-03-01T12:00:01.000Z")) {
    pending.push_back(*chain.Append(at, std::move(event)));
    facts.Observe(pending.back());
  }
  canon::Json EventsBody() {
    return canon::Json::Of({{"claimToken", token}, {"events", canon::Json::Array(std::exchange(pending, {}))}});
  }
  canon::Json Receipt(const crypto::PrivateKey& key, storage::RunStatus status = storage::RunStatus::kCompleted) const {
    canon::Json receipt = *session::BuildReceipt(contract, contract_hash, facts, status);
    EXPECT_TRUE(contract::AppendSignature(receipt, contract::kSignerRunner, key));
    return receipt;
  }
  canon::Json CompleteBody(const crypto::PrivateKey& key) const {
    return canon::Json::Of({{"claimToken", token}, {"receipt", Receipt(key)}});
  }
  std::string Path(std::string_view call) const { return "/v1/runs/" + run_id + "/" + std::string(call); }
};

}  // namespace writ::api
