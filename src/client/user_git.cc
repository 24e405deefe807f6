#include "client/user_git.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "base/escape.h"
#include "sys/file.h"
#include "sys/unique_fd.h"

namespace writ::client {
namespace {

constexpr std::uint64_t kErrBytesMax = 64u << 10;
constexpr std::size_t kComplaintColumnsMax = 500;

/// Settings above every configuration file. Filters stay: without them a working tree under LFS looks changed.
constexpr std::array kSettings = {"core.hooksPath=/dev/null",
                                  "core.fsmonitor=false",
                                  "core.pager=cat",
                                  "core.quotePath=true",
                                  "core.askPass=",
                                  "log.showSignature=false",
                                  "gpg.program=/bin/false",
                                  "diff.noprefix=false",
                                  "diff.mnemonicPrefix=false",
                                  "diff.submodule=short",
                                  "diff.orderFile=/dev/null",
                                  "diff.relative=false",
                                  "diff.suppressBlankEmpty=false",
                                  "color.ui=false",
                                  "protocol.ext.allow=never",
                                  "advice.detachedHead=false",
                                  "apply.ignoreWhitespace=no",
                                  "apply.whitespace=nowarn",
                                  "gc.auto=0",
                                  "maintenance.auto=false"};

std::vector<std::string> Environment(const GitCall& call) {
  // No protocol: fetching the objects that a partial clone lacks would run what its configuration names.
  std::vector<std::string> env = {"LC_ALL=C",           "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=/bin/false", "GIT_PAGER=cat",
                                  "GIT_OPTIONAL_LOCKS=0", "GIT_ATTR_NOSYSTEM=1",   "GIT_ALLOW_PROTOCOL=none"};
  for (const char* name : {"PATH", "HOME", "XDG_CONFIG_HOME", "USER"})
    if (const char* value = ::getenv(name)) env.push_back(fmt::format("{}={}", name, value));
  for (const auto& [name, value] : call.env) env.push_back(fmt::format("{}={}", name, value));
  return env;
}

std::vector<std::string> Arguments(const std::string& directory, const GitCall& call) {
  std::vector<std::string> argv = {"git", "--no-pager", "--literal-pathspecs", "-C", directory};
  for (const char* setting : kSettings) {
    argv.emplace_back("-c");
    argv.emplace_back(setting);
  }
  argv.insert(argv.end(), call.args.begin(), call.args.end());
  return argv;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (auto& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

struct Pipe {
  sys::UniqueFd read, write;
};
Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("pipe");
  return Pipe{sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
}

/// A file in memory, at its start.
Result<sys::UniqueFd> InputOf(std::string_view bytes) {
  if (bytes.empty()) return sys::OpenFile("/dev/null", O_RDONLY);
  sys::UniqueFd file(::memfd_create("git-input", MFD_CLOEXEC));
  if (!file.valid()) return FailErrno("memory for git's input");
  WRIT_TRY("git's input", sys::WriteAll(file.get(), bytes));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return FailErrno("git's input");
  return file;
}

/// A started git, which is killed with its children and reaped if it was not waited for.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), fd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ < 0) return;
    ::kill(-pid_, SIGKILL);  // a process group of its own
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Result<int> Wait(Deadline deadline) {
    pollfd end{fd_.get(), POLLIN, 0};
    while (fd_.valid()) {
      const int ready = ::poll(&end, 1, deadline.PollTimeoutMs());
      if (ready > 0) break;
      if (ready == 0) return Fail(Code::kDeadline, "git took too long");
      if (errno != EINTR) return FailErrno("wait for git");
    }
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0)
      if (errno != EINTR) return FailErrno("wait for git");
    pid_ = -1;
    if (WIFSIGNALED(status)) return Fail(Code::kUnavailable, "git was killed by signal {}", WTERMSIG(status));
    return WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
  sys::UniqueFd fd_;
};

Result<pid_t> Spawn(const std::string& directory, const GitCall& call, int in, int out, int err) {
  std::vector<std::string> args = Arguments(directory, call), env = Environment(call);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, in, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  ::posix_spawn_file_actions_adddup2(&actions, err, 2);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, "git", &actions, &attributes, Pointers(args).data(), Pointers(env).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failed != 0)
    return Fail(Code::kUnavailable, "git cannot be started ({}); it must be installed and in PATH",
                std::strerror(failed));
  return pid;
}

/// Reads both pipes to their ends.
Result<> ReadBoth(sys::UniqueFd& out, sys::UniqueFd& err, GitAnswer& answer, std::uint64_t out_bytes_max,
                  Deadline deadline) {
  std::vector<char> buffer(64u << 10);
  while (out.valid() || err.valid()) {
    std::array<pollfd, 2> waits{{{out.get(), POLLIN, 0}, {err.get(), POLLIN, 0}}};
    const int ready = ::poll(waits.data(), waits.size(), deadline.PollTimeoutMs());
    if (ready == 0) return Fail(Code::kDeadline, "git took too long");
    if (ready < 0 && errno != EINTR) return FailErrno("wait for git");
    if (ready < 0) continue;
    for (int i = 0; i < 2; ++i) {
      sys::UniqueFd& from = i == 0 ? out : err;
      if (!from.valid() || waits[static_cast<std::size_t>(i)].revents == 0) continue;
      const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got < 0) return FailErrno("read from git");
      const auto bytes = static_cast<std::size_t>(got);
      if (got == 0) {
        from.Reset();
      } else if (i == 0) {
        if (answer.out.size() + bytes > out_bytes_max)
          return Fail(Code::kExhausted, "git wrote more than {} bytes", out_bytes_max);
        answer.out.append(buffer.data(), bytes);
      } else {
        answer.err.append(buffer.data(), std::min<std::size_t>(bytes, kErrBytesMax - answer.err.size()));
      }
    }
  }
  return {};
}

std::string Complaint(std::string_view err) {
  while (err.ends_with('\n')) err.remove_suffix(1);
  return EscapeVisible(err, kComplaintColumnsMax);
}

}  // namespace

Result<GitAnswer> UserGit::Run(const GitCall& call, Deadline deadline) const {
  const auto input = WRIT_TRY("git", InputOf(call.input));
  auto out = WRIT_TRY("git", MakePipe());
  auto err = WRIT_TRY("git", MakePipe());
  Child child(WRIT_TRY("git", Spawn(directory_, call, input.get(), out.write.get(), err.write.get())));
  out.write.Reset();
  err.write.Reset();
  GitAnswer answer;
  WRIT_TRY("git", ReadBoth(out.read, err.read, answer, call.out_bytes_max, deadline));
  answer.code = WRIT_TRY("git", child.Wait(deadline));
  return answer;
}

Result<std::string> UserGit::Output(const GitCall& call, Deadline deadline) const {
  GitAnswer answer = WRIT_TRY("git", Run(call, deadline));
  if (answer.code != 0)
    return Fail(Code::kInvalid, "git {} failed: {}", call.args.empty() ? "" : call.args.front(), Complaint(answer.err));
  return std::move(answer.out);
}

Result<Repository> FindRepository(const std::string& directory, Deadline deadline) {
  const UserGit git(directory);
  const auto answer = WRIT_TRY(
      "repository",
      git.Run({.args = {"rev-parse", "--is-shallow-repository", "--show-toplevel", "--verify", "HEAD^{commit}"},
               .input = {},
               .env = {}},
              deadline));
  if (answer.code != 0) {
    return Fail(Code::kNotFound, "{} is no git working tree with a commit: {}", EscapeVisible(directory),
                Complaint(answer.err));
  }
  // Three lines; only the middle one, a path, may hold line ends of its own.
  std::string_view text = answer.out;
  if (text.ends_with('\n')) text.remove_suffix(1);
  const std::size_t first = text.find('\n'), last = text.rfind('\n');
  if (first == text.npos || first == last)
    return Fail(Code::kCorrupt, "git's answer about the repository is not understood");
  Repository found;
  found.shallow = text.substr(0, first) == "true";
  found.top = text.substr(first + 1, last - first - 1);
  found.head = text.substr(last + 1);
  if (!IsCommitId(found.head) || !found.top.starts_with('/'))
    return Fail(Code::kCorrupt, "git's answer about the repository is not understood");
  return found;
}

bool IsCommitId(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace writ::client
