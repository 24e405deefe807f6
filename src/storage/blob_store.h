#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "storage/store.h"
#include "sys/unique_fd.h"

namespace writ::storage {

/// Takes one blob in pieces. Destroying it without Finish leaves nothing behind.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  /// Errors: kExhausted on a full disk. The writer cannot be used after an error.
  virtual Result<> Write(ByteView bytes) = 0;
  /// Stores the blob and returns its SHA-256. With `expected_hash` not empty, other content is refused (kCorrupt)
  /// and nothing is stored.
  virtual Result<std::string> Finish(Durability durability, std::string_view expected_hash = {}) = 0;
  virtual std::uint64_t bytes() const = 0;  ///< written so far
};

/// Contents under their SHA-256. Safe for several processes and threads at once.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual Result<std::unique_ptr<BlobWriter>> Create() = 0;
  Result<std::string> Put(ByteView bytes, Durability durability);

  /// The whole content, checked against its hash. Errors: kNotFound; kExhausted when longer than `bytes_max`;
  /// kCorrupt when the content is not what the name says.
  virtual Result<std::string> Get(std::string_view hash, std::uint64_t bytes_max) = 0;
  /// A readable descriptor at offset 0, for streaming; the content is not checked.
  virtual Result<sys::UniqueFd> Open(std::string_view hash) = 0;
  virtual Result<bool> Has(std::string_view hash) = 0;
  /// Makes blobs that were stored kBuffered survive a power cut; cheaper for several at once than kDurable for each.
  virtual Result<> MakeDurable(std::span<const std::string> hashes) = 0;

  struct Entry {
    std::string hash;
    std::uint64_t bytes = 0;
  };
  /// Calls `visit` with every stored blob, in no order; an error from it ends the walk. `visit` may remove blobs.
  virtual Result<> ForEach(const std::function<Result<>(const Entry& entry)>& visit) = 0;
  /// Removes a blob unless it was stored or stored again at or after `unless_since`: a run that has just put it may
  /// not have named it yet. Returns whether it is gone. Never fails for a blob that does not exist.
  virtual Result<bool> Remove(std::string_view hash, WallTime unless_since) = 0;
};

struct Collected {
  std::size_t blobs = 0;
  std::uint64_t bytes = 0;
};
/// Removes every blob that no run of `store` names and that was not stored at or after `unless_since`.
Result<Collected> CollectBlobs(Store& store, BlobStore& blobs, WallTime unless_since);

}  // namespace writ::storage
