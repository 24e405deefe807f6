#pragma once

#include <nghttp2/nghttp2.h>

#include <cstddef>

namespace writ::egress {

/// Memory of one HTTP/2 session: at most `bytes_max`, and wiped before it is given back, because header fields and
/// bodies hold secrets. Must outlive the session. Source: nghttp2_mem(3).
class Http2Memory {
 public:
  explicit Http2Memory(std::size_t bytes_max) : left_(bytes_max) {}
  Http2Memory(const Http2Memory&) = delete;
  Http2Memory& operator=(const Http2Memory&) = delete;
  nghttp2_mem Functions() { return {this, Allocate, Release, AllocateZeroed, Resize}; }
  std::size_t left_bytes() const { return left_; }

 private:
  static void* Allocate(std::size_t size, void* self);
  static void Release(void* block, void* self);
  static void* AllocateZeroed(std::size_t count, std::size_t size, void* self);
  static void* Resize(void* block, std::size_t size, void* self);
  std::size_t left_;
};

}  // namespace writ::egress
