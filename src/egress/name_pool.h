#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "net/ip_address.h"

namespace writ::egress {

/// The addresses that stand for names inside a cell: the DNS stub hands them out, a connection to one of them means the
/// name. 198.18.0.0/15 (RFC 2544, never routed) and the unique local prefix fd77:7269:7400::/48. Not thread-safe.
class NamePool {
 public:
  struct Addresses {
    net::IpAddress v4, v6;
  };
  /// The addresses of a name (already normalised), the same ones for the life of the pool; nullopt when kNamesMax other
  /// names have theirs.
  std::optional<Addresses> Map(std::string_view name);
  /// The name that an address was handed out for; nullptr for every other address. Valid as long as the pool.
  const std::string* NameOf(const net::IpAddress& address) const;
  /// Whether the address is of the two ranges, handed out or not.
  static bool InRange(const net::IpAddress& address);

  static constexpr std::uint32_t kNamesMax = 65'536;

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

}  // namespace writ::egress
