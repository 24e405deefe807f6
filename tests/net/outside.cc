#include "outside.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace writ::net_test {
namespace {

using canon::Json;
using cli_test::Ended;
using cli_test::Member;

constexpr const char* kAddresses[] = {"93.184.215.14", "10.7.7.7", "169.254.169.254", "8.8.8.8"};
constexpr std::string_view kHosts =
    "127.0.0.1 localhost loop.test\n93.184.215.14 public.test other.test two.test\n10.7.7.7 private.test two.test\n"
    "169.254.169.254 metadata.test\n";

/// 0 or a step that failed. Runs in a child that has no other threads.
int MakeNamespaces(const char* hosts, const char* resolv_conf) {
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return 1;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 2;
  if (::mount(hosts, "/etc/hosts", nullptr, MS_BIND, nullptr) != 0) return 3;
  if (::mount(resolv_conf, "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) return 4;
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (fd < 0 || ::ioctl(fd, SIOCSIFFLAGS, &request) != 0) return 5;
  char label = '1';
  for (const char* address : kAddresses) {
    request = {};
    std::strcpy(request.ifr_name, "lo:");
    request.ifr_name[3] = label++;
    auto& in = reinterpret_cast<sockaddr_in&>(request.ifr_addr);
    in.sin_family = AF_INET;
    if (::inet_pton(AF_INET, address, &in.sin_addr) != 1 || ::ioctl(fd, SIOCSIFADDR, &request) != 0) return 6;
    in.sin_addr.s_addr = INADDR_NONE;
    if (::ioctl(fd, SIOCSIFNETMASK, &request) != 0) return 7;
  }
  ::close(fd);
  return 0;
}

/// The user that WRIT_TEST_UID names, for root.
std::optional<uid_t> TestUser() {
  const char* text = std::getenv("WRIT_TEST_UID");
  return text == nullptr ? std::nullopt : std::optional(static_cast<uid_t>(std::strtoul(text, nullptr, 10)));
}

std::uint64_t Count(const Json& json, std::string_view name) {
  const Json* member = json.Find(name);
  return member && member->is_number() ? static_cast<std::uint64_t>(member->number()) : 0;
}

}  // namespace

Outside::Outside() {
  std::filesystem::permissions(machine_.File(""), std::filesystem::perms(0755));
  for (const char* name : {"outside", "outside/www", "outside/repositories", "home"})
    std::filesystem::create_directory(machine_.File(name));
  const uid_t user = TestUser().value_or(::geteuid());
  EXPECT_EQ(::chown(machine_.File("home").c_str(), user, user), 0);
  MakeNetwork();
  StartServers();
  if (!TestUser() || testing::Test::HasFatalFailure()) return;
  const Ended refused = Writ({"run", "-q", "--net", "public.test", "--", "/bin/true"});
  const auto at = refused.err.find("--accept ");
  std::istringstream rest(at == std::string::npos ? "" : refused.err.substr(at));
  for (std::string word; rest >> word;) accept_.push_back(word);
}

Outside::~Outside() {
  servers_.reset();  // killed: gRPC takes its time to end by itself
  if (holder_ < 0) return;
  ::kill(holder_, SIGKILL);
  ::waitpid(holder_, nullptr, 0);
}

void Outside::MakeNetwork() {
  const std::string hosts = machine_.Write("hosts", kHosts),
                    resolv_conf = machine_.Write("resolv.conf", "nameserver 127.0.0.53\n");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::UniqueFd told(ends[0]);
  sys::UniqueFd tell(ends[1]);
  holder_ = ::fork();
  ASSERT_GE(holder_, 0);
  if (holder_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const auto step = static_cast<char>(MakeNamespaces(hosts.c_str(), resolv_conf.c_str()));
    if (::write(tell.get(), &step, 1) != 1 || step != 0) ::_exit(1);
    for (;;) ::pause();
  }
  tell = sys::UniqueFd();
  char step = 99;
  ASSERT_EQ(::read(told.get(), &step, 1), 1);
  ASSERT_EQ(step, 0) << "the network of the test cannot be made";
  const std::string at = fmt::format("/proc/{}/ns/", holder_);
  network_ = sys::OpenFile(at + "net", O_RDONLY).value();
  mounts_ = sys::OpenFile(at + "mnt", O_RDONLY).value();
}

void Outside::StartServers() {
  const Ended made = Host({"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                           "-nodes", "-days", "2", "-subj", "/CN=public.test", "-addext",
                           "subjectAltName=DNS:public.test", "-keyout", File("key.pem"), "-out", File("cert.pem")});
  ASSERT_EQ(made.status, 0) << made.err;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::UniqueFd read_end(ends[0]);
  stdin_end_ = sys::UniqueFd(ends[1]);
  auto options = Options();
  options.stdin_fd = read_end.get();
  servers_.emplace(machine_.Start({WRIT_SOURCE_DIR "/tests/net/outside.py", File("")}, options, "/usr/bin/python3"));
  ASSERT_TRUE(servers_->WaitForOutput("ready")) << servers_->Wait().err;
}

cli_test::StartOptions Outside::Options() const {
  return {.in_child = [network = network_.get(), mounts = mounts_.get()] {
    if (::setns(network, CLONE_NEWNET) != 0 || ::setns(mounts, CLONE_NEWNS) != 0) ::_exit(93);
  }};
}

void Outside::Serve(const std::string& name, std::string_view content) const {
  machine_.Write("outside/www/" + name, content);
}

std::vector<std::string> Outside::Arrived(std::string_view start) const {
  std::istringstream log(sys::ReadFile(File("log"), 1 << 20).value_or(""));
  std::vector<std::string> lines;
  for (std::string line; std::getline(log, line);) {
    if (line.starts_with(start)) lines.push_back(line);
  }
  return lines;
}

Ended Outside::Host(const std::vector<std::string>& argv) const {
  return machine_.Start({argv.begin() + 1, argv.end()}, Options(), argv[0]).Wait();
}

cli_test::Process Outside::Start(const std::vector<std::string>& arguments, const std::string& program, std::string state) const {
  auto options = Options();
  // The certificate is what `writ` itself believes when it speaks TLS to the servers; a job does not see the variable.
  options.env = {{"HOME", machine_.File("home")},
                 {"XDG_CONFIG_HOME", Home("config")},
                 {"WRIT_STATE", state.empty() ? Home("state") : std::move(state)},
                 {"SSL_CERT_FILE", File("cert.pem")}};
  if (const auto user = TestUser()) {
    options.in_child = [enter = options.in_child, user = *user] {
      enter();
      if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(94);
    };
  }
  return machine_.Start(arguments, options, program);
}

std::vector<std::string> Job::attempts() const {
  std::vector<std::string> lines;
  const Json* events = bundle.Find("events");
  if (!events || !events->is_array()) return lines;
  for (const auto& entry : events->array()) {
    const Json* event = entry.Find("event");
    const Json* more = event ? event->Find("writ") : nullptr;
    if (!more || Member(*event, "type") != "network.connected") continue;
    lines.push_back(fmt::format("{}:{} {} {} {}", Member(*event, "host"), Count(*more, "port"), Member(*more, "via"),
                                Member(*event, "decision"), Member(*more, "rule")));
  }
  return lines;
}

std::string Job::Receipt(std::string_view member) const {
  const Json* receipt = bundle.Find("receipt");
  const Json* more = receipt ? receipt->Find("writ") : nullptr;
  return more ? Member(*more, member) : "";
}

std::optional<Job::Use> Job::UseOf(const std::string& host, std::uint16_t port) const {
  const auto list = canon::Parse(Receipt("network"), canon::Mode::kStrict);
  if (!list || !list->is_array()) return std::nullopt;
  for (const auto& row : list->array()) {
    if (Member(row, "host") == host && Count(row, "port") == port)
      return Use{Count(row, "connections"), Count(row, "refused"), Count(row, "bytesIn"), Count(row, "bytesOut")};
  }
  return std::nullopt;
}

Job RunJob(const Outside& outside, std::vector<std::string> options, const std::string& script, const std::vector<std::string>& where) {
  const auto there = [&](std::vector<std::string> words) {
    words.insert(words.end(), where.begin(), where.end());
    return words;
  };
  std::vector<std::string> arguments = there({"run", "-q", "--timeout", "100s"});
  arguments.insert(arguments.end(), outside.accept().begin(), outside.accept().end());
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.insert(arguments.end(), {"--", "/bin/sh", "-c", script});
  Job job{.ended = outside.Writ(arguments), .bundle = {}};
  const auto list = canon::Parse(outside.Writ(there({"list", "--json", "-n", "1"})).out, canon::Mode::kStrict);
  const Json* runs = list ? list->Find("runs") : nullptr;
  if (!runs || !runs->is_array() || runs->array().empty()) {
    ADD_FAILURE() << "no run: status " << job.ended.status << ", " << job.ended.err;
    return job;
  }
  const std::string id = Member(runs->array()[0], "runId");
  const Ended verified = outside.Writ(there({"verify", id}));
  EXPECT_EQ(verified.status, 0) << verified.out << verified.err;
  const auto bundle = canon::Parse(outside.Writ(there({"bundle", id})).out, canon::Mode::kStrict);
  EXPECT_TRUE(bundle.has_value());
  if (bundle) job.bundle = *bundle;
  return job;
}

std::string WhyNot(const std::vector<std::string>& programs) {
  if (::geteuid() != 0) return "a network of the test's own needs root";
  auto needed = programs;
  needed.insert(needed.end(), {"/usr/bin/python3", "/usr/bin/openssl"});
  for (const auto& program : needed) {
    if (::access(program.c_str(), X_OK) != 0)
      return program + " is not installed; scripts/setup test installs what the tests need";
  }
  return cli_test::WhyNoRuns();
}

}  // namespace writ::net_test
