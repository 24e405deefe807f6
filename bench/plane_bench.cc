// A plane in this process, without HTTP: events one per call and in batches while a chain grows, and claims with many
// runners waiting. Usage: plane_bench [single|batches|claims]...

#include <algorithm>
#include <atomic>
#include <functional>
#include <vector>

#include "bench/plane_for_bench.h"

namespace writ::api {
namespace {

void Single() {
  constexpr std::size_t kInFlight = 16, kEach = 2000;
  PlaneForBench bench;
  std::vector<std::vector<std::string>> bodies(kInFlight);
  std::vector<std::string> paths;
  for (auto& own : bodies) {
    auto run = bench.Claim();
    paths.push_back(run.path);
    for (std::size_t i = 0; i < kEach; ++i) own.push_back(PlaneForBench::Body(run, 1));
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

/// Chains that grow to a million, each with one post under way: while one is stored, others are read.
void Batches() {
  constexpr std::size_t kBatch = 1000, kChains = 3, kSlice = 100, kSlices = 10;
  PlaneForBench bench;
  std::vector<PlaneForBench::Run> runs;
  for (std::size_t i = 0; i < kChains; ++i) runs.push_back(bench.Claim());
  for (std::size_t slice = 0; slice < kSlices; ++slice) {
    std::vector<std::vector<std::string>> bodies(kChains);
    for (std::size_t i = 0; i < kSlice; ++i)
      for (std::size_t who = 0; who < kChains; ++who) bodies[who].push_back(PlaneForBench::Body(runs[who], kBatch));
    const double begin = Now();
    std::atomic<std::size_t> left{kChains};
    std::promise<void> done;
    std::function<void(std::size_t, std::size_t)> post = [&](std::size_t who, std::size_t index) {
      if (index == kSlice) {
        if (--left == 0) done.set_value();
        return;
      }
      bench.service().Call({.method = "POST", .path = runs[who].path, .address = "127.0.0.1", .body = std::move(bodies[who][index])},
                           [&, who, index](const PlaneReply& reply) {
                             if (reply.status != 200) Die(reply.body);
                             post(who, index + 1);
                           });
    };
    for (std::size_t who = 0; who < kChains; ++who) post(who, 0);
    done.get_future().wait();
    fmt::print("batches of {}, {} chains of {:7}: {:.0f} events per second, durable\n", kBatch, kChains, (slice + 1) * kSlice * kBatch,
               static_cast<double>(kChains * kSlice * kBatch) / (Now() - begin));
  }
}

void Claims() {
  constexpr std::size_t kRunners = 200, kRounds = 200;
  PlaneForBench bench;
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
    PlaneForBench::Answer(std::move(waiting[round % kRunners]));
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
