// What the egress proxy costs: the same exchanges direct and through a proxy, in turns, in one run. Processes of their
// own for server and proxies; tinyproxy and squid take part where they are installed.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bare_relay.h"
#include "egress/dns_stub.h"
#include "egress/proxy.h"
#include "net/dns_message.h"

namespace writ::egress {
namespace {

constexpr std::size_t kRequestBytes = 64;
constexpr std::size_t kBulkBytes = 1U << 30;
constexpr int kRounds = 9, kKeptConnections = 32, kKeptRequests = 40'000, kNewAtOnce = 16, kNewEach = 400;
constexpr int kIdleTunnels = 10'000;

[[noreturn]] void Die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

Endpoint Loopback(std::uint16_t port) { return {net::IpAddress::V4(0x7F000001), port}; }

sys::UniqueFd Listen(int type, std::uint16_t& port) {
  sys::UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_storage storage{};
  const socklen_t length = Loopback(port).address.ToSockaddr(port, storage);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) Die("bind");
  if (type == SOCK_STREAM && ::listen(socket.get(), 4096) != 0) Die("listen");
  port = LocalEndpoint(socket.get()).value().port;
  return socket;
}

sys::UniqueFd Connect(std::uint16_t port) {
  sockaddr_storage storage{};
  const socklen_t length = Loopback(port).address.ToSockaddr(port, storage);
  sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) Die("connect");
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

void Write(int fd, const char* bytes, std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    const ssize_t now = ::send(fd, bytes + done, count - done, MSG_NOSIGNAL);
    if (now <= 0) Die("send");
    done += static_cast<std::size_t>(now);
  }
}

void Read(int fd, char* bytes, std::size_t count) {
  if (::recv(fd, bytes, count, MSG_WAITALL) != static_cast<ssize_t>(count)) Die("recv");
}

/// Echoes requests; one that begins with 'b' gets bulk and the end instead.
void Serve(const sys::UniqueFd& listener) {
  const sys::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener.get();
  ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &event);
  std::vector<char> buffer(256U << 10);
  for (;;) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener.get()) {
        const int peer = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0) continue;
        event.data.fd = peer;
        ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, peer, &event);
        continue;
      }
      const ssize_t got = ::recv(fd, buffer.data(), buffer.size(), 0);
      if (got <= 0) {
        ::close(fd);
      } else if (buffer[0] == 'b') {
        for (std::size_t sent = 0; sent < kBulkBytes;) {
          const ssize_t now = ::send(fd, buffer.data(), std::min(buffer.size(), kBulkBytes - sent), MSG_NOSIGNAL);
          if (now <= 0) break;
          sent += static_cast<std::size_t>(now);
        }
        ::close(fd);
      } else if (::send(fd, buffer.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) != got) {
        ::close(fd);
      }
    }
  }
}

/// A connection to the server, direct or by way of a proxy.
struct Route {
  std::string name;
  std::uint16_t proxy = 0, server = 0;
  pid_t process = 0;  ///< the proxy's, where there is one
  sys::UniqueFd Open() const {
    sys::UniqueFd fd = Connect(proxy != 0 ? proxy : server);
    if (proxy == 0) return fd;
    const std::string ask = fmt::format("CONNECT 127.0.0.1:{0} HTTP/1.1\r\nHost: 127.0.0.1:{0}\r\n\r\n", server);
    Write(fd.get(), ask.data(), ask.size());
    std::string head(4096, '\0');
    std::size_t size = 0;
    while (size < 4 || head.compare(size - 4, 4, "\r\n\r\n") != 0) {
      const ssize_t got = ::recv(fd.get(), head.data() + size, head.size() - size, 0);
      if (got <= 0) Die(name + " tunnel");
      size += static_cast<std::size_t>(got);
    }
    if (head.compare(8, 5, " 200 ") != 0) Die(name + " refused");
    return fd;
  }
};

double Seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double Bulk(const Route& route) {  // MiB/s
  const sys::UniqueFd fd = route.Open();
  const std::string request(kRequestBytes, 'b');
  std::vector<char> buffer(256U << 10);
  std::size_t total = 0;
  const double took = Seconds([&] {
    Write(fd.get(), request.data(), request.size());
    for (ssize_t got; (got = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0;)
      total += static_cast<std::size_t>(got);
  });
  if (total != kBulkBytes) Die(route.name + " bulk");
  return static_cast<double>(total) / (1U << 20) / took;
}

double Kept(const Route& route) {  // requests/s
  std::vector<sys::UniqueFd> fds;
  for (int i = 0; i < kKeptConnections; ++i) fds.push_back(route.Open());
  std::array<char, kRequestBytes> buffer;
  buffer.fill('e');
  const double took = Seconds([&] {
    for (int i = 0; i < kKeptRequests / kKeptConnections; ++i) {
      for (const auto& fd : fds) Write(fd.get(), buffer.data(), buffer.size());
      for (const auto& fd : fds) Read(fd.get(), buffer.data(), buffer.size());
    }
  });
  return kKeptRequests / took;
}

double Latency(const Route& route) {  // microseconds, median
  const sys::UniqueFd fd = route.Open();
  std::array<char, kRequestBytes> buffer;
  buffer.fill('e');
  std::vector<double> took;
  for (int i = 0; i < 3'000; ++i) {
    took.push_back(Seconds([&] {
      Write(fd.get(), buffer.data(), buffer.size());
      Read(fd.get(), buffer.data(), buffer.size());
    }));
  }
  std::ranges::nth_element(took, took.begin() + 1'500);
  return took[1'500] * 1e6;
}

double New(const Route& route) {  // connections/s
  const double took = Seconds([&] {
    std::vector<std::thread> threads;
    for (int i = 0; i < kNewAtOnce; ++i) {
      threads.emplace_back([&] {
        std::array<char, kRequestBytes> buffer;
        buffer.fill('e');
        for (int j = 0; j < kNewEach; ++j) {
          const sys::UniqueFd fd = route.Open();
          Write(fd.get(), buffer.data(), buffer.size());
          Read(fd.get(), buffer.data(), buffer.size());
        }
      });
    }
    for (auto& thread : threads) thread.join();
  });
  return kNewAtOnce * kNewEach / took;
}

struct Quiet final : EgressObserver {
  Result<> OnAttempt(const Attempt&) override { return {}; }
  Result<> OnIntercepted(const std::string&, std::uint16_t, std::string_view) override { return {}; }
  void OnBudget(std::uint64_t) override {}
};
struct NoNames final : Resolver {
  std::unique_ptr<Lookup> Resolve(EventLoop&, const std::string&, MonoTime, LookupOwner&) override { return nullptr; }
};

policy::EgressRules GrantAll() {
  policy::EgressRules rules;
  for (const char* text : {"127.0.0.1", "ok.test"}) rules.rules.push_back(policy::ParseEgressRule(text).value());
  return rules;
}

/// Runs `work` in a process of that name, which ends with this one.
pid_t Spawn(const char* name, const std::function<void()>& work) {
  const pid_t pid = ::fork();
  if (pid < 0) Die("fork");
  if (pid > 0) return pid;
  ::prctl(PR_SET_NAME, name);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  work();
  std::exit(0);
}

pid_t SpawnProxy(sys::UniqueFd& http, sys::UniqueFd& dns) {
  return Spawn("writ", [&] {
    Doors doors;
    doors.http_proxy = std::move(http);
    doors.dns_udp4 = std::move(dns);
    ProxyOptions options;
    options.rules = GrantAll();
    options.limits.connections_max = 100'000;
    NoNames resolver;
    Quiet observer;
    const auto proxy = Proxy::Start(std::move(doors), std::move(options), resolver, observer);
    if (!proxy) Die(proxy.error().what);
    for (;;) ::pause();
  });
}

bool Installed(const std::string& program, std::string& path) {
  for (const char* folder : {"/usr/bin/", "/usr/sbin/"}) {
    path = folder + program;
    if (::access(path.c_str(), X_OK) == 0) return true;
  }
  return false;
}

bool WaitForPort(std::uint16_t port) {
  for (int i = 0; i < 300; ++i) {
    sockaddr_storage storage{};
    const socklen_t length = Loopback(port).address.ToSockaddr(port, storage);
    const sys::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0) return true;
    ::usleep(20'000);
  }
  return false;
}

/// A peer from the distribution with a configuration of the least that works; not installed or not starting: no route.
void AddPeer(std::vector<Route>& routes, std::vector<pid_t>& children, const std::string& program, std::uint16_t server,
             const std::string& folder) {
  std::string path;
  if (!Installed(program, path)) return std::puts(fmt::format("{} is not installed", program).c_str()), void();
  std::uint16_t port = 0;
  Listen(SOCK_STREAM, port).Reset();
  const std::string config = folder + "/" + program + ".conf";
  std::ofstream(config)
      << (program == "tinyproxy"
              ? fmt::format("Port {}\nListen 127.0.0.1\nTimeout 600\nMaxClients 1000\nLogLevel Critical\n", port)
              : fmt::format("http_port 127.0.0.1:{}\nhttp_access allow all\ncache deny all\naccess_log none\ncache_log "
                            "/dev/null\n"
                            "pid_filename none\ncoredump_dir {}\nshutdown_lifetime 0 seconds\nvisible_hostname x\n",
                            port, folder));
  children.push_back(Spawn(program.c_str(), [&] {
    const int null = ::open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; ++fd) ::dup2(null, fd);
    if (program == "tinyproxy")
      ::execl(path.c_str(), path.c_str(), "-d", "-c", config.c_str(), nullptr);
    else
      ::execl(path.c_str(), path.c_str(), "-N", "-f", config.c_str(), nullptr);
    ::_exit(127);
  }));
  if (WaitForPort(port)) return routes.push_back({program, port, server, children.back()}), void();
  std::puts(fmt::format("{} does not start here", program).c_str());
}

std::size_t ResidentKib(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return static_cast<std::size_t>(std::atoll(line.c_str() + 6));
  }
  return 0;
}

/// Processor time a process has used so far, in seconds.
double CpuSeconds(pid_t process) {
  clockid_t clock{};
  timespec used{};
  if (process == 0 || ::clock_getcpuclockid(process, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

double MedianOf(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Every round asks every route once; a ratio is of one round, so that what disturbs a round disturbs both sides of it.
void CompareRoutes(const std::vector<Route>& routes, std::string_view only) {
  struct Figure {
    const char* name;
    const char* unit;
    double (*measure)(const Route&);
    double exchanges;
    const char* exchange;
  };
  for (const Figure& figure : {Figure{"bulk through one tunnel", "MiB/s", Bulk, kBulkBytes >> 20, "MiB"},
                               Figure{"requests over 32 kept tunnels", "1/s", Kept, kKeptRequests, "request"},
                               Figure{"new tunnels, 16 at once", "1/s", New, kNewAtOnce * kNewEach, "tunnel"},
                               Figure{"median round trip", "us", Latency, 3'000, "trip"}}) {
    if (std::string_view(figure.name).find(only) == std::string_view::npos) continue;
    struct Series {
      std::vector<double> results, ratios, cpu_us;
    };
    std::map<std::string, Series> all;
    for (int round = 0; round < kRounds; ++round) {
      for (const auto& route : routes) {
        const double before = CpuSeconds(route.process);
        Series& series = all[route.name];
        series.results.push_back(figure.measure(route));
        series.ratios.push_back(series.results.back() / all[routes.front().name].results.back());
        series.cpu_us.push_back((CpuSeconds(route.process) - before) * 1e6 / figure.exchanges);
      }
    }
    std::printf("%s\n", figure.name);
    for (const auto& route : routes) {
      const Series& series = all[route.name];
      const auto [least, most] = std::ranges::minmax(series.ratios);
      std::printf("  %-10s %10.1f %-6s %5.2f of direct (%.2f-%.2f)", route.name.c_str(), MedianOf(series.results),
                  figure.unit, MedianOf(series.ratios), least, most);
      if (route.process != 0) std::printf(", %.1f us of processor per %s", MedianOf(series.cpu_us), figure.exchange);
      std::puts("");
    }
  }
}

void IdleTunnels(const Route& route, pid_t proxy, int count) {
  const std::size_t before = ResidentKib(proxy);
  std::vector<sys::UniqueFd> held;
  for (int i = 0; i < count; ++i) held.push_back(route.Open());
  const std::size_t after = ResidentKib(proxy);
  std::printf("%d idle tunnels: %.2f KiB each in the proxy\n", count, static_cast<double>(after - before) / count);
}

void DnsAnswers(std::uint16_t port) {
  const sys::UniqueFd socket = ConnectedDatagram(Loopback(port)).value();
  const std::string question = net::BuildDnsLookup(7, "ok.test", net::kDnsA).value();
  constexpr int kWindow = 64, kQuestions = 400'000;
  std::array<char, 1024> buffer;
  int sent = 0, got = 0;
  const double took = Seconds([&] {
    while (got < kQuestions) {
      for (; sent < got + kWindow && sent < kQuestions; ++sent) {
        if (::send(socket.get(), question.data(), question.size(), 0) < 0) break;
      }
      pollfd item{socket.get(), POLLIN, 0};
      if (::poll(&item, 1, 100) == 0) sent = got;  // lost: ask again
      while (::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) ++got;
    }
  });
  std::printf("DNS stub over UDP: %.0f answers/s (asker and stub on one core each)\n", kQuestions / took);

  auto loop = EventLoop::Create().value();
  NoNames resolver;
  Quiet observer;
  Core core(*loop, {}, GrantAll(), resolver, observer);
  DnsStub stub(core);
  const double alone = Seconds([&] {
    for (int i = 0; i < kQuestions; ++i) {
      if (stub.Answer(AsBytes(question), 0).empty()) Die("no answer");
    }
  });
  std::printf("DNS stub without sockets: %.0f answers/s\n", kQuestions / alone);
}

/// `only`: figures whose name holds it; "" for all. `who`: the routes that take part, "" for all.
int Main(std::string_view only, std::string_view who) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlimit most{65'536, 65'536};  // needs privilege where the hard limit is lower
  if (::setrlimit(RLIMIT_NOFILE, &most) != 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::getrlimit(RLIMIT_NOFILE, &files);
  std::string folder = "/tmp/egress_bench.XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) Die("mkdtemp");
  std::uint16_t server_port = 0, http_port = 0, bare_port = 0, dns_port = 0;
  sys::UniqueFd server = Listen(SOCK_STREAM, server_port), http = Listen(SOCK_STREAM, http_port);
  sys::UniqueFd bare = Listen(SOCK_STREAM, bare_port), dns = Listen(SOCK_DGRAM, dns_port);
  std::vector<pid_t> children{Spawn("server", [&] { Serve(server); }), SpawnProxy(http, dns),
                              Spawn("bare", [&] { bench::BareRelay(bare.get(), server_port).Run(); })};
  const pid_t proxy = children[1];
  server.Reset(), http.Reset(), bare.Reset(), dns.Reset();
  std::vector<Route> routes{{"direct", 0, server_port},
                            {"writ", http_port, server_port, proxy},
                            {"bare", bare_port, server_port, children[2]}};
  for (const char* peer : {"tinyproxy", "squid"}) {
    if (who.empty() || who.find(peer) != std::string_view::npos) AddPeer(routes, children, peer, server_port, folder);
  }
  const Route served = {"writ", http_port, server_port, proxy};
  if (!who.empty()) std::erase_if(routes, [&](const Route& route) { return who.find(route.name) == std::string_view::npos; });
  CompareRoutes(routes, only);
  if (std::string_view("DNS").find(only) != std::string_view::npos) DnsAnswers(dns_port);
  if (std::string_view("idle").find(only) != std::string_view::npos)
    IdleTunnels(served, proxy, std::min(kIdleTunnels, static_cast<int>(files.rlim_cur / 2) - 100));
  for (const pid_t child : children) ::kill(child, SIGKILL), ::waitpid(child, nullptr, 0);
  for (const char* name : {"/tinyproxy.conf", "/squid.conf"}) ::unlink((folder + name).c_str());
  ::rmdir(folder.c_str());
  return 0;
}

}  // namespace
}  // namespace writ::egress

int main(int argc, char** argv) { return writ::egress::Main(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : ""); }
