#include "isolation/probe/probe_runner.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>

#include "sys/unique_fd.h"

namespace writ::isolation {
namespace {

constexpr std::size_t kTextMax = 512;
constexpr std::size_t kFindingsMax = 16;
constexpr std::size_t kAnswerMax = kFindingsMax * 3 * (kTextMax + 2);

/// One probe per record: ok byte, then name, detail and fix, each ended by NUL.
std::string Encode(const std::vector<Probe>& probes) {
  std::string out;
  for (const Probe& probe : probes) {
    out.push_back(probe.ok ? '1' : '0');
    for (const std::string* text : {&probe.name, &probe.detail, &probe.fix}) out.append(*text).push_back('\0');
  }
  return out;
}

std::vector<Probe> Decode(std::string_view bytes) {
  std::vector<Probe> probes;
  while (!bytes.empty()) {
    Probe probe;
    probe.ok = bytes.front() == '1';
    bytes.remove_prefix(1);
    for (std::string* text : {&probe.name, &probe.detail, &probe.fix}) {
      const std::size_t end = bytes.find('\0');
      if (end == std::string_view::npos) return probes;
      text->assign(bytes.substr(0, end));
      bytes.remove_prefix(end + 1);
    }
    probes.push_back(std::move(probe));
  }
  return probes;
}

struct Child {
  const ProbeSpec* spec = nullptr;
  pid_t pid = -1;
  sys::UniqueFd answer;  ///< readable when the child answered or died; invalid once read
  sys::UniqueFd pidfd;   ///< invalid where pidfd_open is missing; the answer socket's end of file then has to do
  std::vector<Probe> found;
  std::string trouble;  ///< why there is no answer
  bool ended = false;
};

[[noreturn]] void BeChild(const ProbeSpec& spec, int answer_fd) {
  // A group of its own, so that whatever the body starts can be killed with it.
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGALRM, SIGCHLD, SIGSYS}) ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Locks and sockets of the caller must not live on in a probe that hangs in the kernel.
  if (answer_fd != 3) {
    ::dup2(answer_fd, 3);
    answer_fd = 3;
  }
  ::fcntl(answer_fd, F_SETFD, FD_CLOEXEC);
  ::syscall(SYS_close_range, 4U, ~0U, 0U);
  Findings findings;
  try {
    spec.body(findings);
  } catch (const std::exception& failure) {
    for (const std::string& name : spec.names)
      findings.Add(name, Finding::Missing(std::string("probe failed: ") + failure.what(), ""));
  }
  const std::string answer = Encode(findings.probes());
  const ssize_t sent = ::send(answer_fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  ::_exit(sent == static_cast<ssize_t>(answer.size()) ? 0 : 1);
}

void Start(const ProbeSpec& spec, Child& child) {
  child.spec = &spec;
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    child.trouble = "probe could not be started: socketpair: " + ErrnoText(errno);
    child.ended = true;
    return;
  }
  child.answer = sys::UniqueFd(pair[0]);
  const sys::UniqueFd theirs(pair[1]);
  child.pid = ::fork();
  if (child.pid == 0) BeChild(spec, theirs.get());
  if (child.pid < 0) {
    child.trouble = "probe could not be started: fork: " + ErrnoText(errno);
    child.ended = true;
    return;
  }
  // Set by both sides: whoever is first, the group exists before it is needed.
  ::setpgid(child.pid, child.pid);
  child.pidfd = sys::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0U)));
}

void TakeAnswer(Child& child) {
  std::array<char, kAnswerMax> buffer;
  const ssize_t got = ::recv(child.answer.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got > 0) child.found = Decode({buffer.data(), static_cast<std::size_t>(got)});
  child.answer.Reset();
}

/// Kills the child's group and reaps the child. The unreaped child keeps its number and its group's number from
/// being used again, so no other process can be hit.
void End(Child& child) {
  if (child.pid < 0) return;
  ::kill(-child.pid, SIGKILL);
  if (!child.pidfd.valid() || ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), SIGKILL, nullptr, 0U) != 0)
    ::kill(child.pid, SIGKILL);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (child.found.empty() && child.trouble.empty())
    child.trouble = WIFSIGNALED(status) ? std::string("probe died of signal ") + std::to_string(WTERMSIG(status))
                                        : "probe ended without an answer";
  child.ended = true;
}

void Append(const Child& child, std::vector<Probe>& out) {
  for (const std::string& name : child.spec->names) {
    const auto found = std::ranges::find(child.found, name, &Probe::name);
    if (found != child.found.end()) {
      out.push_back(*found);
      continue;
    }
    const std::string why = child.trouble.empty() ? "probe gave no answer" : child.trouble;
    out.push_back({name, false, why, "counts as missing; run `writ doctor --refresh` to try again"});
  }
}

}  // namespace

void Findings::Add(std::string_view name, Finding finding) {
  if (probes_.size() >= kFindingsMax) return;
  const auto tidy = [](std::string text) {
    if (text.size() > kTextMax) text.resize(kTextMax);
    std::erase(text, '\0');
    return text;
  };
  probes_.push_back(
      {tidy(std::string(name)), finding.ok, tidy(std::move(finding.detail)), tidy(std::move(finding.fix))});
}

ProbeSpec::ProbeSpec(std::string name, std::function<Finding()> single) : names{name} {
  body = [name = std::move(name), single = std::move(single)](Findings& findings) { findings.Add(name, single()); };
}

ProbeSpec::ProbeSpec(std::vector<std::string> names_in, std::function<void(Findings&)> body_in,
                     std::function<void()> clean_up_in)
    : names(std::move(names_in)), body(std::move(body_in)), clean_up(std::move(clean_up_in)) {}

Result<std::vector<Probe>> RunProbes(const std::vector<ProbeSpec>& specs, Millis each) {
  std::vector<Child> children(specs.size());
  const Deadline deadline = Deadline::After(each);
  for (std::size_t i = 0; i < specs.size(); ++i) Start(specs[i], children[i]);

  std::string poll_trouble;
  std::vector<pollfd> waiting;
  std::vector<Child*> owners;
  while (poll_trouble.empty()) {
    waiting.clear(), owners.clear();
    for (Child& child : children) {
      if (child.ended) continue;
      // First the answer, then the end of the child: it may still be tidying up, and is given time to.
      const int fd = child.answer.valid() ? child.answer.get() : child.pidfd.get();
      if (fd < 0) {
        End(child);
        continue;
      }
      waiting.push_back({fd, POLLIN, 0});
      owners.push_back(&child);
    }
    if (waiting.empty()) break;
    const int ready = ::poll(waiting.data(), waiting.size(), deadline.PollTimeoutMs());
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) poll_trouble = ErrnoText(errno);
    if (ready <= 0) break;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].revents == 0) continue;
      if (owners[i]->answer.valid())
        TakeAnswer(*owners[i]);
      else
        End(*owners[i]);
    }
  }
  std::vector<Probe> out;
  for (Child& child : children) {
    if (!child.ended) {
      if (child.found.empty()) child.trouble = "no answer in " + std::to_string(each.count()) + " ms; killed";
      End(child);
    }
    if (child.spec->clean_up) child.spec->clean_up();
    Append(child, out);
  }
  if (!poll_trouble.empty()) return Fail(Code::kInternal, "wait for host probes: poll: {}", poll_trouble);
  return out;
}

int RunStep(const std::function<int()>& step) {
  const pid_t pid = ::fork();
  if (pid < 0) return -1;
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::_exit(step());
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

std::string ErrnoText(int errno_value) {
  const char* text = ::strerrordesc_np(errno_value);
  return text != nullptr ? text : "errno " + std::to_string(errno_value);
}

}  // namespace writ::isolation
