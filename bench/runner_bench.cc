// One governed run, `echo hi`, from the client's request to the verified bundle in its hands: client, plane, HTTP, runner,
// cell and git in this process, over loopback, with a repository of four files. Prints medians, the spread, and where the
// time goes.
// Usage: runner_bench [RUNS] [PHASES] [DIRECTORY]      PHASES: 0 leaves the table of phases out
// A plane waits for its disk twice in a run; DIRECTORY (/tmp) on a tmpfs shows what is left without it.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <mutex>
#include <thread>

#include "client/capture.h"
#include "client/evidence.h"
#include "client/submit.h"
#include "client/wait.h"
#include "runner/carry.h"
#include "tests/runner/served_plane.h"

namespace {

using namespace writ;
using std::chrono::steady_clock;

double Micros(steady_clock::duration span) { return std::chrono::duration<double, std::micro>(span).count(); }

[[noreturn]] void Die(const std::string& what) {
  std::fprintf(stderr, "runner_bench: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T Take(Result<T> result) {
  if (!result) Die(result.error().what);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
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
    last_ = "begin";
    order_ = 0;
    at_ = steady_clock::now();
  }
  void Print() {
    const std::lock_guard hold(mutex_);
    for (auto& [name, spans] : spans_) {
      std::ranges::sort(spans);
      std::printf("    %-46s %8.0f us\n", name.c_str(), spans[spans.size() / 2]);
    }
    spans_.clear();
  }
  void Clear() {
    const std::lock_guard hold(mutex_);
    spans_.clear();
  }

 private:
  std::mutex mutex_;
  std::string last_;
  int order_ = 0;
  steady_clock::time_point at_;
  std::map<std::string, std::vector<double>> spans_;
};

class Bench {
 public:
  Bench(std::string folder, int runs, bool phases) : folder_(std::move(folder)), runs_(runs), phases_(phases) {}

  int Run() {
    auto backend = Take(isolation::process::ProcessBackend::Create({.path = "", .warm_cells = 2, .delegated_cgroup = ""}));
    plane_ = std::make_unique<ServedPlane>(folder_ + "/plane");
    runner::Options options;
    options.plane_url = plane_->url();
    options.enroll_token = "enr";
    options.dir = folder_ + "/runner";
    options.backends.push_back({std::move(backend)});
    options.fault = [&](std::string_view label) { stations_.Reach(label); };
    const auto runner = Take(Runner::Create(std::move(options)));
    Take(runner->Start());
    client_ = Take(remote::PlaneConnection::Open(plane_->url(), "adm"));
    trust_ = {.url = plane_->url(), .known = {}, .pins = {contract::Pin::OfKey(test::KeyOfRepeated(0x11).public_key())}};
    Shell(fmt::format("mkdir {0}/repo; cd {0}/repo; git init -q .; mkdir src; echo r > README.md; echo one > src/a.txt; "
                      "echo ignored/ > .gitignore; echo c > src/c.txt; git add -A; git commit -qm one", folder_));

    client::RunAsk ask = Ask();
    Measure("empty workspace", [&](int) { Carry(ask); });
    const auto captured = Capture();
    Upload(captured);
    ask.workspace = captured.manifest;
    Carry(ask);
    Measure("base of the workspace seen before", [&](int) { Carry(ask); });
    std::vector<client::RunAsk> unseen;
    for (int i = 0; i <= runs_; ++i) {
      Shell(fmt::format("cd {}/repo; echo {} >> src/a.txt; git commit -qam {}", folder_, i, i));
      const auto one = Capture();
      Upload(one);
      unseen.push_back(ask);
      unseen.back().workspace = one.manifest;
    }
    Measure("base seen for the first time", [&](int i) { Carry(unseen[static_cast<std::size_t>(i)]); });
    Measure("capture, upload, run, verify: nothing new", [&](int) { Whole(); });
    Measure("capture, upload, run, verify: a changed file", [&](int i) {
      Take(sys::WriteFileAtomic(folder_ + "/repo/src/c.txt", fmt::format("changed {}\n", i), 0644, sys::Durability::kQuick));
      stations_.Begin();
      Whole();
    });
    runner->Stop();
    return 0;
  }

 private:
  static client::RunAsk Ask() {
    client::RunAsk ask;
    ask.requested_by = {"human", "alice"};
    ask.agent.kind = "command";
    ask.prompt = "echo hi";
    ask.execution.emplace();
    ask.execution->kind = contract::ExecutionKind::kShell;
    ask.execution->script = "echo hi";
    return Take(client::CheckAsk(ask));
  }
  static void Shell(const std::string& script) {
    const std::string command =
        "set -e; export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b "
        "GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b; " + script;
    if (std::system(command.c_str()) != 0) Die("failed: " + script);
  }
  client::Captured Capture() {
    client::CaptureRequest request;
    request.repository = folder_ + "/repo";
    request.bundles = folder_ + "/bundles";
    return Take(client::Capture(request, Deadline::After(Millis{60'000})));
  }
  void Upload(const client::Captured& captured) {
    std::uint64_t sent = 0;
    Take(client::UploadAll(*client_, captured.uploads, sent));
  }
  void Carry(const client::RunAsk& ask) {
    const auto submitted = Take(client::Submit(*client_, ask));
    if (!submitted.answer) Die("denied");
    stations_.Reach("requested");
    client::WaitOptions options;
    options.deadline = Deadline::After(Millis{60'000});
    const auto waited = Take(client::WaitForRun(*client_, submitted.answer->run_id, options));
    if (waited.run.status != "completed") Die(fmt::format("the run is {}: {}", waited.run.status, waited.run.failure_message));
    stations_.Reach("known to have ended");
    const auto evidence = Take(client::FetchEvidence(*client_, submitted.answer->run_id, trust_, &ask, SystemClock()));
    if (!evidence.ok()) Die("the bundle has problems: " + evidence.verification.problems.front());
    stations_.Reach("verified");
  }
  void Whole() {
    const auto captured = Capture();
    stations_.Reach("captured");
    Upload(captured);
    stations_.Reach("uploaded by client");
    client::RunAsk ask = Ask();
    ask.workspace = captured.manifest;
    Carry(ask);
  }
  void Measure(const char* what, const std::function<void(int)>& one) {
    std::vector<double> times;
    for (int i = 0; i <= runs_; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(110));  // taken cells are replaced meanwhile; a principal may ask 50 times a second
      stations_.Begin();
      const auto began = steady_clock::now();
      one(i);
      times.push_back(Micros(steady_clock::now() - began) / 1000);
      if (i == 0) stations_.Clear(), times.clear();
    }
    std::ranges::sort(times);
    std::printf("%-46s median %6.2f ms   (%.2f to %.2f, 9 of 10 under %.2f; N=%zu)\n", what, times[times.size() / 2], times.front(), times.back(),
                times[times.size() * 9 / 10], times.size());
    if (phases_) stations_.Print();
    stations_.Clear();
    std::fflush(stdout);
  }

  const std::string folder_;
  const int runs_;
  const bool phases_;
  Stations stations_;
  std::unique_ptr<ServedPlane> plane_;
  std::unique_ptr<remote::PlaneConnection> client_;
  client::PlaneTrust trust_;
};

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::max(1, std::atoi(argv[1])) : 40;
  const bool phases = argc < 3 || std::atoi(argv[2]) != 0;
  const auto folder = Take(sys::TemporaryDirectory::Create(argc > 3 ? argv[3] : "/tmp", "runner-bench"));
  return Bench(folder.path(), runs, phases).Run();
}
