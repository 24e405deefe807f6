// Start to exit of /bin/true: plain fork+exec, a warm cell, a cold cell, the first cell of a process, bubblewrap, the whole `writ run`, interleaved in
// one run so that a drifting machine changes all alike. Then many runs in a row, with a check that nothing is left behind.
// Usage: cell_bench [ROUNDS] [RUNS_IN_A_ROW]

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "isolation/process/process_backend.h"

namespace {

using namespace writ;
using namespace writ::isolation;
using SteadyClock = std::chrono::steady_clock;

struct NoSink final : OutputSink {
  Result<> Write(Stream, ByteView) override { return {}; }
  Result<> Truncated(Stream) override { return {}; }
};

[[noreturn]] void Die(const std::string& what) {
  fmt::print(stderr, "cell_bench: {}\n", what);
  std::exit(1);
}

SessionSpec TrueSpec() {
  SessionSpec spec;
  spec.argv = {"/bin/true"};
  spec.env = {"PATH=/usr/bin:/bin"};
  if (::geteuid() != 0)
    spec.accepted = {{"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}, {"groups", "kept"}};
  return spec;
}

std::unique_ptr<process::ProcessBackend> Open(std::uint32_t warm) {
  auto backend = process::ProcessBackend::Create({.path = "", .warm_cells = warm, .delegated_cgroup = ""});
  if (!backend) Die(backend.error().what);
  return std::move(*backend);
}

/// One run; the session's end (the cell's destruction) is part of `after`, as a caller sees it.
std::unique_ptr<Session> RunTrue(Backend& backend, NoSink& sink) {
  auto session = backend.Start(TrueSpec(), sink);
  if (!session) Die(session.error().what);
  const auto outcome = (*session)->Wait(Deadline::After(Millis{30'000}));
  if (!outcome) Die(outcome.error().what);
  if (outcome->how != Termination::kExited || outcome->code != 0) Die("the guest did not exit 0: " + outcome->message);
  return std::move(*session);
}

void ForkExec(const std::vector<const char*>& argv) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execv(argv[0], const_cast<char**>(argv.data()));
    ::_exit(127);
  }
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0) Die(fmt::format("{} failed", argv[0]));
}

double Microseconds(const std::function<void()>& body) {
  const auto before = SteadyClock::now();
  body();
  return std::chrono::duration<double, std::micro>(SteadyClock::now() - before).count();
}

/// Lets a jail have its next cell ready and the kernel take the last one down, as a service that waits would.
void Settle() { ::usleep(6000); }

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::size_t Entries(const char* path) {
  std::size_t count = 0;
  DIR* directory = ::opendir(path);
  if (directory == nullptr) return 0;
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

std::size_t Lines(const char* path) {
  std::ifstream file(path);
  std::size_t count = 0;
  for (std::string line; std::getline(file, line);) ++count;
  return count;
}

long ResidentKib() {
  std::ifstream file("/proc/self/statm");
  long size = 0, resident = 0;
  file >> size >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

/// The directory this program lies in: writ and writ-jail are beside it.
std::string OwnDirectory() {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) Die("/proc/self/exe");
  return std::filesystem::path(std::string(path, static_cast<std::size_t>(length))).parent_path();
}

void CompareStarts(int rounds) {
  const std::string writ = OwnDirectory() + "/writ";
  std::vector<const char*> run = {writ.c_str(), "run", "-q", "--", "/bin/true", nullptr};
  if (::geteuid() != 0)
    run.insert(run.begin() + 3, {"--accept", "memory=rlimit", "--accept", "pids=rlimit", "--accept", "cpus=affinity", "--accept",
                                 "cpu-time=rlimit", "--accept", "groups=kept"});
  char state[] = "/tmp/writ-bench-XXXXXX";
  if (::mkdtemp(state) == nullptr) Die("mkdtemp");
  ::setenv("WRIT_STATE", state, 1);
  ForkExec(run);  // makes the keys and the store, and probes the host
  const bool have_bwrap = ::access("/usr/bin/bwrap", X_OK) == 0;
  const std::vector<const char*> bwrap = {"/usr/bin/bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/usr", "/usr",
                                          "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
                                          "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/work", "/bin/true", nullptr};
  NoSink sink;
  auto warm_backend = Open(2), cold_backend = Open(0);
  std::vector<double> plain, warm, cold, first, peer, whole;
  for (int i = 0; i < rounds; ++i) {
    plain.push_back(Microseconds([] { ForkExec({"/bin/true", nullptr}); }));
    std::unique_ptr<Session> session;
    warm.push_back(Microseconds([&] { session = RunTrue(*warm_backend, sink); }));
    session.reset();
    Settle();
    cold.push_back(Microseconds([&] { session = RunTrue(*cold_backend, sink); }));
    session.reset();
    Settle();
    first.push_back(Microseconds([&] {
      auto backend = Open(0);
      session = RunTrue(*backend, sink);
    }));
    session.reset();
    Settle();
    if (have_bwrap) peer.push_back(Microseconds([&] { ForkExec(bwrap); }));
    Settle();
    whole.push_back(Microseconds([&] { ForkExec(run); }));
    Settle();
  }
  std::filesystem::remove_all(state);
  const double p = Median(plain), w = Median(warm), c = Median(cold), f = Median(first), all = Median(whole);
  fmt::print("start to exit of /bin/true, medians of {} interleaved rounds\n", rounds);
  fmt::print("  fork+exec           {:8.0f} us\n", p);
  fmt::print("  warm cell           {:8.0f} us   {:.2f} x fork+exec\n", w, w / p);
  if (have_bwrap) {
    const double b = Median(peer);
    fmt::print("  bubblewrap          {:8.0f} us\n", b);
    fmt::print("  warm / bubblewrap   {:8.2f}\n", w / b);
    fmt::print("  cold cell           {:8.0f} us   {:.2f} x bubblewrap (no cell ready)\n", c, c / b);
    fmt::print("  first cell          {:8.0f} us   {:.2f} x bubblewrap (starts and ends writ-jail too)\n", f, f / b);
    fmt::print("  writ run            {:8.0f} us   {:.2f} x bubblewrap (contract, receipt and both on disk)\n", all, all / b);
  } else {
    fmt::print("  cold cell           {:8.0f} us   (bubblewrap is not installed)\n  first cell          {:8.0f} us\n", c, f);
    fmt::print("  writ run            {:8.0f} us\n", all);
  }
}

void ManyRuns(int runs) {
  NoSink sink;
  const std::size_t descriptors = Entries("/proc/self/fd"), mounts = Lines("/proc/self/mountinfo");
  auto backend = Open(2);
  for (int i = 0; i < 20; ++i) RunTrue(*backend, sink);
  const long memory = ResidentKib();
  const auto before = SteadyClock::now();
  for (int i = 0; i < runs; ++i) RunTrue(*backend, sink);
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - before).count();
  const long grown = ResidentKib() - memory;
  backend.reset();
  const std::size_t descriptors_after = Entries("/proc/self/fd"), mounts_after = Lines("/proc/self/mountinfo");
  rusage use{};
  ::getrusage(RUSAGE_CHILDREN, &use);
  const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
  fmt::print("{} runs in a row through the library: {:.0f} runs/s, {:.0f} per core; memory of this process {:+} KiB\n", runs, runs / seconds,
             runs / seconds / static_cast<double>(cores), grown);
  const bool child_left = ::waitpid(-1, nullptr, WNOHANG) >= 0;
  if (descriptors != descriptors_after || mounts != mounts_after || child_left || grown > 1024)
    Die(fmt::format("something was left behind: descriptors {} -> {}, mounts {} -> {}, child {}, memory {:+} KiB", descriptors, descriptors_after,
                    mounts, mounts_after, child_left, grown));
  fmt::print("  nothing left behind: descriptors, mounts, processes, memory\n");
}

}  // namespace

int main(int argc, char** argv) {
  CompareStarts(argc > 1 ? std::atoi(argv[1]) : 200);
  ManyRuns(argc > 2 ? std::atoi(argv[2]) : 1000);
}
