#include "egress/name_pool.h"

#include <algorithm>
#include <array>

namespace writ::egress {
namespace {

constexpr std::uint32_t kV4Base = 198U << 24 | 18U << 16;  // 198.18.0.0/15
constexpr std::uint32_t kV4Mask = 0xFFFE0000U;
constexpr std::uint32_t kFirst = 256;  // the first 256 addresses stay free for the cell's own interfaces
constexpr std::array<std::uint8_t, 6> kV6Prefix = {0xfd, 0x77, 0x72, 0x69, 0x74, 0x00};
static_assert(kFirst + NamePool::kNamesMax < 1U << 17);

net::IpAddress V6Of(std::uint32_t number) {
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(kV6Prefix, bytes.begin());
  for (int i = 0; i < 4; ++i) bytes[static_cast<std::size_t>(15 - i)] = static_cast<std::uint8_t>(number >> (8 * i));
  return net::IpAddress::V6(bytes);
}

}  // namespace

std::optional<NamePool::Addresses> NamePool::Map(std::string_view name) {
  std::string key(name);
  auto found = numbers_.find(key);
  if (found == numbers_.end()) {
    if (names_.size() >= kNamesMax) return std::nullopt;
    names_.push_back(key);
    found = numbers_.emplace(std::move(key), static_cast<std::uint32_t>(names_.size() - 1)).first;
  }
  const std::uint32_t number = found->second + kFirst;
  return Addresses{net::IpAddress::V4(kV4Base + number), V6Of(number)};
}

bool NamePool::InRange(const net::IpAddress& address) {
  if (address.is_v4()) return (address.v4_value() & kV4Mask) == kV4Base;
  return std::ranges::equal(address.bytes().first(kV6Prefix.size()), kV6Prefix);
}

const std::string* NamePool::NameOf(const net::IpAddress& address) const {
  if (!InRange(address)) return nullptr;
  std::uint32_t number = 0;
  if (address.is_v4()) {
    number = address.v4_value() - kV4Base;
  } else {
    const ByteView bytes = address.bytes();
    for (std::size_t i = kV6Prefix.size(); i < 12; ++i) {
      if (bytes[i] != 0) return nullptr;
    }
    for (std::size_t i = 12; i < 16; ++i) number = number << 8 | bytes[i];
  }
  if (number < kFirst || number - kFirst >= names_.size()) return nullptr;
  return &names_[number - kFirst];
}

}  // namespace writ::egress
