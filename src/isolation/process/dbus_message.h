#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

// As much of the D-Bus wire format as asking the user's systemd for a scope takes, without libdbus.
// Source: D-Bus Specification 0.41, "Type System", "Marshaling (Wire Format)" and "Message Protocol".
namespace writ::isolation::process::dbus {

/// Longest message taken or made. The protocol allows 128 MiB; nothing asked for here comes near this.
inline constexpr std::size_t kMessageMax = 64u << 10;
/// Bytes that must be there before MessageSize can tell the length.
inline constexpr std::size_t kFixedHeader = 16;

enum class Type : std::uint8_t { kCall = 1, kReturn = 2, kError = 3, kSignal = 4 };

/// Writes values in little-endian order with the padding of their types.
class Encoder {
 public:
  void Byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void U32(std::uint32_t value);
  void Bool(bool value) { U32(value ? 1 : 0); }
  /// Also for object paths. Precondition: no NUL inside.
  void String(std::string_view text);
  void Signature(std::string_view text);
  void Align(std::size_t boundary);
  /// Starts an array whose elements are aligned to `boundary`; returns what EndArray needs.
  std::size_t BeginArray(std::size_t boundary);
  void EndArray(std::size_t begin);
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// A method call. `destination` is empty on a connection without a bus in between.
struct Call {
  std::uint32_t serial = 1;  ///< never 0
  std::string destination, path, interface, member, signature;
  std::string body;  ///< an Encoder's bytes, of `signature`
};
std::string Encode(const Call& call);

/// A received message. Texts come from the peer: escape them before they are shown.
struct Message {
  Type type = Type::kSignal;
  bool big_endian = false;
  std::uint32_t serial = 0;
  std::uint32_t reply_serial = 0;  ///< 0: absent
  std::string path, interface, member, error_name, signature;
  std::string body;
};

/// Length of the whole message that starts with `start` (at least kFixedHeader bytes).
/// Errors: kCorrupt when it is no D-Bus message; kExhausted above kMessageMax.
Result<std::size_t> MessageSize(std::string_view start);

/// Reads one whole message. Header fields of unknown codes are skipped, as the specification asks.
/// Errors: kCorrupt naming what is wrong.
Result<Message> Parse(std::string_view bytes);

/// Reads values of a received body one after the other. Borrows the bytes.
class Decoder {
 public:
  Decoder(std::string_view bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}
  // Errors: kCorrupt at the end of the bytes, for missing terminators, NUL in strings and non-zero padding.
  Result<std::uint8_t> Byte();
  Result<std::uint32_t> U32();
  Result<std::string> String();  ///< also object paths
  Result<std::string> Signature();
  Result<> Align(std::size_t boundary);
  /// Skips one value of the first complete type of `signature` and removes that type from it.
  Result<> Skip(std::string_view& signature, int depth = 0);
  std::size_t position() const { return at_; }

 private:
  Result<std::string_view> Take(std::size_t count);
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool big_endian_;
};

}  // namespace writ::isolation::process::dbus
