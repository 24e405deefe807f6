#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "api/plane/plane_service.h"
#include "base/ids.h"
#include "contract/bundle.h"
#include "contract/contract.h"
#include "contract/event.h"
#include "contract/manifest.h"
#include "contract/test_keys.h"
#include "http/serve/plane_door.h"
#include "http/server.h"
#include "isolation/process/process_backend.h"
#include "policy/load.h"
#include "runner/runner.h"
#include "sys/file.h"

namespace writ {

/// A plane behind its HTTP server, on a free port of loopback.
class ServedPlane {
 public:
  static constexpr const char* kPolicy =
      R"({"version":"warrant.policy.v1","runners":{"allowPools":["default"]},)"
      R"("agents":{"allow":["claude-code","codex","pi","mock","command"]},"dataClasses":[],)"
      R"("network":{"defaultDeny":true,"allowHosts":[]},"secrets":{"releasable":[]},)"
      R"("budget":{"maxSpendUsd":25,"maxDurationMin":60},"consent":[],"retention":{"receiptsDays":365,"artifactsDays":90}})";

  explicit ServedPlane(const std::string& state, std::map<std::string, std::string> secrets = {}) : secrets_(std::move(secrets)) {
    api::PlaneOptions options{.state_dir = state,
                              .policy = *policy::FromJson(*canon::Parse(kPolicy, canon::Mode::kStrict), "test"),
                              .keys = plane::MakePlaneKeys(test::KeyOfRepeated(0x11), test::KeyOfRepeated(0x44)),
                              .admin_token = "adm",
                              .enroll_token = "enr"};
    options.secrets = [this](std::string_view name) -> Result<std::optional<crypto::SecretBytes>> {
      const auto found = secrets_.find(std::string(name));
      if (found == secrets_.end()) return std::nullopt;
      return crypto::SecretBytes::CopyOf(AsBytes(found->second));
    };
    auto plane = api::PlaneService::Start(std::move(options));
    EXPECT_TRUE(plane) << plane.error().what;
    plane_ = *std::move(plane);
    door_ = std::make_unique<http::PlaneDoor>(*plane_);
    http::ServerOptions http;
    http.port = 0;
    auto server = http::Server::Start(std::move(http), *door_);
    EXPECT_TRUE(server) << server.error().what;
    server_ = *std::move(server);
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", server_->port()); }

  /// Signs the draft and puts the run into the queue. `draft.run_id` and times are filled in.
  std::string AddRun(contract::Contract draft) {
    const std::string id = MakeId("run_");
    const auto added = plane_->Do([&](plane::Core& core, plane::Change& change) -> plane::Answer<> {
      draft.run_id = id;
      draft.issued_at = change.now();
      draft.expires_at = change.now() + contract::kContractLife;
      draft.issuer_key_id = core.keys.plane.key_id();
      const auto issued = WRIT_ANSWER(contract::Issue(draft, core.keys.plane));
      WRIT_ANSWER(change->CreateRun({.id = id, .status = storage::RunStatus::kCreated, .created = change.now()}));
      WRIT_ANSWER(change->SetContract(id, canon::Compact(issued.json), issued.hash));
      plane::KeptRun* run = WRIT_ANSWER(core.chains.Open(change, id));
      WRIT_ANSWER(core.chains.Append(change, *run, {contract::event::RunCreated(),
                                                    contract::event::PolicyEvaluated("allow", "policy allows this run")}));
      WRIT_ANSWER(plane::QueueRun(core, change, id, issued.json, "alice"));
      return {};
    });
    EXPECT_TRUE(added) << added.error().error;
    return id;
  }
  std::string PutBlob(std::string_view bytes) { return *plane_->blobs().Put(AsBytes(bytes), storage::Durability::kBuffered); }
  std::string Blob(std::string_view hash) {
    auto bytes = plane_->blobs().Get(hash, 64u << 20);
    return bytes ? *bytes : "(" + bytes.error().what + ")";
  }

  struct Kept {
    canon::Json contract, receipt;
    canon::Json::Array events;
    std::string status;
  };
  Kept Get(const std::string& id) {
    Kept kept;
    const auto read = plane_->Do([&](plane::Core& core, plane::Change&) -> plane::Answer<> {
      const auto row = WRIT_ANSWER(core.store.GetRun(id));
      kept.status = storage::RunStatusName(row.status);
      kept.contract = *canon::Parse(*row.contract, canon::Mode::kWire);
      if (row.receipt) kept.receipt = *canon::Parse(*row.receipt, canon::Mode::kWire);
      for (const auto& text : WRIT_ANSWER(core.store.Events(id))) kept.events.push_back(*canon::Parse(text, canon::Mode::kWire));
      return {};
    });
    EXPECT_TRUE(read) << read.error().error;
    return kept;
  }
  bool Ended(const std::string& id) {
    bool ended = false;
    const auto read = plane_->Do([&](plane::Core& core, plane::Change&) -> plane::Answer<> {
      ended = storage::IsTerminal(WRIT_ANSWER(core.store.GetRun(id)).status);
      return {};
    });
    return read && ended;
  }
  std::vector<std::string> Problems(const std::string& id, const std::string& runner_pem) {
    const Kept kept = Get(id);
    if (kept.receipt.is_null()) return {"there is no receipt"};
    const auto key = test::KeyOfRepeated(0x11);
    const auto bundle = contract::MakeBundle(kept.contract, kept.receipt, canon::Json(kept.events), key.public_key().Pem(), runner_pem);
    return contract::VerifyBundle(bundle, {.plane = {contract::Pin::OfKey(key.public_key())}, .runner = {}}).problems;
  }

 private:
  std::map<std::string, std::string> secrets_;
  std::unique_ptr<api::PlaneService> plane_;
  std::unique_ptr<http::PlaneDoor> door_;
  std::unique_ptr<http::Server> server_;  // goes first: it uses all of the above
};

/// A plane and a runner with the process tier.
class RunnerE2e : public testing::Test {
 protected:
  RunnerE2e() : temporary_(*sys::TemporaryDirectory::Create(testing::TempDir(), "e2e")) {}

  /// Backends are started first, before any thread of this test.
  void SetUp() override {
    auto backend = isolation::process::ProcessBackend::Create({.path = "", .warm_cells = 2, .delegated_cgroup = ""});
    ASSERT_TRUE(backend) << backend.error().what;
    options_.backends.push_back({*std::move(backend)});
  }
  void Serve(std::map<std::string, std::string> secrets = {}) {
    plane_ = std::make_unique<ServedPlane>(temporary_.path() + "/plane", std::move(secrets));
    options_.plane_url = plane_->url();
    options_.enroll_token = "enr";
    options_.dir = temporary_.path() + "/runner";
    options_.env = [this](std::string_view name) -> std::optional<std::string> {
      const auto found = env_.find(name);
      return found == env_.end() ? std::nullopt : std::optional(found->second);
    };
    options_.say = [this](const std::string& line) { said_ += line + "\n"; };
  }
  Runner& runner() {
    if (!runner_) {
      auto made = Runner::Create(std::move(options_));
      EXPECT_TRUE(made) << made.error().what;
      runner_ = *std::move(made);
    }
    return *runner_;
  }
  void RunOnce() {
    const auto ran = runner().RunOnce();
    ASSERT_TRUE(ran) << ran.error().what;
    ASSERT_TRUE(*ran) << "no run waited";
  }
  std::string RunnerPem() { return *sys::ReadFile(temporary_.path() + "/runner/runner.pub.pem", 1 << 16); }

  static contract::Contract Draft(canon::Json execution, std::string agent = "command") {
    contract::Contract draft;
    draft.requested_by = {"human", "alice"};
    draft.agent.kind = std::move(agent);
    draft.prompt = "x";
    draft.pool = "default";
    draft.workspace = contract::ToJson(contract::EmptyManifest());
    draft.policy_hash = std::string(64, 'a');
    draft.disclosure = "minimal-context";
    draft.execution = std::move(execution);
    return draft;
  }
  std::string LogOf(const std::string& id) {
    for (const auto& entry : plane_->Get(id).events) {
      const auto* event = entry.Find("event");
      if (*event->FindString("type") == "artifact.created" && *event->FindString("kind") == "log") return plane_->Blob(*event->FindString("hash"));
    }
    return "";
  }

  sys::TemporaryDirectory temporary_;
  std::map<std::string, std::string, std::less<>> env_ = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  runner::Options options_;
  std::string said_;
  std::unique_ptr<ServedPlane> plane_;
  std::unique_ptr<Runner> runner_;
};

}  // namespace writ
