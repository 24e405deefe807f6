#include "escape_for_test.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

#include "isolation/process/seccomp/filter.h"

namespace writ::escape {
namespace {

namespace fs = std::filesystem;
using isolation::Mechanisms;
using isolation::Stream;

const Mechanisms kEverythingWeaker = {
    {"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}, {"groups", "kept"}, {"disk", "watch"}};

class TextSink final : public isolation::OutputSink {
 public:
  Result<> Write(Stream stream, ByteView bytes) override {
    (stream == Stream::kStdout ? out : err) += AsText(bytes);
    return {};
  }
  Result<> Truncated(Stream) override { return {}; }
  std::string out, err;
};

/// Hides Landlock from this process and everything it starts, as a kernel without it would: the first wall must hold
/// by itself. Needs the capability that lets a filter be installed without no_new_privs, which newuidmap cannot have.
void HideLandlock() {
  const sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  static const bool hidden = seccomp::InstallFilter(filter).has_value();
  ASSERT_TRUE(hidden);
}

}  // namespace

std::string GuestRun::Line(std::string_view name) const {
  std::istringstream lines(out);
  const std::string start = std::string(name) + ": ";
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(start)) return line.substr(start.size());
  return "";
}

std::size_t GuestRun::Count(std::string_view word) const {
  std::istringstream lines(out);
  const std::string wanted = ": " + std::string(word);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line);) count += line.find(wanted) != std::string::npos;
  return count;
}

void EscapeTest::SetUp() {
  if (const char* without = std::getenv("WRIT_TEST_WITHOUT"); without != nullptr && std::string_view(without) == "landlock") {
    if (::geteuid() != 0) GTEST_SKIP() << "hiding Landlock needs root";
    ASSERT_NO_FATAL_FAILURE(HideLandlock());
  }
  if (const char* uid = std::getenv("WRIT_TEST_UID"); uid != nullptr && ::geteuid() == 0) {
    const auto id = static_cast<uid_t>(std::atoi(uid));
    ASSERT_EQ(::setgroups(0, nullptr), 0);
    ASSERT_EQ(::setresgid(id, id, id), 0);
    ASSERT_EQ(::setresuid(id, id, id), 0);
  }
  std::string name = (fs::temp_directory_path() / "writ-escape-XXXXXX").string();
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  scratch_ = name;
}

void EscapeTest::TearDown() {
  backend_.reset();
  if (scratch_.empty()) return;
  std::error_code failure;
  fs::remove_all(scratch_, failure);
  EXPECT_FALSE(failure) << failure.message();
}

isolation::Backend& EscapeTest::backend() {
  if (backend_ == nullptr) {
    auto made = isolation::process::ProcessBackend::Create(
        {.path = WRIT_BIN_DIR "/writ-jail", .warm_cells = warm_cells_, .delegated_cgroup = ""});
    if (!made) throw std::runtime_error(made.error().what);
    backend_ = std::move(*made);
  }
  return *backend_;
}

bool EscapeTest::FullyEnforced() {
  isolation::SessionSpec spec;
  spec.argv = {"/bin/true"};
  const auto accepted = backend().Accepts(spec);
  if (accepted) return true;
  EXPECT_EQ(accepted.error().code, Code::kUnavailable) << accepted.error().what;
  EXPECT_THAT(accepted.error().what, testing::HasSubstr("--accept ")) << "the refusal must say what to accept";
  return false;
}

isolation::SessionSpec EscapeTest::Spec(const std::string& name, std::vector<std::string> arguments) {
  const fs::path stage = scratch_ / ("in-" + name);
  fs::create_directories(stage);
  fs::copy_file(fs::path(WRIT_BIN_DIR) / "guests" / name, stage / name, fs::copy_options::skip_existing);
  isolation::SessionSpec spec;
  spec.argv = std::move(arguments);
  spec.argv.insert(spec.argv.begin(), "/in/" + name);
  spec.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp/home", "TMPDIR=/tmp", "LANG=C.UTF-8", "TZ=UTC"};
  spec.limits.wall_time = Millis{60'000};
  spec.accepted = kEverythingWeaker;
  spec.inputs.emplace(isolation::Layer{stage.string(), sys::UniqueFd{::open(stage.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}});
  return spec;
}

GuestRun EscapeTest::Run(const std::string& name, std::vector<std::string> arguments, const Change& change) {
  GuestRun run;
  auto spec = Spec(name, std::move(arguments));
  if (change) change(spec);
  auto sink = std::make_unique<TextSink>();
  auto session = backend().Start(std::move(spec), *sink);
  if (!session) throw std::runtime_error("start " + name + ": " + session.error().what);
  run.session = std::move(*session);
  auto outcome = run.session->Wait(Deadline::After(Millis{120'000}));
  if (!outcome) throw std::runtime_error("wait for " + name + ": " + outcome.error().what);
  run.outcome = std::move(*outcome);
  run.enforced = run.session->guarantees().enforced;
  if (std::getenv("WRIT_TEST_WITHOUT") != nullptr) {
    EXPECT_FALSE(run.enforced.contains("landlock")) << "it was not hidden";
  }
  run.out = sink->out;
  run.err = sink->err;
  run.sink = std::move(sink);
  return run;
}

void EscapeTest::ExpectAllRefused(const GuestRun& run, std::size_t attempts) {
  EXPECT_EQ(run.outcome.how, isolation::Termination::kExited) << run.outcome.message << "\n" << run.out << run.err;
  EXPECT_EQ(run.outcome.code, 0) << run.out << run.err;
  EXPECT_GE(run.Count("refused "), attempts) << run.out;
  std::istringstream lines(run.out);
  for (std::string line; std::getline(lines, line);) EXPECT_EQ(line.find(": SUCCEEDED"), std::string::npos) << line;
}

bool InVirtualMachine() { return std::getenv("WRIT_VM") != nullptr; }

std::vector<int> ProcessesWith(const std::string& token) {
  std::vector<int> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; }) || std::stoi(name) == ::getpid()) continue;
    std::ifstream file(entry.path() / "cmdline");
    const std::string command((std::istreambuf_iterator<char>(file)), {});
    if (command.find(token) != std::string::npos) found.push_back(std::stoi(name));
  }
  return found;
}

}  // namespace writ::escape
