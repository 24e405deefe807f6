// A plane behind its HTTP server: events one per request over 16 connections, and in batches of 1000. The client is one
// thread of this process that sends requests made before; what it costs is measured and shown apart from what the server
// costs, because on a small machine they share its cores. `polls`: runners that wait for work.
// Usage: plane_http_bench [single|batches|polls]...

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "bench/plane_for_bench.h"
#include "http/server.h"
#include "sys/unique_fd.h"

namespace writ::api {
namespace {

/// The plane as what stands behind the transport; nobody uploads or follows here.
class Door final : public http::Service {
 public:
  explicit Door(PlaneService& plane) : plane_(plane) {}
  void Call(PlaneCall call, Reply reply) override { plane_.Call(std::move(call), std::move(reply)); }
  void MayUpload(std::string authorization, std::string address, Permission permission) override {
    plane_.MayUpload(std::move(authorization), std::move(address), std::move(permission));
  }
  void Follow(PlaneCall, std::shared_ptr<http::FollowSink>, Permission) override { Die("nobody follows"); }
  storage::BlobStore& blobs() override { return plane_.blobs(); }

 private:
  PlaneService& plane_;
};

double CpuSeconds(int who) {
  rusage usage{};
  ::getrusage(who, &usage);
  const auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// One keep-alive connection with its requests.
struct Line {
  sys::UniqueFd fd;
  std::vector<std::string> requests;
  std::size_t next = 0, sent = 0;
  std::string answer;
};

void Connect(Line& line, std::uint16_t port) {
  line.fd = sys::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(line.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(line.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("connect");
}

/// Sends on what the socket takes. True when the request is out.
bool SendMore(Line& line) {
  const std::string& request = line.requests[line.next];
  while (line.sent < request.size()) {
    const ssize_t bytes = ::send(line.fd.get(), request.data() + line.sent, request.size() - line.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes < 0 && errno == EAGAIN) return false;
    if (bytes <= 0) Die("send");
    line.sent += static_cast<std::size_t>(bytes);
  }
  return true;
}

/// True when a whole answer has come.
bool Receive(Line& line) {
  char bytes[4096];
  const ssize_t count = ::recv(line.fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return false;
  if (count <= 0) Die("the server has closed a connection");
  line.answer.append(bytes, static_cast<std::size_t>(count));
  constexpr std::string_view kEnd = "\r\n\r\n{\"ok\":true}";
  if (!line.answer.ends_with(kEnd)) return false;
  if (!line.answer.starts_with("HTTP/1.1 200 ")) Die(line.answer);
  line.answer.clear();
  return true;
}

/// Sends every request of every line, each after the answer to the one before. Returns seconds.
double Exchange(std::vector<Line>& lines) {
  const sys::UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  const auto watch = [&](int operation, std::size_t index, bool also_out) {
    epoll_event event{.events = EPOLLIN | (also_out ? EPOLLOUT : 0u), .data = {.u64 = index}};
    if (::epoll_ctl(poll.get(), operation, lines[index].fd.get(), &event) != 0) Die("epoll_ctl");
  };
  std::size_t left = 0;
  for (const auto& line : lines) left += line.requests.size();
  const double begin = Now();
  for (std::size_t i = 0; i < lines.size(); ++i) watch(EPOLL_CTL_ADD, i, !SendMore(lines[i]));
  while (left > 0) {
    epoll_event events[64];
    const int count = ::epoll_wait(poll.get(), events, 64, 30000);
    if (count <= 0) Die("no answer");
    for (int i = 0; i < count; ++i) {
      const auto index = static_cast<std::size_t>(events[i].data.u64);
      Line& line = lines[index];
      if ((events[i].events & EPOLLOUT) != 0 && SendMore(line)) watch(EPOLL_CTL_MOD, index, false);
      if ((events[i].events & EPOLLIN) == 0 || !Receive(line)) continue;
      --left;
      line.sent = 0;
      if (++line.next == line.requests.size()) continue;
      if (!SendMore(line)) watch(EPOLL_CTL_MOD, index, true);
    }
  }
  return Now() - begin;
}

void Measure(std::string_view what, std::size_t connections, std::size_t requests, std::size_t batch) {
  PlaneForBench bench;
  Door door(bench.service());
  auto server = Must(http::Server::Start({.port = 0}, door));
  std::vector<Line> lines(connections);
  for (Line& line : lines) {
    auto run = bench.Claim();
    for (std::size_t i = 0; i < requests; ++i) {
      const std::string body = PlaneForBench::Body(run, batch);
      line.requests.push_back(fmt::format("POST {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                                          run.path, server->port(), body.size(), body));
    }
    Connect(line, server->port());
  }
  const double own = CpuSeconds(RUSAGE_THREAD), all = CpuSeconds(RUSAGE_SELF);
  const double took = Exchange(lines);
  const double client = CpuSeconds(RUSAGE_THREAD) - own, total = CpuSeconds(RUSAGE_SELF) - all;
  const auto events = static_cast<double>(connections * requests * batch);
  fmt::print("{}, {} connections: {:.0f} events per second, durable; processor time per event: server {:.1f} us, client {:.1f} us\n", what,
             connections, events / took, (total - client) / events * 1e6, client / events * 1e6);
  server->Stop(Deadline::After(Millis{5000}));
}

/// Waits for a whole answer on any of the lines, and returns which.
std::size_t AnyAnswer(const sys::UniqueFd& poll, std::vector<Line>& lines) {
  for (;;) {
    epoll_event event{};
    if (::epoll_wait(poll.get(), &event, 1, 30000) != 1) Die("no answer");
    Line& line = lines[event.data.u64];
    char bytes[16384];
    const ssize_t count = ::recv(line.fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (count <= 0) Die("the server has closed a connection");
    line.answer.append(bytes, static_cast<std::size_t>(count));
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t head = line.answer.find("\r\n\r\n"), length = line.answer.find(kLength);
    if (head == line.answer.npos || length > head) continue;
    if (line.answer.size() < head + 4 + std::strtoull(line.answer.c_str() + length + kLength.size(), nullptr, 10)) continue;
    if (!line.answer.starts_with("HTTP/1.1 200 ") || !line.answer.contains("\"runId\"")) Die(line.answer);
    line.answer.clear();
    return event.data.u64;
  }
}

void Polls() {
  constexpr std::size_t kRunners = 200, kRounds = 300;
  PlaneForBench bench;
  Door door(bench.service());
  auto server = Must(http::Server::Start({.port = 0}, door));
  const std::string body = bench.ClaimBody(30000);
  const std::string request = fmt::format("POST /v1/claims HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
                                          server->port(), body.size(), body);
  std::vector<Line> lines(kRunners);
  const sys::UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  const std::size_t before = ResidentKilobytes();
  for (std::size_t i = 0; i < kRunners; ++i) {
    Connect(lines[i], server->port());
    lines[i].requests = {request};
    SendMore(lines[i]);
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, lines[i].fd.get(), &event) != 0) Die("epoll_ctl");
  }
  std::vector<double> micros;
  std::size_t each = 0;
  for (std::size_t round = 0; round < kRounds; ++round) {
    const double begin = Now();
    bench.AddRun();
    const std::size_t who = AnyAnswer(poll, lines);
    micros.push_back((Now() - begin) * 1e6);
    lines[who].sent = 0;
    SendMore(lines[who]);
    if (round + 1 == kRunners) each = (ResidentKilobytes() - before) / kRunners;  // by now every one has waited
  }
  std::ranges::sort(micros);
  fmt::print("{0} runners waiting over HTTP: {1} KiB each, both ends; a run queued to its claim received: median {2:.0f} us, p99 {3:.0f} us\n", kRunners,
             each, micros[kRounds / 2], micros[kRounds * 99 / 100]);
  server->Stop(Deadline::After(Millis{5000}));
}

}  // namespace
}  // namespace writ::api

int main(int argc, char** argv) {
  using namespace writ::api;
  const std::vector<std::string_view> wanted(argv + 1, argv + argc);
  const auto on = [&](std::string_view name) { return wanted.empty() || std::ranges::find(wanted, name) != wanted.end(); };
  if (on("single")) Measure("one event per request", 16, 2000, 1);
  if (on("batches")) Measure("batches of 1000", 16, 60, 1000);
  if (on("polls")) Polls();
}
