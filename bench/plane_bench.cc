// A plane in this process, without HTTP: events one per call and in batches while a chain grows, and claims with many
// runners waiting. Usage: plane_bench [single|batches|claims]...

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <thread>
#include <vector>

#include "api/plane/plane_service.h"
#include "base/ids.h"
#include "contract/chain.h"
#include "contract/contract.h"
#include "contract/event.h"
#include "sys/file.h"

namespace writ::api {
namespace {

using canon::Json;
using Seconds = std::chrono::duration<double>;

constexpr const char* kPolicy =
    R"({"version":"warrant.policy.v1","runners":{"allowPools":["default"]},"agents":{"allow":["command"]},)"
    R"("dataClasses":[],"network":{"defaultDeny":true,"allowHosts":[]},"secrets":{"releasable":[]},)"
    R"("budget":{"maxSpendUsd":25,"maxDurationMin":60},"consent":[],"retention":{"receiptsDays":365,"artifactsDays":90}})";

[[noreturn]] void Die(std::string_view what) {
  fmt::print(stderr, "plane_bench: {}\n", what);
  std::exit(1);
}
template <class T>
T Must(Result<T> value) {
  if (!value) Die(value.error().what);
  return *std::move(value);
}

double Now() { return Seconds(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::size_t ResidentKilobytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

/// A plane with one runner, and how to speak to it.
class Bench {
 public:
  Bench() : temporary_(Must(sys::TemporaryDirectory::Create(std::filesystem::current_path().string(), "plane-bench"))) {
    service_ = Must(PlaneService::Start({.state_dir = temporary_.path() + "/state",
                                         .policy = Must(policy::FromJson(Must(canon::Parse(kPolicy, canon::Mode::kStrict)), "bench")),
                                         .keys = plane::MakePlaneKeys(crypto::PrivateKey::Generate(), crypto::PrivateKey::Generate()),
                                         .admin_token = "adm",
                                         .enroll_token = "enr"}));
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

void Single() {
  constexpr std::size_t kInFlight = 16, kEach = 2000;
  Bench bench;
  std::vector<std::vector<std::string>> bodies(kInFlight);
  std::vector<std::string> paths;
  for (auto& own : bodies) {
    auto run = bench.Claim();
    paths.push_back(run.path);
    for (std::size_t i = 0; i < kEach; ++i) own.push_back(Bench::Body(run, 1));
  }
  const double begin = Now();
  std::atomic<std::size_t> left{kInFlight};
  std::promise<void> done;
  // Each connection posts its next event when the one before is answered.
  std::function<void(std::size_t, std::size_t)> post = [&](std::size_t who, std::size_t index) {
    if (index == kEach) {
      if (--left == 0) done.set_value();
      return;
    }
    bench.service().Call({.method = "POST", .path = paths[who], .address = "127.0.0.1", .body = bodies[who][index]},
                         [&, who, index](const PlaneReply& reply) {
                           if (reply.status != 200) Die(reply.body);
                           post(who, index + 1);
                         });
  };
  for (std::size_t who = 0; who < kInFlight; ++who) post(who, 0);
  done.get_future().wait();
  const double took = Now() - begin;
  fmt::print("events one per call, {} in flight: {:.0f} per second, durable\n", kInFlight, kInFlight * kEach / took);
}

void Batches() {
  constexpr std::size_t kBatch = 1000, kSlice = 100, kSlices = 10;
  Bench bench;
  auto run = bench.Claim();
  for (std::size_t slice = 0; slice < kSlices; ++slice) {
    std::vector<std::string> bodies;
    for (std::size_t i = 0; i < kSlice; ++i) bodies.push_back(Bench::Body(run, kBatch));
    // Two posts under way: while one is stored, the next is read.
    const double begin = Now();
    std::future<PlaneReply> before;
    for (auto& body : bodies) {
      auto next = bench.Send(run.path, std::move(body));
      if (before.valid()) Bench::Answer(std::move(before));
      before = std::move(next);
    }
    Bench::Answer(std::move(before));
    fmt::print("batches of {}, chain of {:7}: {:.0f} events per second, durable\n", kBatch, (slice + 1) * kSlice * kBatch,
               kSlice * kBatch / (Now() - begin));
  }
}

void Claims() {
  constexpr std::size_t kRunners = 200, kRounds = 200;
  Bench bench;
  const std::size_t before = ResidentKilobytes();
  std::vector<std::future<PlaneReply>> waiting;
  for (std::size_t i = 0; i < kRunners; ++i) waiting.push_back(bench.Send("/v1/claims", bench.ClaimBody(30000)));
  bench.service().Tick();
  fmt::print("{} runners waiting: {} KiB each\n", kRunners, (ResidentKilobytes() - before) / kRunners);
  std::vector<double> micros;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const double begin = Now();
    bench.AddRun();
    // They are served in the order in which they came.
    Bench::Answer(std::move(waiting[round % kRunners]));
    micros.push_back((Now() - begin) * 1e6);
    waiting[round % kRunners] = bench.Send("/v1/claims", bench.ClaimBody(30000));
  }
  std::ranges::sort(micros);
  fmt::print("a run queued to its claim answered, {} runners waiting: median {:.0f} us, p99 {:.0f} us (one durable commit)\n",
             kRunners, micros[kRounds / 2], micros[kRounds * 99 / 100]);
}

}  // namespace
}  // namespace writ::api

int main(int argc, char** argv) {
  using namespace writ::api;
  const std::vector<std::string_view> wanted(argv + 1, argv + argc);
  const auto on = [&](std::string_view name) { return wanted.empty() || std::ranges::find(wanted, name) != wanted.end(); };
  if (on("single")) Single();
  if (on("batches")) Batches();
  if (on("claims")) Claims();
}
