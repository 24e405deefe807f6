#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"

namespace writ::net {

/// An IPv4 or IPv6 address without port and without zone. A plain value: ordered (IPv4 first) and hashable.
/// An IPv4-mapped IPv6 address is not equal to the IPv4 address inside; Classify() looks inside.
class IpAddress {
 public:
  IpAddress() = default;  ///< 0.0.0.0
  static IpAddress V4(std::array<std::uint8_t, 4> bytes);
  static IpAddress V4(std::uint32_t host_order);
  static IpAddress V6(std::array<std::uint8_t, 16> bytes);
  /// Strict text forms only: four decimal octets without leading zeros, or RFC 4291 section 2.2 without brackets and
  /// without zone. For what a URL calls a host see host_name.h. Errors: kInvalid.
  static Result<IpAddress> FromText(std::string_view text);
  /// Four or sixteen bytes in network order. Errors: kInvalid for any other length.
  static Result<IpAddress> FromBytes(ByteView bytes);
  /// The address of an AF_INET or AF_INET6 socket address. Errors: kInvalid for other families, short lengths and
  /// addresses with a zone other than 0.
  static Result<IpAddress> FromSockaddr(const sockaddr* address, socklen_t length_bytes);

  bool is_v4() const { return v4_; }
  bool is_v6() const { return !v4_; }
  /// Four or sixteen bytes in network order, borrowed from this object.
  ByteView bytes() const { return {bytes_.data(), v4_ ? std::size_t{4} : std::size_t{16}}; }
  /// Precondition: is_v4(). Host order.
  std::uint32_t v4_value() const;

  /// IPv4 dotted; IPv6 as RFC 5952 and the URL standard write it: lower case, longest run of zeros shortened, never
  /// with dotted IPv4 inside.
  std::string ToText() const;
  /// As ToText, IPv6 in brackets: what stands before ":port".
  std::string ToUrlText() const;
  /// Fills `out` and returns the length to pass to connect(2); `port` in host order.
  socklen_t ToSockaddr(std::uint16_t port, sockaddr_storage& out) const;

  friend bool operator==(const IpAddress&, const IpAddress&) = default;
  friend std::strong_ordering operator<=>(const IpAddress& a, const IpAddress& b);

 private:
  bool v4_ = true;
  std::array<std::uint8_t, 16> bytes_{};  // IPv4 uses the first four, the rest is zero
};

/// A range of addresses of one family.
struct Cidr {
  IpAddress network;
  unsigned prefix_bits = 32;  ///< 0..32 or 0..128

  /// "10.0.0.0/8", "fd00::/8"; an address alone is the range that holds only it.
  /// Errors: kInvalid; when bits behind the prefix are set the text says which range was probably meant.
  static Result<Cidr> FromText(std::string_view text);
  /// Whether the address is of the same family and in the range. A mapped address is not in an IPv4 range.
  bool Contains(const IpAddress& address) const;
  bool is_single() const { return prefix_bits == (network.is_v4() ? 32U : 128U); }
  std::string ToText() const;  ///< always with the prefix
  friend bool operator==(const Cidr&, const Cidr&) = default;
};

/// What an address is for, mildest first: the "worst" of two classes is the greater one.
enum class AddressClass : std::uint8_t {
  kPublic,     ///< globally reachable unicast; the only class that needs no grant of its own
  kReserved,   ///< documentation, benchmarking, protocol assignments, future use, not allocated
  kMapped,     ///< carries a public IPv4 address in a form that must not be on the wire (mapped, 6to4, Teredo, ...)
  kSharedNat,  ///< 100.64.0.0/10, between carrier and customer
  kPrivate,    ///< RFC 1918, unique local, site local
  kMulticast,
  kBroadcast,
  kUnspecified,  ///< 0.0.0.0/8 and ::, which connect to this host
  kLinkLocal,
  kLoopback,
  kMetadata  ///< where a cloud gives credentials to whoever asks
};
/// "public", "private", "link-local", ...: the word for events and messages.
std::string_view AddressClassName(AddressClass address_class);

/// The class of an address by the IANA special-purpose registries (RFC 6890 and updates). Every form that carries an
/// IPv4 address (mapped, compatible, translated, NAT64, 6to4, Teredo with both of its addresses, ISATAP) gets the worse
/// of the class of the form and the class of the address inside. Assignments inside 192.0.0.0/24 and 2001::/23 that
/// the registry calls reachable (anycast of protocols) count as reserved here. Table: docs/formats/egress.md.
AddressClass Classify(const IpAddress& address);

}  // namespace writ::net

template <>
struct std::hash<writ::net::IpAddress> {
  std::size_t operator()(const writ::net::IpAddress& address) const noexcept {
    return std::hash<std::string_view>()(writ::AsText(address.bytes()));
  }
};
