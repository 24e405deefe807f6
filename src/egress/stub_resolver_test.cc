#include "egress/stub_resolver.h"

#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "egress/proxy_for_test.h"

namespace writ::egress::test {
namespace {

using testing::ElementsAre;

/// What a name server of the test says to one question; nullopt: nothing.
struct Question {
  net::DnsQuery query;
  bool tcp = false;
  std::string Answer(std::vector<net::IpAddress> addresses, net::DnsRcode rcode = net::DnsRcode::kNoError) const {
    return net::BuildDnsAnswer(query, {rcode, std::move(addresses), 60}, net::kDnsMessageMax);
  }
};
using Says = std::function<std::vector<std::string>(const Question&)>;

/// A name server on loopback, UDP and TCP on one port, in threads of its own.
class NameServer {
 public:
  explicit NameServer(Says says) : says_(std::move(says)), endpoint_(tcp_.endpoint()) {
    sockaddr_storage storage{};
    const socklen_t length = endpoint_.address.ToSockaddr(endpoint_.port, storage);
    udp_ = sys::UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(udp_.get(), reinterpret_cast<sockaddr*>(&storage), length), 0);
    threads_.emplace_back([this] { ServeUdp(); });
    threads_.emplace_back([this] { ServeTcp(); });
  }
  ~NameServer() {
    sockaddr_storage storage{};
    const socklen_t length = endpoint_.address.ToSockaddr(endpoint_.port, storage);
    EXPECT_EQ(::sendto(udp_.get(), "", 0, 0, reinterpret_cast<sockaddr*>(&storage), length), 0);
    ConnectTo(endpoint_).Send(std::string(2, '\0'));
    for (auto& thread : threads_) thread.join();
  }
  const Endpoint& endpoint() const { return endpoint_; }

 private:
  void ServeUdp() {
    for (;;) {
      std::string message(4096, '\0');
      sockaddr_storage peer{};
      socklen_t length = sizeof peer;
      const ssize_t got =
          ::recvfrom(udp_.get(), message.data(), message.size(), 0, reinterpret_cast<sockaddr*>(&peer), &length);
      if (got <= 0) return;
      message.resize(static_cast<std::size_t>(got));
      for (const auto& answer : says_({net::ParseDnsQuery(AsBytes(message)), false})) {
        ::sendto(udp_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&peer), length);
      }
    }
  }
  void ServeTcp() {
    for (;;) {
      Peer peer = tcp_.Accept();
      const std::string length = peer.Read(2);
      const std::size_t size = length.size() < 2 ? 0 : static_cast<std::uint8_t>(length[1]);
      if (size == 0) return;
      const std::string message = peer.Read(size);
      for (const auto& answer : says_({net::ParseDnsQuery(AsBytes(message)), true})) {
        peer.Send(std::string{static_cast<char>(answer.size() >> 8), static_cast<char>(answer.size() & 0xFF)});
        peer.Send(answer);
      }
    }
  }
  const Says says_;
  Upstream tcp_;
  Endpoint endpoint_;
  sys::UniqueFd udp_;
  std::vector<std::thread> threads_;
};

class StubResolverTest : public testing::Test, private LookupOwner {
 protected:
  /// Looks a name up to its end.
  Result<std::vector<net::IpAddress>> LookUp(std::vector<Endpoint> servers, const std::string& name,
                                             ResolverFiles files = {}, Millis patience = Millis(10'000)) {
    result_.reset();
    auto loop = EventLoop::Create();
    EXPECT_TRUE(loop);
    StubResolver resolver(std::move(files), ServerList{std::move(servers), attempt_timeout, 2});
    const auto lookup = resolver.Resolve(**loop, name, std::chrono::steady_clock::now() + patience, *this);
    while (!result_) EXPECT_TRUE((*loop)->RunOnce(Millis(1000)));
    return *std::move(result_);
  }
  Millis attempt_timeout{5'000};

 private:
  void OnResolved(Result<std::vector<net::IpAddress>> addresses) override { result_ = std::move(addresses); }
  std::optional<Result<std::vector<net::IpAddress>>> result_;
};

TEST_F(StubResolverTest, BothFamiliesSixFirst) {
  NameServer server([](const Question& question) -> std::vector<std::string> {
    EXPECT_EQ(question.query.name, "ok.test");
    return {question.Answer({Ip("192.0.2.1"), Ip("192.0.2.2"), Ip("2001:db8::1")})};
  });
  const auto found = LookUp({server.endpoint()}, "ok.test");
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_THAT(*found, ElementsAre(Ip("2001:db8::1"), Ip("192.0.2.1"), Ip("192.0.2.2")));
}

TEST_F(StubResolverTest, OneFamilyThatIsNotAnsweredDelaysLittle) {
  NameServer server([](const Question& question) -> std::vector<std::string> {
    if (question.query.type == net::kDnsAaaa) return {};
    return {question.Answer({Ip("192.0.2.1")})};
  });
  attempt_timeout = Millis(60'000);  // the silent family alone would take this long
  const auto found = LookUp({server.endpoint()}, "ok.test", {}, Millis(120'000));
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_THAT(*found, ElementsAre(Ip("192.0.2.1")));
}

TEST_F(StubResolverTest, NamesWithoutAddress) {
  NameServer server([](const Question& question) -> std::vector<std::string> {
    return {
        question.Answer({}, question.query.name == "none.test" ? net::DnsRcode::kNxDomain : net::DnsRcode::kNoError)};
  });
  EXPECT_EQ(LookUp({server.endpoint()}, "none.test").error().code, Code::kNotFound);
  EXPECT_EQ(LookUp({server.endpoint()}, "empty.test").error().code, Code::kNotFound);
}

TEST_F(StubResolverTest, ACutAnswerIsAskedForOverTcp) {
  NameServer server([](const Question& question) -> std::vector<std::string> {
    std::string answer = question.Answer({Ip("192.0.2.9")});
    if (question.tcp) return {answer};
    answer = question.Answer({});
    answer[2] = static_cast<char>(answer[2] | 2);  // TC
    return {answer};
  });
  const auto found = LookUp({server.endpoint()}, "big.test");
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_THAT(*found, ElementsAre(Ip("192.0.2.9")));
}

TEST_F(StubResolverTest, TheNextServerIsAskedWhenOneFails) {
  Endpoint nobody;
  {
    Upstream closed;
    nobody = closed.endpoint();
  }
  NameServer failing([](const Question& question) -> std::vector<std::string> {
    return {question.Answer({}, net::DnsRcode::kServFail)};
  });
  NameServer good(
      [](const Question& question) -> std::vector<std::string> { return {question.Answer({Ip("192.0.2.1")})}; });
  const auto found = LookUp({nobody, failing.endpoint(), good.endpoint()}, "ok.test");
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_EQ(LookUp({failing.endpoint(), nobody}, "ok.test").error().code, Code::kUnavailable);
}

TEST_F(StubResolverTest, Attack21_ForgedAnswersAreNotBelieved) {
  NameServer server([](const Question& question) -> std::vector<std::string> {
    const std::string truth = question.Answer({Ip("192.0.2.1")});
    std::string other_id = question.Answer({Ip("10.6.6.6")});
    other_id[0] = static_cast<char>(other_id[0] ^ 1);
    Question other = question;
    other.query =
        net::ParseDnsQuery(AsBytes(net::BuildDnsLookup(question.query.id, "evil.test", question.query.type).value()));
    return {"nonsense", other_id, other.Answer({Ip("10.6.6.6")}), truth};
  });
  const auto found = LookUp({server.endpoint()}, "ok.test");
  ASSERT_TRUE(found) << found.error().what;
  EXPECT_THAT(*found, ElementsAre(Ip("192.0.2.1")));
}

TEST_F(StubResolverTest, TheDeadlineEndsIt) {
  NameServer silent([](const Question&) { return std::vector<std::string>(); });
  EXPECT_EQ(LookUp({silent.endpoint()}, "ok.test", {}, Millis(50)).error().code, Code::kDeadline);
}

TEST_F(StubResolverTest, HostsComeFirstAndNobodyIsAsked) {
  ResolverFiles files;
  ReadHosts("10.1.1.1 ok.test\n", files);
  const auto found = LookUp({}, "ok.test", files);
  ASSERT_TRUE(found);
  EXPECT_THAT(*found, ElementsAre(Ip("10.1.1.1")));
}

}  // namespace
}  // namespace writ::egress::test
