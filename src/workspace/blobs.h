#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::workspace {

/// Yields content piece by piece: fills the buffer with at least one byte, or returns 0 at the end. After an error
/// it must not be called again.
using ContentReader = std::function<Result<std::size_t>(std::span<std::uint8_t>)>;

/// Content that was kept.
struct KeptContent {
  std::string sha256;       ///< of the bytes that were kept, in lower-case hex
  std::uint64_t bytes = 0;  ///< how many; a sink that redacts keeps other bytes than it read
};

/// Where file contents go. Implemented above this folder over the store; MemoryBlobs for tests.
class BlobSink {
 public:
  virtual ~BlobSink() = default;
  /// Reads to the end and keeps the bytes. On error nothing is kept.
  virtual Result<KeptContent> Put(const ContentReader& read) = 0;
};

/// Where file contents come from.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  /// A readable descriptor of a regular file at offset 0 with exactly those bytes.
  /// Errors: kNotFound when no content with this SHA-256 is kept.
  virtual Result<sys::UniqueFd> Open(std::string_view sha256) = 0;
};

}  // namespace writ::workspace
