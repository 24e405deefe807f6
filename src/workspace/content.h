#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "crypto/digest.h"
#include "sys/tree.h"
#include "workspace/blobs.h"
#include "workspace/hash_cache.h"

namespace writ::workspace {

/// Bytes of a file that are read or written at once.
inline constexpr std::size_t kPiece = 256u << 10;

/// Reads exactly `bytes` bytes from the start of a file, whatever the descriptor's offset. A file of another length
/// is an error (kUnavailable), so a file that grows cannot hold the reader. `fd` is borrowed.
ContentReader ReadExactly(int fd, std::uint64_t bytes);

/// Hashes files one after the other with one buffer.
class ContentHasher {
 public:
  ContentHasher();
  /// SHA-256 of a file of exactly `bytes` bytes. Errors: kUnavailable when it has another length.
  Result<Sha256Bytes> Hash(int fd, std::uint64_t bytes);

 private:
  crypto::Sha256 sha256_;
  std::unique_ptr<std::uint8_t[]> buffer_;  ///< not cleared: most runs leave no file to hash, and clearing takes 0.15 ms
};

/// "FIFO", "socket", "device", ... for an entry that is neither file, directory nor link.
std::string SpecialFileName(const sys::TreeEntry& entry);

/// Content of at most `bytes_max` bytes whose SHA-256 must be `sha256`.
/// Errors: kExhausted; kCorrupt when the hash differs.
Result<std::string> ReadVerified(int fd, std::uint64_t bytes_max, std::string_view sha256);

}  // namespace writ::workspace
