#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace writ::isolation::process {

/// Writes little-endian integers and length-prefixed strings. Both ends are the same build on the same machine.
class WireWriter {
 public:
  WireWriter& U32(std::uint32_t value);
  WireWriter& U64(std::uint64_t value);
  WireWriter& I64(std::int64_t value) { return U64(static_cast<std::uint64_t>(value)); }
  WireWriter& Text(std::string_view text);
  WireWriter& Texts(const std::vector<std::string>& texts);
  ByteView bytes() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

/// Reads what WireWriter wrote. After a wrong or short field every further read yields zero or an empty text, and
/// Done() fails: check once at the end.
class WireReader {
 public:
  explicit WireReader(ByteView bytes) : rest_(bytes) {}
  std::uint32_t U32();
  std::uint64_t U64();
  std::int64_t I64() { return static_cast<std::int64_t>(U64()); }
  std::string Text();
  std::vector<std::string> Texts();
  /// Errors: kInvalid when a field was cut or bytes are left over.
  Result<> Done() const;

 private:
  ByteView Take(std::size_t count);
  ByteView rest_;
  bool ok_ = true;
};

}  // namespace writ::isolation::process
