#include "net/ip_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/escape.h"

namespace writ::net {
namespace {

constexpr std::size_t kTextMax = 45;  // "ffff:...:ffff:255.255.255.255"

std::uint8_t Mask(unsigned prefix_bits, std::size_t byte) {
  const unsigned before = static_cast<unsigned>(byte) * 8;
  if (prefix_bits >= before + 8) return 0xFF;
  if (prefix_bits <= before) return 0;
  return static_cast<std::uint8_t>(0xFF00U >> (prefix_bits - before));
}

IpAddress Masked(const IpAddress& address, unsigned prefix_bits) {
  std::array<std::uint8_t, 16> bytes{};
  std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] &= Mask(prefix_bits, i);
  return address.is_v4() ? IpAddress::V4({bytes[0], bytes[1], bytes[2], bytes[3]}) : IpAddress::V6(bytes);
}

std::string V6Text(ByteView bytes) {
  std::array<unsigned, 8> pieces{};
  for (std::size_t i = 0; i < 8; ++i) pieces[i] = static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  std::size_t best = 8, best_length = 1;  // a single zero is not shortened
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t end = i;
    while (end < 8 && pieces[end] == 0) ++end;
    if (end - i > best_length) best = i, best_length = end - i;
    if (end > i) i = end;
  }
  std::string text;
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      text += "::";
      i += best_length - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    text += fmt::format("{:x}", pieces[i]);
  }
  return text;
}

}  // namespace

IpAddress IpAddress::V4(std::array<std::uint8_t, 4> bytes) {
  IpAddress address;
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
  return address;
}

IpAddress IpAddress::V4(std::uint32_t host_order) {
  return V4({static_cast<std::uint8_t>(host_order >> 24), static_cast<std::uint8_t>(host_order >> 16),
             static_cast<std::uint8_t>(host_order >> 8), static_cast<std::uint8_t>(host_order)});
}

IpAddress IpAddress::V6(std::array<std::uint8_t, 16> bytes) {
  IpAddress address;
  address.v4_ = false;
  address.bytes_ = bytes;
  return address;
}

Result<IpAddress> IpAddress::FromText(std::string_view text) {
  std::array<char, kTextMax + 1> buffer{};
  if (!text.empty() && text.size() <= kTextMax && text.find('\0') == std::string_view::npos) {
    std::copy(text.begin(), text.end(), buffer.begin());
    std::array<std::uint8_t, 16> v6{};
    std::array<std::uint8_t, 4> v4{};
    if (::inet_pton(AF_INET, buffer.data(), v4.data()) == 1) return V4(v4);
    if (::inet_pton(AF_INET6, buffer.data(), v6.data()) == 1) return V6(v6);
  }
  return Fail(Code::kInvalid, "\"{}\" is not an IP address such as 192.0.2.7 or 2001:db8::7", EscapeVisible(text, 64));
}

Result<IpAddress> IpAddress::FromBytes(ByteView bytes) {
  if (bytes.size() == 4) return V4({bytes[0], bytes[1], bytes[2], bytes[3]});
  if (bytes.size() != 16) return Fail(Code::kInvalid, "an address has 4 or 16 bytes, not {}", bytes.size());
  std::array<std::uint8_t, 16> v6{};
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return V6(v6);
}

Result<IpAddress> IpAddress::FromSockaddr(const sockaddr* address, socklen_t length_bytes) {
  sa_family_t family = AF_UNSPEC;
  if (address != nullptr && length_bytes >= sizeof(family)) family = address->sa_family;
  if (family == AF_INET && length_bytes >= sizeof(sockaddr_in)) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof(v4));
    return V4(ntohl(v4.sin_addr.s_addr));
  }
  if (family == AF_INET6 && length_bytes >= sizeof(sockaddr_in6)) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, address, sizeof(v6));
    if (v6.sin6_scope_id != 0) return Fail(Code::kInvalid, "an IPv6 address with zone {}", v6.sin6_scope_id);
    return FromBytes({v6.sin6_addr.s6_addr, 16});
  }
  return Fail(Code::kInvalid, "socket address of family {} with {} bytes is not IPv4 or IPv6", family, length_bytes);
}

std::uint32_t IpAddress::v4_value() const {
  return static_cast<std::uint32_t>(bytes_[0]) << 24 | static_cast<std::uint32_t>(bytes_[1]) << 16 |
         static_cast<std::uint32_t>(bytes_[2]) << 8 | bytes_[3];
}

std::string IpAddress::ToText() const {
  if (v4_) return fmt::format("{}.{}.{}.{}", bytes_[0], bytes_[1], bytes_[2], bytes_[3]);
  return V6Text(bytes());
}

std::string IpAddress::ToUrlText() const { return v4_ ? ToText() : "[" + ToText() + "]"; }

socklen_t IpAddress::ToSockaddr(std::uint16_t port, sockaddr_storage& out) const {
  out = {};
  if (v4_) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(v4_value());
    std::memcpy(&out, &v4, sizeof(v4));
    return sizeof(v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::copy(bytes_.begin(), bytes_.end(), v6.sin6_addr.s6_addr);
  std::memcpy(&out, &v6, sizeof(v6));
  return sizeof(v6);
}

std::strong_ordering operator<=>(const IpAddress& a, const IpAddress& b) {
  if (a.v4_ != b.v4_) return a.v4_ ? std::strong_ordering::less : std::strong_ordering::greater;
  return a.bytes_ <=> b.bytes_;
}

Result<Cidr> Cidr::FromText(std::string_view text) {
  const std::size_t slash = text.find('/');
  Cidr range;
  range.network = WRIT_TRY("address range", IpAddress::FromText(text.substr(0, slash)));
  const unsigned bits_max = range.network.is_v4() ? 32 : 128;
  range.prefix_bits = bits_max;
  if (slash == std::string_view::npos) return range;
  const std::string_view digits = text.substr(slash + 1);
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, range.prefix_bits);
  const bool padded = digits.size() > 1 && digits.front() == '0';
  if (digits.empty() || padded || read.ec != std::errc() || read.ptr != end || range.prefix_bits > bits_max) {
    return Fail(Code::kInvalid, "\"{}\": the prefix length after / must be 0..{}", EscapeVisible(text, 64), bits_max);
  }
  const IpAddress network = Masked(range.network, range.prefix_bits);
  if (network != range.network) {
    return Fail(Code::kInvalid, "\"{}\" has bits set behind its prefix; the range is {}/{}", text, network.ToText(),
                range.prefix_bits);
  }
  return range;
}

bool Cidr::Contains(const IpAddress& address) const {
  return address.is_v4() == network.is_v4() && Masked(address, prefix_bits) == network;
}

std::string Cidr::ToText() const { return fmt::format("{}/{}", network.ToText(), prefix_bits); }

}  // namespace writ::net
