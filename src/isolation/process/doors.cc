#include "isolation/process/doors.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "isolation/process/netlink.h"

namespace writ::isolation::process {
namespace {

constexpr std::uint16_t kTransparentPort = 3129, kDnsPort = 53;
constexpr int kBacklog = 128;
constexpr Millis kKernelWait{5'000};
constexpr const char* kTable = "writ";

template <class T>
ByteView BytesOf(const T& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

// ---- routes ----

/// `default dev lo`, so that a packet for anywhere is made and meets the rules below. IPv4 names its source: the only
/// address has the scope of the host and would not be chosen.
Result<> RouteToLoopback(int family, unsigned interface) {
  rtmsg route{};
  route.rtm_family = static_cast<unsigned char>(family);
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_protocol = RTPROT_STATIC;
  route.rtm_scope = family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  route.rtm_type = RTN_UNICAST;
  NetlinkWriter out;
  out.Message(RTM_NEWROUTE, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, BytesOf(route));
  out.Native(RTA_OIF, interface);
  if (family == AF_INET) out.Native(RTA_PREFSRC, htonl(INADDR_LOOPBACK));
  return NetlinkTalk(NETLINK_ROUTE, out, 1, Deadline::After(kKernelWait));
}

// ---- rules ----

constexpr nfgenmsg kInet{NFPROTO_INET, NFNETLINK_V0, 0};

constexpr std::uint16_t Nft(int message) { return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message); }

void Batch(NetlinkWriter& out, std::uint16_t type) {
  const nfgenmsg batch{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)};
  out.Message(type, NLM_F_REQUEST, BytesOf(batch));
}

void Chain(NetlinkWriter& out, const char* name, const char* type, int priority, std::uint32_t policy) {
  out.Message(Nft(NFT_MSG_NEWCHAIN), NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, BytesOf(kInet));
  out.Text(NFTA_CHAIN_TABLE, kTable);
  out.Text(NFTA_CHAIN_NAME, name);
  out.BeginNested(NFTA_CHAIN_HOOK);
  out.Number(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
  out.Number(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(priority));
  out.EndNested();
  out.Text(NFTA_CHAIN_TYPE, type);
  out.Number(NFTA_CHAIN_POLICY, policy);
}

/// One rule, written expression by expression between construction and destruction.
class Rule {
 public:
  Rule(NetlinkWriter& out, const char* chain) : out_(out) {
    out_.Message(Nft(NFT_MSG_NEWRULE), NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, BytesOf(kInet));
    out_.Text(NFTA_RULE_TABLE, kTable);
    out_.Text(NFTA_RULE_CHAIN, chain);
    out_.BeginNested(NFTA_RULE_EXPRESSIONS);
  }
  ~Rule() { out_.EndNested(); }

  Rule& FamilyIs(std::uint8_t family) { return Meta(NFT_META_NFPROTO).Equals(BytesOf(family)); }
  Rule& ProtocolIs(std::uint8_t protocol) { return Meta(NFT_META_L4PROTO).Equals(BytesOf(protocol)); }
  Rule& PortIs(std::uint16_t port) {
    const std::uint16_t wire = htons(port);
    return Payload(NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2).Equals(BytesOf(wire));
  }
  /// The destination is 127.0.0.0/8.
  Rule& ToLoopback4() {
    const std::uint8_t net = 127;
    return FamilyIs(NFPROTO_IPV4).Payload(NFT_PAYLOAD_NETWORK_HEADER, 16, 1).Equals(BytesOf(net));
  }
  Rule& ToLoopback6() {
    return FamilyIs(NFPROTO_IPV6).Payload(NFT_PAYLOAD_NETWORK_HEADER, 24, 16).Equals(BytesOf(in6addr_loopback));
  }
  void Accept() {
    Expression("immediate", [&] {
      out_.Number(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      out_.BeginNested(NFTA_IMMEDIATE_DATA);
      out_.BeginNested(NFTA_DATA_VERDICT);
      out_.Number(NFTA_VERDICT_CODE, NF_ACCEPT);
      out_.EndNested();
      out_.EndNested();
    });
  }
  void RedirectTo(std::uint16_t port) {
    const std::uint16_t wire = htons(port);
    Expression("immediate", [&] {
      out_.Number(NFTA_IMMEDIATE_DREG, NFT_REG_1);
      out_.BeginNested(NFTA_IMMEDIATE_DATA);
      out_.Attribute(NFTA_DATA_VALUE, BytesOf(wire));
      out_.EndNested();
    });
    Expression("redir", [&] { out_.Number(NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1); });
  }

 private:
  template <class Body>
  void Expression(const char* name, const Body& body) {
    out_.BeginNested(NFTA_LIST_ELEM);
    out_.Text(NFTA_EXPR_NAME, name);
    out_.BeginNested(NFTA_EXPR_DATA);
    body();
    out_.EndNested();
    out_.EndNested();
  }
  Rule& Meta(std::uint32_t key) {
    Expression("meta", [&] {
      out_.Number(NFTA_META_DREG, NFT_REG_1);
      out_.Number(NFTA_META_KEY, key);
    });
    return *this;
  }
  Rule& Payload(std::uint32_t base, std::uint32_t offset, std::uint32_t length) {
    Expression("payload", [&] {
      out_.Number(NFTA_PAYLOAD_DREG, NFT_REG_1);
      out_.Number(NFTA_PAYLOAD_BASE, base);
      out_.Number(NFTA_PAYLOAD_OFFSET, offset);
      out_.Number(NFTA_PAYLOAD_LEN, length);
    });
    return *this;
  }
  Rule& Equals(ByteView value) {
    Expression("cmp", [&] {
      out_.Number(NFTA_CMP_SREG, NFT_REG_1);
      out_.Number(NFTA_CMP_OP, NFT_CMP_EQ);
      out_.BeginNested(NFTA_CMP_DATA);
      out_.Attribute(NFTA_DATA_VALUE, value);
      out_.EndNested();
    });
    return *this;
  }
  NetlinkWriter& out_;
};

/// Destination NAT happens before filtering, so what was redirected is for loopback by the time it is filtered.
Result<> RedirectAndDrop() {
  constexpr int kDestinationNat = -100, kFilter = 0;
  NetlinkWriter out;
  Batch(out, NFNL_MSG_BATCH_BEGIN);
  out.Message(Nft(NFT_MSG_NEWTABLE), NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, BytesOf(kInet));
  out.Text(NFTA_TABLE_NAME, kTable);
  constexpr const char* kRedirect = "redirect";
  Chain(out, kRedirect, "nat", kDestinationNat, NF_ACCEPT);
  Rule(out, kRedirect).ToLoopback4().Accept();
  Rule(out, kRedirect).ToLoopback6().Accept();
  for (const std::uint8_t protocol : {IPPROTO_TCP, IPPROTO_UDP})
    Rule(out, kRedirect).ProtocolIs(protocol).PortIs(kDnsPort).RedirectTo(kDnsPort);
  Rule(out, kRedirect).ProtocolIs(IPPROTO_TCP).RedirectTo(kTransparentPort);
  constexpr const char* kClosed = "closed";
  Chain(out, kClosed, "filter", kFilter, NF_DROP);
  Rule(out, kClosed).ToLoopback4().Accept();
  Rule(out, kClosed).ToLoopback6().Accept();
  Batch(out, NFNL_MSG_BATCH_END);
  return NetlinkTalk(NETLINK_NETFILTER, out, out.count() - 2, Deadline::After(kKernelWait));
}

// ---- listeners ----

Result<sys::UniqueFd> Listen(int family, int type, std::uint16_t port) {
  sys::UniqueFd socket{::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!socket.valid()) return FailErrno("socket");
  sockaddr_in address4{};
  address4.sin_family = AF_INET;
  address4.sin_port = htons(port);
  address4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in6 address6{};
  address6.sin6_family = AF_INET6;
  address6.sin6_port = htons(port);
  address6.sin6_addr = in6addr_loopback;
  const bool v6 = family == AF_INET6;
  const auto* address = v6 ? reinterpret_cast<const sockaddr*>(&address6) : reinterpret_cast<const sockaddr*>(&address4);
  if (::bind(socket.get(), address, v6 ? sizeof address6 : sizeof address4) != 0) return FailErrno(fmt::format("bind port {}", port));
  if (type == SOCK_STREAM && ::listen(socket.get(), kBacklog) != 0) return FailErrno("listen");
  return socket;
}

}  // namespace

Result<NetworkDoors> MakeDoors() {
  const unsigned loopback = ::if_nametoindex("lo");
  if (loopback == 0) return FailErrno("lo");
  const bool has_ipv6 = ::access("/proc/sys/net/ipv6", F_OK) == 0;
  WRIT_TRY("route", RouteToLoopback(AF_INET, loopback));
  if (has_ipv6) WRIT_TRY("route", RouteToLoopback(AF_INET6, loopback));
  if (auto ruled = RedirectAndDrop(); !ruled)
    return Fail(Code::kUnavailable, "this kernel cannot redirect connections inside a network namespace ({}): it needs "
                "nftables with nat and redirection (nf_tables, nft_chain_nat, nft_redir)", ruled.error().what);
  NetworkDoors doors;
  doors.proxy = WRIT_TRY("proxy", Listen(AF_INET, SOCK_STREAM, kProxyPort));
  doors.transparent4 = WRIT_TRY("transparent", Listen(AF_INET, SOCK_STREAM, kTransparentPort));
  doors.dns_udp4 = WRIT_TRY("dns", Listen(AF_INET, SOCK_DGRAM, kDnsPort));
  doors.dns_tcp4 = WRIT_TRY("dns", Listen(AF_INET, SOCK_STREAM, kDnsPort));
  if (!has_ipv6) return doors;
  doors.transparent6 = WRIT_TRY("transparent", Listen(AF_INET6, SOCK_STREAM, kTransparentPort));
  doors.dns_udp6 = WRIT_TRY("dns", Listen(AF_INET6, SOCK_DGRAM, kDnsPort));
  doors.dns_tcp6 = WRIT_TRY("dns", Listen(AF_INET6, SOCK_STREAM, kDnsPort));
  return doors;
}

}  // namespace writ::isolation::process
