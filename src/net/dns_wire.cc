#include "net/dns_wire.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/dns_message.h"

namespace writ::net::dns {
namespace {

constexpr std::size_t kNameBytesMax = 255;
constexpr unsigned kPointersMax = 32;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

void AppendLabelByte(std::string& name, std::uint8_t byte) {
  const char c = static_cast<char>(byte);
  const char lower = Lower(c);
  if ((lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_') {
    name += c;
  } else {
    name += fmt::format("\\{:03}", byte);
  }
}

}  // namespace

std::optional<std::uint8_t> Reader::U8() {
  const auto bytes = Bytes(1);
  return bytes ? std::optional((*bytes)[0]) : std::nullopt;
}

std::optional<std::uint16_t> Reader::U16() {
  const auto bytes = Bytes(2);
  if (!bytes) return std::nullopt;
  return static_cast<std::uint16_t>((*bytes)[0] << 8 | (*bytes)[1]);
}

std::optional<std::uint32_t> Reader::U32() {
  const auto high = U16();
  const auto low = U16();
  if (!high || !low) return std::nullopt;
  return static_cast<std::uint32_t>(*high) << 16 | *low;
}

std::optional<ByteView> Reader::Bytes(std::size_t count) {
  if (count > message_.size() - at_) return std::nullopt;
  const ByteView bytes = message_.subspan(at_, count);
  at_ += count;
  return bytes;
}

std::optional<std::string> Reader::Name(Compression compression) {
  std::string name;
  std::size_t name_bytes = 0, position = at_, resume = 0;
  unsigned pointers = 0;
  for (;;) {
    if (position >= message_.size()) return std::nullopt;
    const std::uint8_t length = message_[position];
    if ((length & 0xC0) == 0xC0) {
      if (compression == Compression::kRefused || position + 1 >= message_.size()) return std::nullopt;
      const std::size_t target = static_cast<std::size_t>(length & 0x3F) << 8 | message_[position + 1];
      if (pointers++ == 0) resume = position + 2;
      if (target >= position || target < kHeaderBytes || pointers > kPointersMax) return std::nullopt;
      position = target;
      continue;
    }
    if (length > 63 || position + 1 + length > message_.size()) return std::nullopt;
    name_bytes += 1U + length;
    if (name_bytes > kNameBytesMax) return std::nullopt;
    ++position;
    if (length == 0) break;
    if (!name.empty()) name += '.';
    for (std::size_t i = 0; i < length; ++i) AppendLabelByte(name, message_[position + i]);
    position += length;
  }
  at_ = pointers > 0 ? resume : position;
  return name.empty() ? "." : name;
}

void PutU16(std::string& out, std::uint16_t value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value & 0xFF);
}

void PutU32(std::string& out, std::uint32_t value) {
  PutU16(out, static_cast<std::uint16_t>(value >> 16));
  PutU16(out, static_cast<std::uint16_t>(value & 0xFFFF));
}

void PutOpt(std::string& out, std::uint8_t extended_rcode) {
  out += '\0';  // root
  PutU16(out, kDnsOpt);
  PutU16(out, kEdnsBytes);
  PutU32(out, static_cast<std::uint32_t>(extended_rcode) << 24);
  PutU16(out, 0);
}

bool NameIs(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return Lower(x) == Lower(y); });
}

}  // namespace writ::net::dns
