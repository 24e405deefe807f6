#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "egress/proxy.h"
#include "net/addresses_for_test.h"

/// A proxy on loopback, with everything around it played by the test.
namespace writ::egress::test {

using net::Ip;

inline policy::EgressRules Rules(const std::vector<std::string>& texts) {
  policy::EgressRules rules;
  for (const auto& text : texts) {
    auto rule = policy::ParseEgressRule(text);
    EXPECT_TRUE(rule) << text;
    if (rule) rules.rules.push_back(*std::move(rule));
  }
  return rules;
}

/// Keeps what it was told; waits for what it should be told.
class Observer final : public EgressObserver {
 public:
  Result<> OnAttempt(const Attempt& attempt) override {
    const std::lock_guard lock(mutex_);
    if (fail_) return Fail(Code::kExhausted, "disk full");
    attempts_.push_back(attempt);
    changed_.notify_all();
    return {};
  }
  Result<> OnIntercepted(const std::string& host, std::uint16_t, std::string_view protocol) override {
    const std::lock_guard lock(mutex_);
    if (fail_) return Fail(Code::kExhausted, "disk full");
    intercepted_.push_back(fmt::format("{} {}", host, protocol));
    return {};
  }
  /// "host protocol" of each intercepted connection.
  std::vector<std::string> intercepted() {
    const std::lock_guard lock(mutex_);
    return intercepted_;
  }
  void OnBudget(std::uint64_t moved_bytes) override {
    const std::lock_guard lock(mutex_);
    budget_ = moved_bytes;
    changed_.notify_all();
  }
  void FailFromNow() {
    const std::lock_guard lock(mutex_);
    fail_ = true;
  }
  std::vector<Attempt> attempts() {
    const std::lock_guard lock(mutex_);
    return attempts_;
  }
  /// All attempts, once there are at least `count`.
  std::vector<Attempt> WaitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return attempts_.size() >= count; })) << "attempt " << count;
    return attempts_;
  }
  std::uint64_t WaitForBudget() {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return budget_.has_value(); }));
    return budget_.value_or(0);
  }
  /// "via host:port allowed|rule" of each attempt.
  std::vector<std::string> Lines() {
    std::vector<std::string> lines;
    for (const auto& attempt : attempts()) {
      lines.push_back(fmt::format("{} {} {}", attempt.via, attempt.host,
                                  attempt.verdict.allowed ? "allowed" : attempt.verdict.rule));
    }
    return lines;
  }
  std::string LastLine() {
    const auto lines = Lines();
    return lines.empty() ? "nothing" : lines.back();
  }

  static constexpr std::chrono::seconds kPatience{20};

 private:
  std::mutex mutex_;  ///< guards all below
  std::condition_variable changed_;
  std::vector<Attempt> attempts_;
  std::vector<std::string> intercepted_;
  std::optional<std::uint64_t> budget_;
  bool fail_ = false;
};

/// Answers from a table, in the next round of the loop.
class TableResolver final : public Resolver {
 public:
  void Set(const std::string& name, std::vector<net::IpAddress> addresses) {
    const std::lock_guard lock(mutex_);
    table_[name] = std::move(addresses);
  }
  /// Every name that was asked for, in order.
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::unique_ptr<Lookup> Resolve(EventLoop& loop, const std::string& name, MonoTime, LookupOwner& owner) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back(name);
    const auto found = table_.find(name);
    return std::make_unique<Later>(loop, owner, found == table_.end() ? std::vector<net::IpAddress>() : found->second);
  }

 private:
  struct Later final : Lookup, EventTarget {
    Later(EventLoop& loop, LookupOwner& the_owner, std::vector<net::IpAddress> the_answer)
        : owner(the_owner), answer(std::move(the_answer)), timer(*this) {
      timer.ArmNow(loop);
    }
    void OnEvents(Watch&, std::uint32_t) override {}
    void OnTimer(Timer&) override {
      if (answer.empty()) return owner.OnResolved(Fail(Code::kNotFound, "no such name"));
      owner.OnResolved(std::move(answer));
    }
    LookupOwner& owner;
    std::vector<net::IpAddress> answer;
    Timer timer;
  };
  std::mutex mutex_;  ///< guards all below
  std::map<std::string, std::vector<net::IpAddress>> table_;
  std::vector<std::string> asked_;
};

/// How a connection is read, whatever lies below.
class Readable {
 public:
  /// Exactly `count` bytes, or fewer when the connection ends.
  std::string Read(std::size_t count) {
    std::string bytes;
    while (bytes.size() < count && More(bytes, count - bytes.size())) continue;
    return bytes;
  }
  std::string ReadUntil(std::string_view mark) {
    std::string bytes;
    while (!bytes.ends_with(mark) && More(bytes, 1)) continue;
    return bytes;
  }
  std::string ReadToEnd() {
    std::string bytes;
    while (More(bytes, 65536)) continue;
    return bytes;
  }

 protected:
  Readable() = default;
  Readable(Readable&&) = default;
  Readable& operator=(Readable&&) = default;
  ~Readable() = default;
  virtual bool More(std::string& bytes, std::size_t most) = 0;  ///< appends what comes next; false at the end
};

/// One blocking connection; reads give up (and fail the test) after kPatience.
class Peer final : public Readable {
 public:
  explicit Peer(sys::UniqueFd socket) : socket_(std::move(socket)) {
    const timeval patience{Observer::kPatience.count(), 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  int fd() const { return socket_.get(); }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the test sees what follows
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// Whether the connection was reset rather than ended (call after reading to the end).
  bool was_reset() const { return reset_; }
  void EndWriting() { ::shutdown(socket_.get(), SHUT_WR); }
  void Close() { socket_.Reset(); }

 private:
  bool More(std::string& bytes, std::size_t most) override {
    std::string buffer(most, '\0');
    const ssize_t got = ::recv(socket_.get(), buffer.data(), most, 0);
    if (got < 0) {
      EXPECT_EQ(errno, ECONNRESET) << "read: nothing came";
    }
    reset_ = got < 0;
    if (got <= 0) return false;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }
  sys::UniqueFd socket_;
  bool reset_ = false;
};

/// A listening TCP socket on loopback.
class Upstream {
 public:
  explicit Upstream(const char* address = "127.0.0.1") {
    sockaddr_storage storage{};
    const socklen_t length = Ip(address).ToSockaddr(0, storage);
    socket_ = sys::UniqueFd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
    EXPECT_EQ(::listen(socket_.get(), 1024), 0);
    endpoint_ = LocalEndpoint(socket_.get()).value();
    const timeval patience{Observer::kPatience.count(), 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  const Endpoint& endpoint() const { return endpoint_; }
  std::uint16_t port() const { return endpoint_.port; }
  /// "127.0.0.1:PORT", a rule and an authority.
  std::string text() const { return fmt::format("{}:{}", endpoint_.address.ToUrlText(), port()); }
  Peer Accept() {
    sys::UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(peer.valid()) << "nobody connected";
    return Peer(std::move(peer));
  }
  sys::UniqueFd Take() { return std::move(socket_); }

 private:
  sys::UniqueFd socket_;
  Endpoint endpoint_;
};

inline Peer ConnectTo(const Endpoint& to) {
  sockaddr_storage storage{};
  const socklen_t length = to.address.ToSockaddr(to.port, storage);
  sys::UniqueFd socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
  return Peer(std::move(socket));
}

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A proxy with an HTTP door and a transparent door on loopback.
class ProxyTest : public testing::Test {
 protected:
  void Start(policy::EgressRules rules, EgressLimits limits = {}) {
    options.rules = std::move(rules);
    options.limits = limits;
    Upstream http, transparent;
    http_ = http.endpoint(), transparent_ = transparent.endpoint();
    Doors doors;
    doors.http_proxy = http.Take();
    doors.transparent4 = transparent.Take();
    options.original_destination = [this](int) -> Result<Endpoint> {
      const std::lock_guard lock(mutex_);
      if (!original_) return writ::Fail(Code::kNotFound, "not redirected");
      return *original_;
    };
    auto started = Proxy::Start(std::move(doors), options, resolver, observer);
    ASSERT_TRUE(started) << started.error().what;
    proxy = *std::move(started);
  }
  void TearDown() override { proxy.reset(); }
  Peer Client() { return ConnectTo(http_); }
  /// A connection that netfilter would have redirected on its way to `original`.
  Peer Redirected(std::optional<Endpoint> original) {
    {
      const std::lock_guard lock(mutex_);
      original_ = std::move(original);
    }
    return ConnectTo(transparent_);
  }
  /// Sends a request on a new connection and reads to its end.
  std::string Ask(std::string_view request) {
    Peer client = Client();
    client.Send(request);
    return client.ReadToEnd();
  }
  /// A tunnel by CONNECT, open at both ends.
  std::pair<Peer, Peer> Tunnel(const std::string& authority, Upstream& upstream) {
    Peer client = Client();
    client.Send(fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\n\r\n", authority, authority));
    Peer server = upstream.Accept();
    EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 200 Connection Established\r\n\r\n");
    return {std::move(client), std::move(server)};
  }

  ProxyOptions options;
  Observer observer;
  TableResolver resolver;
  std::unique_ptr<Proxy> proxy;  ///< last: it uses the others
  Endpoint http_, transparent_;

 private:
  std::mutex mutex_;  ///< guards original_
  std::optional<Endpoint> original_;
};

}  // namespace writ::egress::test
