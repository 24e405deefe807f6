#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace writ::crypto {

/// Owns secret bytes in pages of their own: locked into memory where the limit allows, left out of core dumps, with
/// guard pages around, wiped on destruction (libsodium's sodium_malloc). Each object costs a few system calls and at
/// least three pages, so it is for keys and secrets, not for bulk data. Moves, never copies silently.
class SecretBytes {
 public:
  SecretBytes() = default;
  /// `size` zero bytes to be filled through bytes(). Aborts when memory is exhausted.
  explicit SecretBytes(std::size_t size);
  /// A copy; wiping the source is the caller's business.
  static SecretBytes CopyOf(ByteView source);
  SecretBytes(SecretBytes&& other) noexcept;
  SecretBytes& operator=(SecretBytes&& other) noexcept;
  ~SecretBytes();

  std::span<std::uint8_t> bytes() { return {data_, size_}; }
  ByteView bytes() const { return {data_, size_}; }
  std::string_view text() const { return AsText(bytes()); }  ///< valid as long as the object
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// The first `size` bytes stay, the rest is wiped and no longer visible. Precondition: size <= this->size().
  void Shrink(std::size_t size);

 private:
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Overwrites with zeros in a way the compiler does not remove, then empties.
void Wipe(std::string& text);
void Wipe(std::span<std::uint8_t> bytes);

}  // namespace writ::crypto
