// Where the time of one governed run goes, the jail left out: a scripted guest that ends at once, everything else as
// `writ run -- /bin/true` does it, state directory opened anew for each run. Prints medians per phase, CPU and wall.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "api/local_plane.h"
#include "isolation/fake/fake_backend.h"
#include "sys/file.h"

namespace {

using namespace writ;  // NOLINT: a program of its own

struct Silent final : isolation::OutputSink {
  Result<> Write(isolation::Stream, ByteView) override { return {}; }
  Result<> Truncated(isolation::Stream) override { return {}; }
};

double Micros(clockid_t clock) {
  struct timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Phase {
  std::string name;
  std::vector<double> cpu, wall;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 500;
  auto directory = sys::TemporaryDirectory::Create("/tmp", "run_bench");
  if (!directory || runs < 1) return std::fprintf(stderr, "run_bench: no directory, or a bad count\n"), 2;

  std::vector<Phase> phases;
  std::size_t at = 0;
  double cpu = 0, wall = 0;
  const auto mark = [&](std::string_view name) {
    const double cpu_now = Micros(CLOCK_PROCESS_CPUTIME_ID), wall_now = Micros(CLOCK_MONOTONIC);
    if (at == phases.size()) phases.push_back({std::string(name), {}, {}});
    phases[at].cpu.push_back(cpu_now - cpu);
    phases[at].wall.push_back(wall_now - wall);
    ++at;
    cpu = Micros(CLOCK_PROCESS_CPUTIME_ID);
    wall = Micros(CLOCK_MONOTONIC);
  };
  for (int i = 0; i < runs; ++i) {
    at = 0;
    cpu = Micros(CLOCK_PROCESS_CPUTIME_ID);
    wall = Micros(CLOCK_MONOTONIC);
    api::LocalPlaneOptions options;
    options.state_dir = directory->path() + "/state";
    options.env = [](std::string_view name) -> std::optional<std::string> {
      return name == "HOME" ? std::optional<std::string>("/nonexistent") : std::nullopt;
    };
    options.backends.push_back(
        std::make_unique<isolation::fake::FakeBackend>(directory->path(), isolation::fake::Script{}));
    options.fault_hook = mark;
    const auto plane = api::LocalPlane::Create(std::move(options));
    api::CreateRun request;
    request.argv = {"/bin/true"};
    request.caller = {0, "root"};
    Silent sink;
    api::RunControl control;
    // Opening the store, and the question whether a crash left something.
    if (const auto recovered = plane->Recover(); !recovered)
      return std::fprintf(stderr, "run_bench: %s\n", recovered.error().what.c_str()), 1;
    mark("open");
    const auto result = plane->Run(std::move(request), sink, control);
    if (!result) return std::fprintf(stderr, "run_bench: %s\n", result.error().what.c_str()), 1;
    mark("shown");
  }
  std::printf("%-14s %10s %10s   (microseconds, medians of %d runs)\n", "until", "cpu", "wall", runs);
  double cpu_sum = 0, wall_sum = 0;
  for (const auto& phase : phases) {
    std::printf("%-14s %10.0f %10.0f\n", phase.name.c_str(), Median(phase.cpu), Median(phase.wall));
    cpu_sum += Median(phase.cpu);
    wall_sum += Median(phase.wall);
  }
  std::printf("%-14s %10.0f %10.0f\n", "all", cpu_sum, wall_sum);
  return 0;
}
