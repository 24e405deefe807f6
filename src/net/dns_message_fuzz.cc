#include <cstdint>
#include <cstdlib>
#include <string>

#include "net/dns_message.h"

// Whatever a guest asks, the answer stays in its bounds and reads back; whatever a server says, addresses are bounded.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::net;
  const writ::ByteView message(data, size);
  const DnsQuery query = ParseDnsQuery(message);
  if (query.kind != DnsQuery::Kind::kDrop) {
    const bool ask = query.kind == DnsQuery::Kind::kAsk;
    const std::vector<IpAddress> addresses(size % 64, query.type == kDnsA ? IpAddress::V4(1) : IpAddress::V6({1}));
    const std::string answer =
        BuildDnsAnswer(query, {ask ? DnsRcode::kNoError : query.refusal, addresses, 9}, query.udp_bytes_max);
    if (answer.size() > query.udp_bytes_max + 300) std::abort();
    if (ParseDnsQuery(writ::AsBytes(answer)).kind != DnsQuery::Kind::kDrop) std::abort();
    if (ask && query.name.find('\\') == std::string::npos && query.name != ".") {
      const auto read = ParseDnsLookup(writ::AsBytes(answer), query.id, query.name, query.type);
      if (!read) std::abort();
      const bool typed = query.type == kDnsA || query.type == kDnsAaaa;
      if (typed && !read->truncated && read->addresses.size() != (addresses.empty() ? 0U : 1U)) std::abort();
    }
  }
  if (size < 2) return 0;
  const auto id = static_cast<std::uint16_t>(data[0] << 8 | data[1]);
  for (const std::uint16_t type : {kDnsA, kDnsAaaa}) {
    const auto lookup = ParseDnsLookup(message, id, "a.org", type);
    if (lookup && lookup->addresses.size() > DnsLookup::kAddressesMax) std::abort();
  }
  return 0;
}
