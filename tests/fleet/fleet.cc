#include "fleet.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "api/plane/plane_service.h"
#include "contract/bundle.h"
#include "contract/manifest.h"
#include "http/serve/serve_main.h"
#include "isolation/fake/fake_backend.h"
#include "runner/command.h"

namespace writ::fleet_test {
namespace {

using canon::Json;
namespace fake = isolation::fake;

constexpr Millis kCallTimeout{5000}, kLook{50}, kGuestSign{20};

std::int64_t NowNs() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

bool WriteText(const char* path, const std::string& text) {
  const sys::UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file.valid() && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string EnterNetwork() {
  if (::access("/usr/sbin/ip", X_OK) != 0) return "there is no /usr/sbin/ip (package iproute2)";
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (uid == 0) {
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return "no network namespace can be made here";
  } else {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0) return "no user and network namespace can be made here";
    if (!WriteText("/proc/self/setgroups", "deny") || !WriteText("/proc/self/uid_map", fmt::format("0 {} 1", uid)) ||
        !WriteText("/proc/self/gid_map", fmt::format("0 {} 1", gid)))
      return "the maps of a user namespace cannot be written here";
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "mounts cannot be kept apart here";
  if (!Shell("ip link set lo up && ip addr add 10.77.0.1/32 dev lo")) return "the network of a namespace cannot be set up here";
  if (!Shell("ip link add wtry type veth peer name wtry2 && ip link del wtry")) return "no veth pair can be made here";
  return "";
}

/// The machine's clocks, the wall clock off by what the test says.
class SkewedClock final : public Clock {
 public:
  explicit SkewedClock(const std::atomic<std::int64_t>& skew_ms) : skew_ms_(skew_ms) {}
  WallTime Now() const override { return machine_.Now() + Millis{skew_ms_.load()}; }
  MonoTime Mono() const override { return machine_.Mono(); }

 private:
  SystemClock machine_;
  const std::atomic<std::int64_t>& skew_ms_;
};

/// A guest that shows that it runs, prints, and ends.
fake::Script GuestOf(Shared* shared) {
  const Millis time{shared->guest_ms.load()};
  const auto mine = std::make_shared<int>(-1);
  fake::Script script;
  script.steps.push_back(fake::Call{[=] {
    *mine = std::min(shared->executions.fetch_add(1), static_cast<int>(std::size(shared->execution)) - 1);
    shared->execution[*mine].began = shared->execution[*mine].last_sign = NowNs();
  }});
  for (Millis passed{0}; passed < time; passed += kGuestSign) {
    script.steps.push_back(fake::Sleep{kGuestSign});
    script.steps.push_back(fake::Call{[=] { shared->execution[*mine].last_sign = NowNs(); }});
  }
  script.steps.push_back(fake::Print{isolation::Stream::kStdout, "done\n"});
  script.steps.push_back(fake::Call{[=] { shared->execution[*mine].finished = NowNs(); }});
  return script;
}

std::vector<std::string_view> Views(const std::vector<std::string>& words) { return {words.begin(), words.end()}; }

int WaitFor(pid_t child) {
  int status = 0;
  pid_t got = 0;
  const bool ended = Eventually([&] { return (got = ::waitpid(child, &status, WNOHANG)) != 0; }, Millis{30'000});
  EXPECT_TRUE(ended && got == child) << "a process does not end";
  return status;
}

}  // namespace

std::string WhyNoNetwork() {
  static const std::string why = EnterNetwork();
  return why;
}

bool Shell(const std::string& command) { return std::system(("PATH=/usr/sbin:/usr/bin:/sbin:/bin; " + command).c_str()) == 0; }

bool Eventually(const std::function<bool()>& so, Millis patience) {
  const Deadline deadline = Deadline::After(patience);
  for (;;) {
    if (so()) return true;
    if (deadline.Passed()) return false;
    ::usleep(static_cast<useconds_t>(kLook.count() * 1000));
  }
}

FleetTest::FleetTest() : temporary_(*sys::TemporaryDirectory::Create(testing::TempDir(), "fleet")), state_(File("plane")) {
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  shared_ = new (memory) Shared();
}

FleetTest::~FleetTest() {
  for (auto& runner : runners_)
    if (runner.pid > 0) Kill(runner.pid, SIGKILL);
  if (plane_ > 0) {
    ::kill(plane_, SIGKILL);
    WaitFor(plane_);
  }
  for (const auto& runner : runners_)
    if (runner.number > 0) Shell(fmt::format("ip link del wp{0} 2>/dev/null; ip route del blackhole 10.78.{0}.2/32 2>/dev/null", runner.number));
  for (const auto& disk : disks_) ::umount2(disk.c_str(), MNT_DETACH);
  ::munmap(shared_, sizeof(Shared));
}

void FleetTest::SetUp() { WRIT_NEEDS_NETWORK(); }

pid_t FleetTest::Spawn(const std::string& name, int stdout_fd, const std::function<int()>& main) {
  const sys::UniqueFd log(::open(File(name + ".log").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  const sys::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const pid_t child = ::fork();
  EXPECT_GE(child, 0);
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::dup2(null.get(), 0) < 0 || ::dup2(stdout_fd < 0 ? null.get() : stdout_fd, 1) < 0 || ::dup2(log.get(), 2) < 0) ::_exit(90);
  ::_exit(main());
}

void FleetTest::Serve(const Placed& placed) {
  const std::string policy = File("policy.json");
  ASSERT_TRUE(sys::WriteFileAtomic(
      policy,
      R"({"version":"warrant.policy.v1","runners":{"allowPools":["default"]},"agents":{"allow":["command"]},"dataClasses":[],)"
      R"("network":{"defaultDeny":true,"allowHosts":[]},"secrets":{"releasable":[]},"budget":{"maxSpendUsd":25,"maxDurationMin":60},)"
      R"("consent":)" + placed.consent + R"(,"retention":{"receiptsDays":365,"artifactsDays":90}})",
      0600, sys::Durability::kQuick));
  url_ = fmt::format("http://{}:{}", placed.host, kPort);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  sys::UniqueFd out(ends[0]), to(ends[1]);
  plane_ = Spawn("plane", to.get(), [&] {
    const SkewedClock clock(shared_->plane_skew_ms);
    http::ServeWiring wiring{.start_backends = [](const std::string&) -> Result<std::vector<runner::TierBackend>> { return Fail(Code::kInternal, "no runner here"); },
                             .confine = []() -> Result<> { return {}; },
                             .adjust = {}};
    wiring.adjust_plane = [&](api::PlaneOptions& options) {
      options.settings.lease = placed.lease;
      options.clock = &clock;
      options.fault_hook = [this, label = placed.label, after = placed.after, counts = placed.after.empty()](std::string_view here) mutable {
        if (shared_->kill_at > 0 && here == after) counts = true;
        if (here == label && counts && shared_->kill_at > 0 && --shared_->kill_at == 0) ::kill(::getpid(), SIGKILL);
      };
    };
    const std::vector<std::string> words = {"--state", state_, "--listen", fmt::format("{}:{}", placed.host, kPort), "--policy", policy,
                                            "--admin-token", kAdmin, "--enroll-token", "enroll-token-of-the-fleet", "--insecure-http"};
    return http::ServeMain(Views(words), [](std::string_view) { return std::nullopt; }, wiring);
  });
  to = sys::UniqueFd();
  char byte = 0;
  ASSERT_EQ(::read(out.get(), &byte, 1), 1) << "the plane does not start: " << Log("plane");
}

void FleetTest::AwaitPlaneDeath() {
  int status = 0;
  pid_t got = 0;
  ASSERT_TRUE(Eventually([&] { return (got = ::waitpid(plane_, &status, WNOHANG)) != 0; })) << "the plane did not reach its label\n" << Log("plane");
  plane_ = -1;
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status << Log("plane");
}

void FleetTest::KillPlane() {
  ::kill(plane_, SIGKILL);
  AwaitPlaneDeath();
}

int FleetTest::StopPlane() {
  ::kill(plane_, SIGTERM);
  const int status = WaitFor(std::exchange(plane_, -1));
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

pid_t FleetTest::StartRunner(const RunnerPlace& place) {
  int told[2] = {-1, -1}, tell[2] = {-1, -1};
  EXPECT_EQ(::pipe2(told, O_CLOEXEC), 0);
  EXPECT_EQ(::pipe2(tell, O_CLOEXEC), 0);
  const std::string directory = place.directory.empty() ? File(place.name) : place.directory;
  const std::string guests = File("guests");
  EXPECT_TRUE(sys::MakeDirectories(guests, 0700));
  Running running;
  static int wires = 0;
  running.number = place.apart ? ++wires : 0;
  running.pid = Spawn(place.name, -1, [&]() -> int {
    if (place.apart) {
      char byte = 0;
      if (::unshare(CLONE_NEWNET) != 0 || ::write(told[1], "n", 1) != 1 || ::read(tell[0], &byte, 1) != 1) return 91;
      if (!Shell(fmt::format("ip link set lo up && ip addr add 10.78.{0}.2/24 dev wr{0} && ip link set wr{0} up && ip route add default via 10.78.{0}.1",
                             running.number)))
        return 92;
    }
    const SkewedClock clock(shared_->runner_skew_ms);
    runner::CommandWiring wiring;
    wiring.start_backends = [&](const std::string&) -> Result<std::vector<runner::TierBackend>> {
      std::vector<runner::TierBackend> backends;
      backends.push_back({std::make_unique<fake::FakeBackend>(
          guests, [this](const isolation::SessionSpec&) { return GuestOf(shared_); })});
      return backends;
    };
    wiring.adjust = [&](runner::Options& options) -> Result<> {
      options.clock = &clock;
      options.poll_wait = Millis{1000};
      options.poll_interval = Millis{100};
      options.enroll_retry = Millis{100};
      options.first_backoff = Millis{20};
      return {};
    };
    const std::vector<std::string> words = {"--plane", place.url.empty() ? url_ : place.url, "--token", "enroll-token-of-the-fleet", "--dir", directory};
    return runner::CommandMain(Views(words), [](std::string_view) { return std::nullopt; }, wiring);
  });
  const sys::UniqueFd ends[] = {sys::UniqueFd(told[0]), sys::UniqueFd(told[1]), sys::UniqueFd(tell[0]), sys::UniqueFd(tell[1])};
  EXPECT_TRUE(!place.apart || Join(running, ends[0].get(), ends[3].get())) << Log(place.name);
  const pid_t pid = running.pid;
  runners_.push_back(std::move(running));
  return pid;
}

/// Joins the network of a runner that waits for it.
bool FleetTest::Join(Running& running, int told, int tell) {
  char byte = 0;
  if (::read(told, &byte, 1) != 1) return false;
  running.network = sys::UniqueFd(::open(fmt::format("/proc/{}/ns/net", running.pid).c_str(), O_RDONLY | O_CLOEXEC));
  return running.network.valid() &&
         Shell(fmt::format("ip link add wp{0} type veth peer name wr{0} netns {1} && ip addr add 10.78.{0}.1/24 dev wp{0} && ip link set wp{0} up",
                           running.number, running.pid)) &&
         ::write(tell, "j", 1) == 1;
}

void FleetTest::Set(pid_t runner, Wire wire) {
  const auto found = std::ranges::find(runners_, runner, &Running::pid);
  ASSERT_TRUE(found != runners_.end() && found->network.valid());
  const auto there = [&](const std::string& command) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::setns(found->network.get(), CLONE_NEWNET) == 0 && Shell(command) ? 0 : 1);
    return WaitFor(child) == 0;
  };
  const int n = found->number;
  const auto set = [&](Wire what, bool broken) {
    switch (what) {
      case Wire::kWhole: return true;
      case Wire::kCut: return Shell(fmt::format("ip link set wp{} {}", n, broken ? "down" : "up"));
      case Wire::kNoReplies: return Shell(fmt::format("ip route {} blackhole 10.78.{}.2/32", broken ? "add" : "del", n));
      case Wire::kNoRequests: return there(fmt::format("ip route {} blackhole {}/32", broken ? "add" : "del", kPlaneHost));
    }
    return false;
  };
  ASSERT_TRUE(set(found->wire, false));
  ASSERT_TRUE(set(wire, true));
  found->wire = wire;
}

void FleetTest::Kill(pid_t child, int signal) {
  ::kill(child, signal);
  if (signal == SIGKILL) ExitOf(child);
}

int FleetTest::ExitOf(pid_t child) {
  const int status = WaitFor(child);
  for (auto& runner : runners_)
    if (runner.pid == child) runner.pid = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Json FleetTest::Request(const std::string& on_lost) {
  Json request = Json::Of({{"requestedBy", Json::Of({{"kind", "human"}, {"id", "alice"}})},
                           {"agentKind", "command"},
                           {"prompt", "echo done"},
                           {"pool", "default"},
                           {"secretNames", Json::MakeArray()},
                           {"workspace", contract::ToJson(contract::EmptyManifest())},
                           {"network", Json::Of({{"defaultDeny", true}, {"allowHosts", Json::MakeArray()}})},
                           {"budget", Json::MakeObject()},
                           {"disclosure", "minimal-context"}});
  if (!on_lost.empty()) request.Set("writ", Json::Of({{"v", 1}, {"onLost", on_lost}}));
  return request;
}

Result<Json> FleetTest::Post(const std::string& path, const Json& body, const std::string& key) {
  const auto plane = WRIT_TRY("plane", remote::PlaneConnection::Open(url_, kAdmin));
  net::Http1Fields fields;
  if (!key.empty()) fields.push_back({"Idempotency-Key", key});
  return plane->Post(path, body, kCallTimeout, fields);
}

std::string FleetTest::Submit(const Json& request, const std::string& key) {
  std::string id, why;
  EXPECT_TRUE(Eventually([&] {
    const auto answer = Post("/v1/runs", Json::Of({{"request", request}}), key);
    if (answer && answer->FindString("runId")) id = *answer->FindString("runId");
    if (!answer) why = answer.error().what;
    return !id.empty();
  })) << why << Log("plane");
  return id;
}

Json FleetTest::Get(const std::string& path) {
  const auto plane = remote::PlaneConnection::Open(url_, kAdmin);
  EXPECT_TRUE(plane);
  auto answer = (*plane)->Get(path, kCallTimeout);
  return answer ? *std::move(answer) : Json();
}

std::string FleetTest::StatusOf(const std::string& run) {
  const Json view = Get("/v1/runs/" + run);
  const std::string* status = view.FindString("status");
  return status == nullptr ? "" : *status;
}

bool FleetTest::AwaitStatus(const std::string& run, const std::string& status, Millis patience) {
  return Eventually([&] { return StatusOf(run) == status; }, patience);
}

bool FleetTest::AwaitEnd(const std::string& run, Millis patience) {
  return Eventually(
      [&] {
        const std::string status = StatusOf(run);
        return status == "completed" || status == "failed" || status == "cancelled";
      },
      patience);
}

std::vector<std::string> FleetTest::Problems(const std::string& run) {
  const auto pem = sys::ReadFile(state_ + "/keys/plane.pub.pem", 4096);
  const Json bundle = Get("/v1/runs/" + run + "/bundle");
  if (!pem || bundle.is_null()) return {"there is no bundle"};
  return contract::VerifyBundle(bundle, {.plane = {contract::Pin::OfKey(*crypto::PublicKey::FromPem(*pem))}, .runner = {}}).problems;
}

Json FleetTest::Receipt(const std::string& run) {
  const Json bundle = Get("/v1/runs/" + run + "/bundle");
  const Json* receipt = bundle.Find("receipt");
  return receipt == nullptr ? Json() : *receipt;
}

std::string FleetTest::FailureOf(const std::string& run) {
  const Json view = Get("/v1/runs/" + run);
  const Json* events = view.Find("events");
  if (events == nullptr || events->array().empty()) return "no events";
  const Json* last = events->array().back().Find("event");
  const std::string* failure = last->FindString("failure");
  return failure == nullptr ? "" : *failure + ": " + *last->FindString("message");
}

std::size_t FleetTest::CountOf(const std::string& run, const std::string& event_type) {
  const Json view = Get("/v1/runs/" + run);
  const Json* events = view.Find("events");
  if (events == nullptr) return 0;
  return static_cast<std::size_t>(
      std::ranges::count_if(events->array(), [&](const Json& entry) { return *entry.Find("event")->FindString("type") == event_type; }));
}

std::size_t FleetTest::RunCount() {
  const Json list = Get("/v1/runs");
  const Json* runs = list.Find("runs");
  return runs == nullptr ? 0 : runs->array().size();
}

bool FleetTest::Overlapped() const {
  for (int i = 1; i < executions(); ++i)
    if (shared_->execution[i].began < shared_->execution[i - 1].last_sign) return true;
  return false;
}

std::string FleetTest::MakeDisk(const std::string& name, std::size_t mebibytes) {
  const std::string path = File(name);
  EXPECT_TRUE(sys::MakeDirectories(path, 0700));
  EXPECT_EQ(::mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, fmt::format("size={}m,mode=0700", mebibytes).c_str()), 0);
  disks_.push_back(path);
  return path;
}

void FleetTest::Fill(const std::string& disk, bool full) {
  const std::string file = disk + "/ballast";
  if (!full) {
    ASSERT_EQ(::unlink(file.c_str()), 0);
    return;
  }
  const sys::UniqueFd ballast(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  ASSERT_TRUE(ballast.valid());
  const std::string page(4096, 'b');
  while (::write(ballast.get(), page.data(), page.size()) > 0) continue;
  ASSERT_EQ(errno, ENOSPC);
}

std::string FleetTest::Log(const std::string& name) const { return sys::ReadFile(File(name + ".log"), 1 << 20).value_or("no log"); }

}  // namespace writ::fleet_test
