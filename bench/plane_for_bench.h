#pragma once

// A plane in this process with one runner, for benchmarks.

#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "api/plane/plane_service.h"
#include "base/ids.h"
#include "contract/chain.h"
#include "contract/contract.h"
#include "contract/event.h"
#include "sys/file.h"

namespace writ::api {

using canon::Json;
using Seconds = std::chrono::duration<double>;

inline constexpr const char* kPolicy =
    R"({"version":"warrant.policy.v1","runners":{"allowPools":["default"]},"agents":{"allow":["command"]},)"
    R"("dataClasses":[],"network":{"defaultDeny":true,"allowHosts":[]},"secrets":{"releasable":[]},)"
    R"("budget":{"maxSpendUsd":25,"maxDurationMin":60},"consent":[],"retention":{"receiptsDays":365,"artifactsDays":90}})";

[[noreturn]] inline void Die(std::string_view what) {
  fmt::print(stderr, "plane_bench: {}\n", what);
  std::exit(1);
}
template <class T>
T Must(Result<T> value) {
  if (!value) Die(value.error().what);
  return *std::move(value);
}

inline double Now() { return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

inline std::size_t ResidentKilobytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

/// A plane with one runner, and how to speak to it.
class PlaneForBench {
 public:
  PlaneForBench() : temporary_(Must(sys::TemporaryDirectory::Create(std::filesystem::current_path().string(), "plane-bench"))) {
    service_ = Must(PlaneService::Start({.state_dir = temporary_.path() + "/state",
                                         .policy = Must(policy::FromJson(Must(canon::Parse(kPolicy, canon::Mode::kStrict)), "bench")),
                                         .keys = plane::MakePlaneKeys(crypto::PrivateKey::Generate(), crypto::PrivateKey::Generate()),
                                         .admin_token = "adm",
                                         .enroll_token = "enr",
                                         .settings = {.lease = std::chrono::minutes{10}}}));
    const auto key = crypto::PrivateKey::Generate();
    const Json enrolled = Ask("/v1/runners/enroll", Json::Of({{"enrollToken", "enr"}, {"publicKeyPem", key.public_key().Pem()}, {"pool", "default"}}));
    runner_token_ = *enrolled.FindString("runnerToken");
  }

  std::future<PlaneReply> Send(std::string path, std::string body) {
    auto promise = std::make_shared<std::promise<PlaneReply>>();
    auto future = promise->get_future();
    service_->Call({.method = "POST", .path = std::move(path), .address = "127.0.0.1", .body = std::move(body)},
                   [promise](PlaneReply reply) { promise->set_value(std::move(reply)); });
    return future;
  }
  static Json Answer(std::future<PlaneReply> pending) {
    const PlaneReply reply = pending.get();
    if (reply.status != 200) Die(reply.body);
    return Must(canon::Parse(reply.body, canon::Mode::kWire));
  }
  Json Ask(std::string path, const Json& body) { return Answer(Send(std::move(path), canon::Compact(body))); }

  void AddRun() {
    const std::string id = MakeId("run_");
    const auto added = service_->Do([&](plane::Core& core, plane::Change& change) -> plane::Answer<> {
      contract::Contract draft;
      draft.run_id = id;
      draft.requested_by = {"human", "bench"};
      draft.prompt = "echo hi";
      draft.pool = "default";
      draft.workspace = WRIT_ANSWER(canon::Parse(
          R"({"version":"warrant.manifest.v1","baseRef":"abc","bundleHash":"","untrackedFiles":[],"deniedPatterns":[],"deniedPaths":[]})",
          canon::Mode::kStrict));
      draft.policy_hash = std::string(64, 'a');
      draft.execution = Json::Of({{"kind", "shell"}, {"script", "echo hi"}});
      draft.issued_at = change.now();
      draft.expires_at = change.now() + contract::kContractLife;
      const auto issued = WRIT_ANSWER(contract::Issue(std::move(draft), core.keys.plane));
      WRIT_ANSWER(change->CreateRun({.id = id, .status = storage::RunStatus::kCreated, .created = change.now()}));
      WRIT_ANSWER(change->SetContract(id, canon::Compact(issued.json), issued.hash));
      plane::KeptRun* run = WRIT_ANSWER(core.chains.Open(change, id));
      WRIT_ANSWER(core.chains.Append(change, *run, {contract::event::RunCreated(), contract::event::PolicyEvaluated("allow", "x")}));
      WRIT_ANSWER(plane::QueueRun(core, change, id, issued.json, "bench"));
      return {};
    });
    if (!added) Die(added.error().error + added.error().cause);
  }
  std::string ClaimBody(int wait_ms) const {
    return fmt::format(R"({{"runnerToken":"{}","pool":"default","waitMs":{},"writ":{{"v":1,"tiers":["process"]}}}})", runner_token_, wait_ms);
  }

  struct Run {
    std::string path, token;
    contract::EventChain chain{""};
  };
  Run Claim() {
    AddRun();
    const Json claim = Answer(Send("/v1/claims", ClaimBody(0)));
    if (claim.FindString("runId") == nullptr) Die("no run to claim");
    const auto& events = claim.Find("events")->array();
    return {"/v1/runs/" + *claim.FindString("runId") + "/events", *claim.FindString("claimToken"),
            contract::EventChain::Resume(events.size(), *events.back().FindString("hash"))};
  }
  /// A body with `count` further entries of about 300 bytes.
  static std::string Body(Run& run, std::size_t count) {
    std::string body = fmt::format(R"({{"claimToken":"{}","events":[)", run.token);
    for (std::size_t i = 0; i < count; ++i) {
      if (i > 0) body += ',';
      body += canon::Compact(Must(run.chain.Append(*ParseTimestamp("2026-03-01T12:00:00.000Z"),
                                                   contract::event::FileChanged(fmt::format("src/module_{}/file.cc", i), std::string(64, 'c')))));
    }
    return body += "]}";
  }

  PlaneService& service() { return *service_; }

 private:
  sys::TemporaryDirectory temporary_;
  std::unique_ptr<PlaneService> service_;
  std::string runner_token_;
};

}  // namespace writ::api
