#include "harness.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace writ::cli_test {
namespace {

struct Pipe {
  sys::UniqueFd read, write;
};
Pipe MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  return {sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
}

/// Appends what can be read now; false at the end.
bool ReadSome(int fd, std::string& to) {
  char buffer[1 << 16];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got > 0) to.append(buffer, static_cast<std::size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

std::vector<char*> Pointers(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (const auto& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), out_(std::move(other.out_)), err_(std::move(other.err_)), out_read_(std::move(other.out_read_)) {}

Process::~Process() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Process::WaitForOutput(std::string_view text, Deadline deadline) {
  while (out_read_.find(text) == std::string::npos) {
    pollfd wait{out_.get(), POLLIN, 0};
    if (::poll(&wait, 1, deadline.PollTimeoutMs()) <= 0 || !ReadSome(out_.get(), out_read_)) return false;
  }
  return true;
}

Ended Process::Wait(Deadline deadline) {
  Ended ended;
  ended.out = std::move(out_read_);
  bool out_open = out_.valid(), err_open = err_.valid(), late = false;
  while ((out_open || err_open) && !late) {
    pollfd waits[] = {{out_open ? out_.get() : -1, POLLIN, 0}, {err_open ? err_.get() : -1, POLLIN, 0}};
    late = ::poll(waits, 2, deadline.PollTimeoutMs()) == 0;
    if (waits[0].revents != 0) out_open = ReadSome(out_.get(), ended.out);
    if (waits[1].revents != 0) err_open = ReadSome(err_.get(), ended.err);
  }
  int status = 0;
  rusage use{};
  pid_t got = 0;
  while (!late && (got = ::wait4(pid_, &status, WNOHANG, &use)) == 0) {
    late = deadline.Passed();
    ::usleep(2000);
  }
  if (late) {
    ::kill(pid_, SIGKILL);
    ::wait4(pid_, &status, 0, &use);
  } else {
    ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  ended.rss_max_kb = use.ru_maxrss;
  pid_ = -1;
  return ended;
}

Machine::Machine()
    : directory_([] {
        auto made = sys::TemporaryDirectory::Create("/tmp", "writ-cli-");
        if (!made) std::abort();
        return *std::move(made);
      }()) {}

Process Machine::Start(const std::vector<std::string>& arguments, const StartOptions& options, const std::string& program) const {
  std::map<std::string, std::string> env{{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                         {"HOME", directory_.path()},
                                         {"WRIT_STATE", state()},
                                         {"XDG_CONFIG_HOME", directory_.path() + "/config"}};
  for (const auto& [name, value] : options.env) env[name] = value;
  std::vector<std::string> env_words, argv{program.starts_with('/') ? program : std::string(WRIT_BIN_DIR) + "/" + program};
  for (const auto& [name, value] : env) env_words.push_back(name + "=" + value);
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto argv_pointers = Pointers(argv), env_pointers = Pointers(env_words);

  Pipe out = options.stdout_fd < 0 ? MakePipe() : Pipe{sys::UniqueFd(), sys::UniqueFd()};
  Pipe err = options.stderr_fd < 0 ? MakePipe() : Pipe{sys::UniqueFd(), sys::UniqueFd()};
  const sys::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int fds[] = {options.stdin_fd < 0 ? null.get() : options.stdin_fd, options.stdout_fd < 0 ? out.write.get() : options.stdout_fd,
                     options.stderr_fd < 0 ? err.write.get() : options.stderr_fd};
  const pid_t pid = ::fork();
  if (pid < 0) std::abort();
  if (pid == 0) {
    for (int i = 0; i < 3; ++i) {
      if (::dup2(fds[i], i) < 0) ::_exit(90);
    }
    if (!options.directory.empty() && ::chdir(options.directory.c_str()) != 0) ::_exit(91);
    if (options.in_child) options.in_child();
    ::execve(argv_pointers[0], argv_pointers.data(), env_pointers.data());
    ::_exit(92);
  }
  return Process(pid, std::move(out.read), std::move(err.read));
}

canon::Json Machine::Json(const std::vector<std::string>& arguments, const StartOptions& options) const {
  const Ended ended = Run(arguments, options);
  const auto parsed = canon::Parse(ended.out, canon::Mode::kStrict);
  EXPECT_TRUE(parsed.has_value()) << "status " << ended.status << "\nstdout: " << ended.out << "\nstderr: " << ended.err;
  EXPECT_EQ(ended.out.find('\n'), ended.out.size() - 1) << "one object on one line";
  return parsed ? *parsed : canon::Json();
}

std::string Machine::Write(const std::string& name, std::string_view content, std::uint32_t mode) const {
  const auto wrote = sys::WriteFileAtomic(File(name), content, mode, sys::Durability::kQuick);
  EXPECT_TRUE(wrote.has_value()) << wrote.error().what;
  return File(name);
}

std::string Machine::NewestRun() const {
  const canon::Json list = Json({"list", "--json", "-n", "1"});
  const canon::Json* runs = list.Find("runs");
  if (!runs || !runs->is_array() || runs->array().empty()) {
    ADD_FAILURE() << "no run is listed";
    return "none";
  }
  return Member(runs->array()[0], "runId");
}

std::string WhyNoRuns() {
  static const std::string why = [] {
    const Machine machine;
    const Ended ended = machine.Run({"run", "-q", "--", "/bin/true"});
    return ended.status == 0 ? std::string() : fmt::format("no run can start here: status {}, {}", ended.status, ended.err);
  }();
  return why;
}

std::string Member(const canon::Json& json, std::string_view name) {
  const canon::Json* member = json.Find(name);
  if (!member) return "";
  return member->is_string() ? member->string() : canon::Compact(*member);
}

}  // namespace writ::cli_test
