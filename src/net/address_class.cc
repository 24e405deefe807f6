#include <algorithm>

#include "net/ip_address.h"

namespace writ::net {
namespace {

using enum AddressClass;

struct V4Range {
  std::uint32_t network;
  unsigned prefix_bits;
  AddressClass address_class;
};
// First match wins. Source: IANA IPv4 Special-Purpose Address Registry; RFC 1122 section 3.2.1.3 for 0/8; RFC 5771.
constexpr V4Range kV4[] = {
    {0xA9FEA9FE, 32, kMetadata},    // 169.254.169.254, nearly every cloud
    {0xA9FEAA02, 32, kMetadata},    // 169.254.170.2, credentials of AWS containers
    {0xA9FEAA17, 32, kMetadata},    // 169.254.170.23, credentials of AWS pods
    {0xA9FE2A2A, 32, kMetadata},    // 169.254.42.42, Scaleway
    {0xA9FE0017, 32, kMetadata},    // 169.254.0.23, Tencent
    {0x646464C8, 32, kMetadata},    // 100.100.100.200, Alibaba
    {0xC00000C0, 32, kMetadata},    // 192.0.0.192, Oracle
    {0xA83F8110, 32, kMetadata},    // 168.63.129.16, Azure; a public number that only the own host answers
    {0x00000000, 8, kUnspecified},  // 0.0.0.0/8 "this network"
    {0x0A000000, 8, kPrivate},      // 10.0.0.0/8
    {0x64400000, 10, kSharedNat},   // 100.64.0.0/10
    {0x7F000000, 8, kLoopback},     // 127.0.0.0/8
    {0xA9FE0000, 16, kLinkLocal},   // 169.254.0.0/16
    {0xAC100000, 12, kPrivate},     // 172.16.0.0/12
    {0xC0000000, 24, kReserved},    // 192.0.0.0/24 protocol assignments
    {0xC0000200, 24, kReserved},    // 192.0.2.0/24 documentation
    {0xC0586300, 24, kReserved},    // 192.88.99.0/24 former 6to4 relays
    {0xC0A80000, 16, kPrivate},     // 192.168.0.0/16
    {0xC6120000, 15, kReserved},    // 198.18.0.0/15 benchmarking
    {0xC6336400, 24, kReserved},    // 198.51.100.0/24 documentation
    {0xCB007100, 24, kReserved},    // 203.0.113.0/24 documentation
    {0xE0000000, 4, kMulticast},    // 224.0.0.0/4
    {0xFFFFFFFF, 32, kBroadcast},   // 255.255.255.255
    {0xF0000000, 4, kReserved},     // 240.0.0.0/4 future use
};

struct V6Range {
  std::array<std::uint16_t, 8> network;
  unsigned prefix_bits;
  AddressClass address_class;
};
// First match wins; what matches nothing and is outside 2000::/3 is not allocated and counts as reserved.
// Source: IANA IPv6 Special-Purpose Address Registry and IPv6 Address Space.
constexpr V6Range kV6[] = {
    {{0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254}, 128, kMetadata},       // AWS
    {{0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23}, 128, kMetadata},        // credentials of AWS pods
    {{0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254}, 128, kMetadata},        // Google
    {{0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe}, 128, kMetadata},  // Oracle
    {{0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42}, 128, kMetadata},         // Scaleway
    {{0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe}, 128, kMetadata},     // OpenStack
    {{0, 0, 0, 0, 0, 0, 0, 0}, 128, kUnspecified},                 // ::
    {{0, 0, 0, 0, 0, 0, 0, 1}, 128, kLoopback},                    // ::1
    {{0, 0, 0, 0, 0, 0xffff, 0, 0}, 96, kMapped},                  // ::ffff:0:0/96 IPv4-mapped
    {{0, 0, 0, 0, 0xffff, 0, 0, 0}, 96, kMapped},                  // ::ffff:0:0:0/96 IPv4-translated
    {{0, 0, 0, 0, 0, 0, 0, 0}, 96, kMapped},                       // ::/96 IPv4-compatible
    {{0x64, 0xff9b, 0, 0, 0, 0, 0, 0}, 96, kPublic},               // NAT64: as good as the address inside
    {{0x64, 0xff9b, 1, 0, 0, 0, 0, 0}, 48, kPrivate},              // NAT64 of this network
    {{0x2001, 0, 0, 0, 0, 0, 0, 0}, 32, kMapped},                  // Teredo
    {{0x2001, 0, 0, 0, 0, 0, 0, 0}, 23, kReserved},                // protocol assignments
    {{0x2001, 0xdb8, 0, 0, 0, 0, 0, 0}, 32, kReserved},            // documentation
    {{0x2002, 0, 0, 0, 0, 0, 0, 0}, 16, kMapped},                  // 6to4
    {{0x3ffe, 0, 0, 0, 0, 0, 0, 0}, 16, kReserved},                // former 6bone
    {{0x3fff, 0, 0, 0, 0, 0, 0, 0}, 20, kReserved},                // documentation
    {{0x2000, 0, 0, 0, 0, 0, 0, 0}, 3, kPublic},                   // global unicast
    {{0xfc00, 0, 0, 0, 0, 0, 0, 0}, 7, kPrivate},                  // unique local
    {{0xfe80, 0, 0, 0, 0, 0, 0, 0}, 10, kLinkLocal},
    {{0xfec0, 0, 0, 0, 0, 0, 0, 0}, 10, kPrivate},  // former site local
    {{0xff00, 0, 0, 0, 0, 0, 0, 0}, 8, kMulticast},
};

AddressClass ClassifyV4(std::uint32_t address) {
  for (const V4Range& range : kV4) {
    if (((address ^ range.network) >> (32 - range.prefix_bits)) == 0) return range.address_class;
  }
  return kPublic;
}

using Pieces = std::array<std::uint16_t, 8>;

bool Matches(const Pieces& pieces, const Pieces& network, unsigned prefix_bits) {
  for (std::size_t i = 0; prefix_bits > 0; ++i) {
    const unsigned bits = std::min(prefix_bits, 16U);
    if (((pieces[i] ^ network[i]) >> (16 - bits)) != 0) return false;
    prefix_bits -= bits;
  }
  return true;
}

std::uint32_t V4At(const Pieces& pieces, std::size_t first) {
  return static_cast<std::uint32_t>(pieces[first]) << 16 | pieces[first + 1];
}

AddressClass ClassifyV6(const Pieces& pieces) {
  AddressClass outer = kReserved;
  for (const V6Range& range : kV6) {
    if (!Matches(pieces, range.network, range.prefix_bits)) continue;
    outer = range.address_class;
    break;
  }
  const auto worse_inside = [&](std::uint32_t inside) { outer = std::max(outer, ClassifyV4(inside)); };
  const bool in_low_32 = Matches(pieces, {0, 0, 0, 0, 0, 0xffff, 0, 0}, 96) ||                   // mapped, RFC 4291
                         Matches(pieces, {0, 0, 0, 0, 0xffff, 0, 0, 0}, 96) ||                   // translated, RFC 2765
                         Matches(pieces, {0x64, 0xff9b, 0, 0, 0, 0, 0, 0}, 96) ||                // NAT64, RFC 6052
                         Matches(pieces, {0x64, 0xff9b, 1, 0, 0, 0, 0, 0}, 48);                  // NAT64, RFC 8215
  const bool compatible = Matches(pieces, {0, 0, 0, 0, 0, 0, 0, 0}, 96) && V4At(pieces, 6) > 1;  // not :: and ::1
  const bool isatap = (pieces[4] & 0xfdff) == 0 && pieces[5] == 0x5efe;                          // RFC 5214
  if (in_low_32 || compatible || isatap) worse_inside(V4At(pieces, 6));
  if (pieces[0] == 0x2002) worse_inside(V4At(pieces, 1));  // 6to4, RFC 3056
  if (pieces[0] == 0x2001 && pieces[1] == 0) {             // Teredo, RFC 4380: server, and client inverted
    worse_inside(V4At(pieces, 2));
    worse_inside(~V4At(pieces, 6));
  }
  return outer;
}

}  // namespace

AddressClass Classify(const IpAddress& address) {
  if (address.is_v4()) return ClassifyV4(address.v4_value());
  Pieces pieces{};
  const ByteView bytes = address.bytes();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    pieces[i] = static_cast<std::uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  }
  return ClassifyV6(pieces);
}

std::string_view AddressClassName(AddressClass address_class) {
  switch (address_class) {
    case kPublic:
      return "public";
    case kReserved:
      return "reserved";
    case kMapped:
      return "mapped";
    case kSharedNat:
      return "shared-nat";
    case kPrivate:
      return "private";
    case kMulticast:
      return "multicast";
    case kBroadcast:
      return "broadcast";
    case kUnspecified:
      return "unspecified";
    case kLinkLocal:
      return "link-local";
    case kLoopback:
      return "loopback";
    case kMetadata:
      return "metadata";
  }
  return "reserved";
}

}  // namespace writ::net
