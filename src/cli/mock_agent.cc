#include "cli/mock_agent.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <string>

#include "base/error.h"
#include "sys/file.h"
#include "sys/unique_fd.h"

namespace writ::cli {
namespace {

constexpr int kProbeSeconds = 10;
constexpr std::string_view kDefaultHost = "denied.example.com";

void Say(std::string_view line) { static_cast<void>(sys::WriteAll(STDOUT_FILENO, line)); }

Result<sys::UniqueFd> ConnectProxy(std::string_view url) {
  constexpr std::string_view kScheme = "http://127.0.0.1:";
  if (!url.starts_with(kScheme)) return Fail(Code::kInvalid, "HTTP_PROXY is not {}PORT", kScheme);
  url.remove_prefix(kScheme.size());
  std::uint16_t port = 0;
  if (std::from_chars(url.data(), url.data() + url.size(), port).ec != std::errc{}) return Fail(Code::kInvalid, "HTTP_PROXY has no port");
  sys::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return FailErrno("socket");
  const timeval patience{kProbeSeconds, 0};
  for (const int side : {SO_RCVTIMEO, SO_SNDTIMEO}) ::setsockopt(fd.get(), SOL_SOCKET, side, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return FailErrno("connect to the proxy");
  return fd;
}

/// The status that the proxy answers.
Result<int> Probe(const EnvLookup& env) {
  const std::string host = env("MOCK_PROBE_HOST").value_or(std::string(kDefaultHost));
  const auto fd = WRIT_TRY("probe", ConnectProxy(env("HTTP_PROXY").value_or("")));
  const std::string request = fmt::format("GET http://{0}/probe HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n", host);
  WRIT_TRY("probe", sys::WriteAll(fd.get(), request));
  std::string head;
  char chunk[512];
  while (head.size() < 12) {
    const ssize_t got = ::read(fd.get(), chunk, sizeof chunk);
    if (got <= 0) return Fail(Code::kUnavailable, "the proxy did not answer");
    head.append(chunk, static_cast<std::size_t>(got));
  }
  int status = 0;
  if (!head.starts_with("HTTP/1.") || std::from_chars(head.data() + 9, head.data() + 12, status).ec != std::errc{})
    return Fail(Code::kCorrupt, "the proxy answered no HTTP");
  return status;
}

Result<> NoteTask(std::string_view prompt, bool secret) {
  const sys::UniqueFd file(::open("MOCK_AGENT.md", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file.valid()) return FailErrno("MOCK_AGENT.md");
  return sys::WriteAll(file.get(), fmt::format("## task\n{}\n\nsecret:{}\n", prompt, secret ? "present" : "absent"));
}

}  // namespace

int MockAgent(std::span<const std::string_view> arguments, const EnvLookup& env) {
  const std::string_view prompt = arguments.empty() ? std::string_view() : arguments.front();
  if (auto noted = NoteTask(prompt, !env("MOCK_SECRET").value_or("").empty()); !noted) {
    static_cast<void>(sys::WriteAll(STDERR_FILENO, noted.error().what + "\n"));
    return 1;
  }
  Say(fmt::format("mock agent received task: {}\n", prompt));
  if (prompt.find("network") != prompt.npos) {
    const auto status = Probe(env);
    Say(status ? fmt::format("network probe status: {}\n", *status) : fmt::format("network probe failed: {}\n", status.error().what));
  }
  if (prompt.find("fail") != prompt.npos) {
    static_cast<void>(sys::WriteAll(STDERR_FILENO, "mock agent failing as instructed\n"));
    return 1;
  }
  Say("mock agent done\n");
  return 0;
}

}  // namespace writ::cli
