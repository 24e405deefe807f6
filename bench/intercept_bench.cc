// What interception costs: small HTTP/1.1 requests over kept TLS connections, direct and through a proxy that judges
// each of them, in turns, in one run. Server and proxy are processes of their own.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "egress/interceptor.h"
#include "egress/proxy.h"

namespace writ::egress {
namespace {

constexpr int kRounds = 5, kConnections = 32, kRequests = 20'000;
constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

Endpoint Loopback(std::uint16_t port) { return {net::IpAddress::V4(0x7F000001), port}; }
net::Host Self() { return net::NormaliseHost("127.0.0.1").value(); }

sys::UniqueFd Listen(std::uint16_t& port) {
  sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  const socklen_t length = Loopback(0).address.ToSockaddr(0, storage);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) Die("bind");
  if (::listen(socket.get(), 4096) != 0) Die("listen");
  port = LocalEndpoint(socket.get()).value().port;
  return socket;
}

/// A connection of which every step waits until it is done.
struct Line {
  sys::UniqueFd fd;
  std::unique_ptr<TlsStream> tls;
  std::string in;

  void Await() const {
    pollfd item{fd.get(), POLLIN, 0};
    ::poll(&item, 1, 1'000);
  }
  bool Handshake() const {
    for (;;) {
      const Io io = tls->Handshake();
      if (io.end == IoEnd::kMoved) return true;
      if (io.end != IoEnd::kBlocked) return false;
      Await();
    }
  }
  void Send(std::string_view bytes) const {
    if (const Io io = tls->Write(bytes.data(), bytes.size()); io.bytes != bytes.size()) Die("write");
  }
  /// Up to `mark`. False at the end.
  bool ReadPast(std::string_view mark) {
    for (;;) {
      if (const auto at = in.find(mark); at != in.npos) {
        in.erase(0, at + mark.size());
        return true;
      }
      char buffer[4096];
      const Io io = tls->Read(buffer, sizeof buffer);
      if (io.end == IoEnd::kBlocked) {
        Await();
      } else if (io.end != IoEnd::kMoved) {
        return false;
      } else {
        in.append(buffer, io.bytes);
      }
    }
  }
};

/// Runs `work` in a process that ends with this one.
pid_t Spawn(const std::function<void()>& work) {
  const pid_t pid = ::fork();
  if (pid < 0) Die("fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  work();
  std::exit(0);
}

void Serve(const sys::UniqueFd& listener, const Interceptor& tls) {
  for (;;) {
    sys::UniqueFd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer.valid()) Die("accept");
    std::thread([&tls, fd = std::move(peer)]() mutable {
      Line line{std::move(fd), nullptr, {}};
      line.tls = tls.TowardsJob(Self(), line.fd.get(), {}, HttpVersion::kHttp1).value();
      if (!line.Handshake()) return;
      while (line.ReadPast("\r\n\r\n")) line.Send(kAnswer);
    }).detach();
  }
}

struct Quiet final : EgressObserver {
  Result<> OnAttempt(const Attempt&) override { return {}; }
  Result<> OnIntercepted(const std::string&, std::uint16_t, std::string_view) override { return {}; }
  void OnBudget(std::uint64_t) override {}
};
struct NoNames final : Resolver {
  std::unique_ptr<Lookup> Resolve(EventLoop&, const std::string&, MonoTime, LookupOwner&) override { return nullptr; }
};

/// A way to the server; `proxy` 0: direct.
struct Route {
  const char* name;
  std::uint16_t proxy, server;
  const Interceptor& trust;

  Line Open() const {
    auto connected = StartConnect(Loopback(proxy != 0 ? proxy : server));
    if (!connected) Die("connect");
    Line line{*std::move(connected), nullptr, {}};
    pollfd item{line.fd.get(), POLLOUT, 0};
    ::poll(&item, 1, 5'000);
    if (proxy != 0) {
      const std::string ask = fmt::format("CONNECT 127.0.0.1:{0} HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\n\r\n", server);
      if (::send(line.fd.get(), ask.data(), ask.size(), MSG_NOSIGNAL) < 0) Die("send");
      std::string head;
      char byte = 0;
      while (!head.ends_with("\r\n\r\n")) {
        line.Await();
        if (::recv(line.fd.get(), &byte, 1, 0) != 1) Die("tunnel");
        head += byte;
      }
    }
    line.tls = trust.TowardsUpstream(Self(), line.fd.get(), std::array{HttpVersion::kHttp1}).value();
    if (!line.Handshake()) Die("handshake " + line.tls->failure());
    return line;
  }
};

double Kept(const Route& route) {  // requests/s
  std::vector<Line> lines;
  for (int i = 0; i < kConnections; ++i) lines.push_back(route.Open());
  const std::string request = "GET /pkg/a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kRequests / kConnections; ++i) {
    for (const auto& line : lines) line.Send(request);
    for (auto& line : lines) {
      if (!line.ReadPast("\r\n\r\nok")) Die("answer");
    }
  }
  return kRequests / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// TLS towards both sides for `authority`, with `root` trusted.
std::shared_ptr<Interception> Trusting(std::shared_ptr<CertificateAuthority> authority, const std::string& root) {
  auto made = std::make_shared<Interception>();
  made->authority = std::move(authority);
  made->trust_file = root;
  return made;
}

int Main() {
  std::string folder = "/tmp/intercept_bench.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) Die("mkdtemp");
  const auto servers = CertificateAuthority::Make(SystemClock().Now()).value();
  const auto runs = CertificateAuthority::Make(SystemClock().Now()).value();
  const std::string servers_pem = folder + "/servers.pem", runs_pem = folder + "/runs.pem";
  std::ofstream(servers_pem) << servers->certificate_pem();
  std::ofstream(runs_pem) << runs->certificate_pem();
  const auto direct = Interceptor::Make(Trusting(servers, servers_pem)).value();
  const auto inside = Interceptor::Make(Trusting(runs, runs_pem)).value();
  std::uint16_t server_port = 0, http_port = 0;
  sys::UniqueFd server = Listen(server_port), http = Listen(http_port);
  const pid_t children[] = {Spawn([&] { Serve(server, *direct); }), Spawn([&] {
    Doors doors;
    doors.http_proxy = std::move(http);
    ProxyOptions options;
    options.rules.rules.push_back(policy::ParseEgressRule("127.0.0.1 GET /pkg/**").value());
    options.interception = Trusting(runs, servers_pem);
    NoNames resolver;
    Quiet observer;
    const auto proxy = Proxy::Start(std::move(doors), std::move(options), resolver, observer);
    if (!proxy) Die(proxy.error().what);
    for (;;) ::pause();
  })};
  const Route routes[] = {{"direct", 0, server_port, *direct}, {"writ", http_port, server_port, *inside}};
  std::vector<double> results[2];
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < 2; ++i) results[i].push_back(Kept(routes[i]));
  }
  std::puts("intercepted requests over 32 kept TLS connections");
  for (auto& values : results) std::ranges::sort(values);
  for (int i = 0; i < 2; ++i) {
    std::printf("  %-10s %10.1f 1/s %5.2f of direct\n", routes[i].name, results[i][kRounds / 2],
                results[i][kRounds / 2] / results[0][kRounds / 2]);
  }
  for (const pid_t child : children) ::kill(child, SIGKILL), ::waitpid(child, nullptr, 0);
  for (const auto& file : {servers_pem, runs_pem}) ::unlink(file.c_str());
  ::rmdir(folder.c_str());
  return 0;
}

}  // namespace
}  // namespace writ::egress

int main() { return writ::egress::Main(); }
