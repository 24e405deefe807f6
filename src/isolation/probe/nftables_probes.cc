#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"

namespace writ::isolation {
namespace {

const char* const kNftablesFix =
    "modprobe nf_tables nft_chain_nat nft_redir (CONFIG_NF_TABLES, CONFIG_NFT_NAT, CONFIG_NFT_REDIR); without it "
    "programs that know no proxy get no network, everything else works";
constexpr std::uint16_t kDestination = 9;  // nobody listens there

/// Netlink messages one after the other. Source: linux/netfilter/nfnetlink.h, nf_tables.h, netlink(7).
class Batch {
 public:
  void Begin(unsigned type, unsigned flags, std::uint8_t family, std::uint16_t resource = 0) {
    message_ = bytes_.size();
    nlmsghdr header{};
    header.nlmsg_type = static_cast<std::uint16_t>(type);
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header.nlmsg_seq = ++sequence_;
    nfgenmsg generic{family, NFNETLINK_V0, htons(resource)};
    Put(&header, sizeof header), Put(&generic, sizeof generic);
  }
  void End() { SetAt(message_, static_cast<std::uint32_t>(bytes_.size() - message_)); }
  std::size_t Open(unsigned type) {
    const std::size_t at = bytes_.size();
    const nlattr header{0, static_cast<std::uint16_t>(type | NLA_F_NESTED)};
    Put(&header, sizeof header);
    return at;
  }
  void Close(std::size_t at) {
    const auto length = static_cast<std::uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }
  void Attribute(unsigned type, const void* data, std::size_t size) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + size), static_cast<std::uint16_t>(type)};
    Put(&header, sizeof header), Put(data, size);
  }
  void Text(unsigned type, const char* text) { Attribute(type, text, std::strlen(text) + 1); }
  void Number(unsigned type, std::uint32_t value) {
    value = htonl(value);
    Attribute(type, &value, sizeof value);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void Put(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize(NLMSG_ALIGN(bytes_.size()), '\0');
  }
  void SetAt(std::size_t at, std::uint32_t value) { std::memcpy(bytes_.data() + at, &value, sizeof value); }

  std::string bytes_;
  std::size_t message_ = 0;
  std::uint32_t sequence_ = 0;
};

constexpr unsigned Type(unsigned message) { return NFNL_SUBSYS_NFTABLES << 8 | message; }

/// One table, one nat chain on outgoing packets, one rule: every TCP connection goes to `port`.
std::string RedirectEverything(std::uint16_t port) {
  Batch batch;
  batch.Begin(NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES), batch.End();
  batch.Begin(Type(NFT_MSG_NEWTABLE), NLM_F_CREATE | NLM_F_ACK, NFPROTO_IPV4);
  batch.Text(NFTA_TABLE_NAME, "probe"), batch.End();

  batch.Begin(Type(NFT_MSG_NEWCHAIN), NLM_F_CREATE | NLM_F_ACK, NFPROTO_IPV4);
  batch.Text(NFTA_CHAIN_TABLE, "probe"), batch.Text(NFTA_CHAIN_NAME, "out");
  const std::size_t hook = batch.Open(NFTA_CHAIN_HOOK);
  batch.Number(NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
  batch.Number(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(-100)), batch.Close(hook);
  batch.Text(NFTA_CHAIN_TYPE, "nat"), batch.End();

  batch.Begin(Type(NFT_MSG_NEWRULE), NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, NFPROTO_IPV4);
  batch.Text(NFTA_RULE_TABLE, "probe"), batch.Text(NFTA_RULE_CHAIN, "out");
  const std::size_t list = batch.Open(NFTA_RULE_EXPRESSIONS);
  const auto expression = [&](const char* name, auto data) {
    const std::size_t element = batch.Open(NFTA_LIST_ELEM);
    batch.Text(NFTA_EXPR_NAME, name);
    const std::size_t inner = batch.Open(NFTA_EXPR_DATA);
    data();
    batch.Close(inner), batch.Close(element);
  };
  const auto value = [&](unsigned type, const void* data, std::size_t size) {
    const std::size_t outer = batch.Open(type);
    batch.Attribute(NFTA_DATA_VALUE, data, size), batch.Close(outer);
  };
  expression("meta", [&] { batch.Number(NFTA_META_DREG, NFT_REG_1), batch.Number(NFTA_META_KEY, NFT_META_L4PROTO); });
  expression("cmp", [&] {
    const std::uint8_t tcp = IPPROTO_TCP;
    batch.Number(NFTA_CMP_SREG, NFT_REG_1), batch.Number(NFTA_CMP_OP, NFT_CMP_EQ);
    value(NFTA_CMP_DATA, &tcp, sizeof tcp);
  });
  expression("immediate", [&] {
    const std::uint16_t wire_port = htons(port);
    batch.Number(NFTA_IMMEDIATE_DREG, NFT_REG_1), value(NFTA_IMMEDIATE_DATA, &wire_port, sizeof wire_port);
  });
  expression("redir", [&] { batch.Number(NFTA_REDIR_REG_PROTO_MIN, NFT_REG_1); });
  batch.Close(list), batch.End();

  batch.Begin(NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES), batch.End();
  return batch.bytes();
}

/// Sends the batch and reads answers until all three commands are acknowledged. 0 or the errno of the kernel.
int Commit(int netlink, const std::string& batch) {
  if (::send(netlink, batch.data(), batch.size(), 0) != static_cast<ssize_t>(batch.size())) return errno;
  int acknowledged = 0;
  while (acknowledged < 3) {
    alignas(nlmsghdr) char buffer[8192];
    const ssize_t got = ::recv(netlink, buffer, sizeof buffer, 0);
    if (got <= 0) return got < 0 ? errno : EPROTO;
    auto left = static_cast<unsigned>(got);
    for (auto* header = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
      if (error->error != 0) return -error->error;
      ++acknowledged;
    }
  }
  return 0;
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// A connection to a port where nobody listens must arrive here, and the socket must know where it was going.
Finding TryRedirect() {
  if (auto missing = EnterUserNamespace(CLONE_NEWNET)) return *missing;
  const sys::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP;
  sockaddr_in address = Loopback(0);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (!listener.valid() || ::ioctl(listener.get(), SIOCSIFFLAGS, &request) != 0 ||
      ::bind(listener.get(), generic, length) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), generic, &length) != 0)
    return Finding::Missing("listen inside: " + ErrnoText(errno), kNftablesFix);

  const sys::UniqueFd netlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!netlink.valid()) return Finding::Missing("netfilter netlink: " + ErrnoText(errno), kNftablesFix);
  if (const int failure = Commit(netlink.get(), RedirectEverything(ntohs(address.sin_port))); failure != 0)
    return Finding::Missing("the kernel refused the rules: " + ErrnoText(failure), kNftablesFix);

  const sys::UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in destination = Loopback(kDestination);
  if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&destination), sizeof destination) != 0)
    return Finding::Missing("rules accepted, but connect was not redirected: " + ErrnoText(errno), kNftablesFix);
  const sys::UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  constexpr int kOriginalDestination = 80;  // SO_ORIGINAL_DST of linux/netfilter_ipv4.h
  sockaddr_in original{};
  length = sizeof original;
  if (!server.valid() || ::getsockopt(server.get(), SOL_IP, kOriginalDestination, &original, &length) != 0)
    return Finding::Missing("original destination of a redirected connection: " + ErrnoText(errno), kNftablesFix);
  if (ntohs(original.sin_port) != kDestination)
    return Finding::Missing("a redirected connection does not know where it was going", kNftablesFix);
  return Finding::Ok("redirects a connection and names its destination, in a user namespace");
}

}  // namespace

void AddNftablesProbes(std::vector<ProbeSpec>& specs) { specs.emplace_back("nftables.redirect", TryRedirect); }

}  // namespace writ::isolation
