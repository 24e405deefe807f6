#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/error.h"
#include "sys/tree.h"

namespace writ::workspace {

using Sha256Bytes = std::array<std::uint8_t, 32>;

/// Remembers hashes of files that have not changed since.
class HashCache {
 public:
  virtual ~HashCache() = default;
  virtual std::optional<Sha256Bytes> Find(const sys::FileMeta& file) = 0;
  /// `hashed_at`: wall time before the file was opened. A file changed less than two seconds before that is not
  /// remembered: another change within the same tick of the file system's clock would not show in its times.
  virtual void Remember(const sys::FileMeta& file, const Sha256Bytes& hash, WallTime hashed_at) = 0;
};

/// A cache in one file, keyed by device, inode, size, mtime and ctime. Load reads it, Save replaces it atomically
/// with what was found or remembered since Load, so that it holds one workspace and does not grow. Two processes
/// may use it at once; the last Save wins. It is only as trustworthy as its directory (the state directory, 0700).
///
/// Format, integers little-endian: "WRITHC1\n", count u64, then per entry device u64, inode u64, bytes u64,
/// mtime_ns i64, ctime_ns i64, SHA-256 of the content; at the end SHA-256 of everything before.
class FileHashCache final : public HashCache {
 public:
  explicit FileHashCache(std::string path) : path_(std::move(path)) {}
  /// A missing file is an empty cache. Errors: kCorrupt for a damaged one (the cache is empty and usable, the next
  /// Save mends it); kDenied and others from reading.
  Result<> Load();
  /// Writes mode 0600 when something changed.
  Result<> Save();

  std::optional<Sha256Bytes> Find(const sys::FileMeta& file) override;
  void Remember(const sys::FileMeta& file, const Sha256Bytes& hash, WallTime hashed_at) override;
  std::size_t size() const { return known_.size(); }

 private:
  struct Key {
    std::uint64_t device = 0, inode = 0;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return key.inode * 0x9E3779B97F4A7C15ull ^ key.device; }
  };
  struct Known {
    std::uint64_t bytes = 0;
    std::int64_t mtime_ns = 0, ctime_ns = 0;
    Sha256Bytes hash{};
    bool used = false;
  };
  std::string path_;
  std::unordered_map<Key, Known, KeyHash> known_;
  bool changed_ = false;
};

}  // namespace writ::workspace
