#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

/// Reading and writing the parts of DNS messages; shared by the two DNS files of this folder.
namespace writ::net::dns {

inline constexpr std::size_t kHeaderBytes = 12;
inline constexpr std::uint16_t kClassIn = 1;
inline constexpr std::uint16_t kFlagAnswer = 0x8000;
inline constexpr std::uint16_t kOpcodeMask = 0x7800;
inline constexpr std::uint16_t kFlagTruncated = 0x0200;
inline constexpr std::uint16_t kFlagRecursionDesired = 0x0100;
inline constexpr std::uint16_t kFlagRecursionAvailable = 0x0080;
inline constexpr std::uint16_t kRcodeMask = 0x000F;
inline constexpr std::uint16_t kEdnsBytes = 1232;  // what fits through every path (DNS Flag Day 2020)

enum class Compression : std::uint8_t { kRefused, kAllowed };

/// Takes parts from a message in order. Every function returns nullopt when the message is too short or wrong there.
class Reader {
 public:
  explicit Reader(ByteView message) : message_(message) {}
  std::size_t at() const { return at_; }
  bool at_end() const { return at_ == message_.size(); }
  std::optional<std::uint8_t> U8();
  std::optional<std::uint16_t> U16();
  std::optional<std::uint32_t> U32();
  std::optional<ByteView> Bytes(std::size_t count);
  /// A name as text (see DnsQuery::name). Pointers lead strictly backwards and are few; 255 bytes at most.
  std::optional<std::string> Name(Compression compression);

 private:
  ByteView message_;
  std::size_t at_ = 0;
};

void PutU16(std::string& out, std::uint16_t value);
void PutU32(std::string& out, std::uint32_t value);
/// The OPT record of this side; `extended_rcode` are the bits above the header's four.
void PutOpt(std::string& out, std::uint8_t extended_rcode);
/// Whether two names are equal without case, as DNS compares ASCII.
bool NameIs(std::string_view a, std::string_view b);

}  // namespace writ::net::dns
