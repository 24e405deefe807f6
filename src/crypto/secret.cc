#include "crypto/secret.h"

#include <sodium.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "crypto/sodium_ready.h"

namespace writ::crypto {

void EnsureSodium() {
  static const int status = sodium_init();
  if (status < 0) {
    std::fputs("writ: libsodium cannot be initialised (no source of random bytes)\n", stderr);
    std::abort();
  }
}

SecretBytes::SecretBytes(std::size_t size) : size_(size) {
  if (size == 0) return;
  EnsureSodium();
  data_ = static_cast<std::uint8_t*>(sodium_malloc(size));
  if (data_ == nullptr) {
    std::fputs("writ: no memory for a secret\n", stderr);
    std::abort();
  }
  std::fill_n(data_, size, std::uint8_t{0});
}

SecretBytes SecretBytes::CopyOf(ByteView source) {
  SecretBytes copy(source.size());
  std::ranges::copy(source, copy.data_);
  return copy;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SecretBytes::~SecretBytes() {
  if (data_ != nullptr) sodium_free(data_);
}

void SecretBytes::Shrink(std::size_t size) {
  if (size >= size_) return;
  sodium_memzero(data_ + size, size_ - size);
  size_ = size;
}

void Wipe(std::string& text) {
  sodium_memzero(text.data(), text.size());
  text.clear();
}

void Wipe(std::span<std::uint8_t> bytes) { sodium_memzero(bytes.data(), bytes.size()); }

}  // namespace writ::crypto
