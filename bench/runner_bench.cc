// One governed run, `echo hi`, from the moment it is in the plane's queue until its countersigned receipt is durable: plane,
// HTTP, runner, cell and git in this process, over loopback. Prints medians and where the time goes.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include "base/bytes.h"
#include "canon/vectors_for_test.h"
#include "runner/carry.h"
#include "tests/runner/served_plane.h"

namespace {

using namespace writ;
using std::chrono::steady_clock;

double Micros(steady_clock::duration span) { return std::chrono::duration<double, std::micro>(span).count(); }

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

/// How far a run came, and when.
class Stations {
 public:
  void Reach(std::string_view label) {
    const std::lock_guard hold(mutex_);
    const auto now = steady_clock::now();
    spans_[fmt::format("{:02} {} -> {}", order_++, last_, label)].push_back(Micros(now - at_));
    last_ = label;
    at_ = now;
  }
  void Begin() {
    const std::lock_guard hold(mutex_);
    last_ = "queued";
    order_ = 0;
    at_ = steady_clock::now();
  }
  void Print() {
    for (auto& [name, spans] : spans_) std::printf("    %-46s %8.0f us\n", name.c_str(), Median(spans));
  }
  void Clear() { spans_.clear(); }

 private:
  std::mutex mutex_;
  std::string last_;
  int order_ = 0;
  steady_clock::time_point at_;
  std::map<std::string, std::vector<double>> spans_;
};

contract::Contract Draft(bool git, ServedPlane& plane) {
  contract::Contract draft;
  draft.requested_by = {"human", "alice"};
  draft.agent.kind = "command";
  draft.prompt = "echo hi";
  draft.pool = "default";
  draft.policy_hash = std::string(64, 'a');
  draft.disclosure = "minimal-context";
  draft.execution = canon::Json::Of({{"kind", "shell"}, {"script", "echo hi"}});
  draft.workspace = contract::ToJson(contract::EmptyManifest());
  if (git) {
    const auto recorded = test::VectorFile("workspace.json");
    draft.workspace = *recorded.Find("manifest");
    for (const auto& blob : recorded.Find("blobs")->array()) plane.PutBlob(*Base64DecodeLenient(*blob.FindString("base64")));
  }
  return draft;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 50;
  auto backend = isolation::process::ProcessBackend::Create({.path = "", .warm_cells = 2, .delegated_cgroup = ""});
  if (!backend) return std::fprintf(stderr, "%s\n", backend.error().what.c_str()), 1;
  const auto folder = *sys::TemporaryDirectory::Create("/tmp", "runner-bench");
  ServedPlane plane(folder.path() + "/plane");
  Stations stations;
  runner::Options options;
  options.plane_url = plane.url();
  options.enroll_token = "enr";
  options.dir = folder.path() + "/runner";
  options.backends.push_back({*std::move(backend)});
  options.fault = [&](std::string_view label) { stations.Reach(label); };
  auto runner = Runner::Create(std::move(options));
  if (!runner) return std::fprintf(stderr, "%s\n", runner.error().what.c_str()), 1;
  if (const auto started = (*runner)->Start(); !started) return std::fprintf(stderr, "%s\n", started.error().what.c_str()), 1;

  for (const bool git : {false, true}) {
    const auto draft = Draft(git, plane);
    std::vector<double> times;
    for (int i = 0; i < runs + 1; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the cell taken last is replaced meanwhile
      stations.Begin();
      const auto began = steady_clock::now();
      const std::string id = plane.AddRun(draft);
      while (!plane.Ended(id)) std::this_thread::sleep_for(std::chrono::microseconds(50));
      const double took = Micros(steady_clock::now() - began);
      if (i == 0) {
        std::printf("%s, first: %.1f ms\n", git ? "git workspace" : "empty workspace", took / 1000);
        stations.Clear();
      } else {
        times.push_back(took);
      }
    }
    std::printf("%s, seen before: median %.2f ms, fastest %.2f ms, %d runs\n", git ? "git workspace" : "empty workspace",
                Median(times) / 1000, *std::ranges::min_element(times) / 1000, runs);
    stations.Print();
    stations.Clear();
  }
  (*runner)->Stop();
  return 0;
}
