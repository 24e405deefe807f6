#include "workspace/hash_cache.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "sys/file.h"

namespace writ::workspace {
namespace {

constexpr std::string_view kMagic = "WRITHC1\n";
constexpr std::size_t kRecordBytes = 5 * 8 + 32;
constexpr std::size_t kEntriesMax = 1'000'000;
constexpr std::int64_t kRacyNs = 2'000'000'000;

void PutInteger(std::string& out, std::uint64_t value) {
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::uint64_t TakeInteger(std::string_view& in) {
  std::uint64_t value;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  if constexpr (std::endian::native == std::endian::big) value = __builtin_bswap64(value);
  return value;
}

Sha256Bytes HashOf(std::string_view text) {
  crypto::Sha256 hash;
  hash.Update(AsBytes(text));
  return hash.Finish();
}

}  // namespace

Result<> FileHashCache::Load() {
  known_.clear();
  changed_ = false;
  auto read = sys::ReadFile(path_, kMagic.size() + 8 + kEntriesMax * kRecordBytes + 32);
  if (!read && read.error().code == Code::kNotFound) return {};
  if (!read && read.error().code != Code::kExhausted) return std::unexpected(std::move(read).error());
  changed_ = true;  // until the content proves good, Save replaces it
  const auto damaged = [this] { return Fail(Code::kCorrupt, "hash cache {} is damaged and is not used", path_); };
  if (!read || read->size() < kMagic.size() + 8 + 32 || !read->starts_with(kMagic)) return damaged();
  std::string_view text = *read;
  const Sha256Bytes sum = HashOf(text.substr(0, text.size() - 32));
  if (std::memcmp(sum.data(), text.data() + text.size() - 32, 32) != 0) return damaged();
  text.remove_suffix(32);
  text.remove_prefix(kMagic.size());
  const std::uint64_t count = TakeInteger(text);
  if (count > kEntriesMax || text.size() != count * kRecordBytes) return damaged();
  known_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    Key key;
    Known known;
    key.device = TakeInteger(text);
    key.inode = TakeInteger(text);
    known.bytes = TakeInteger(text);
    known.mtime_ns = static_cast<std::int64_t>(TakeInteger(text));
    known.ctime_ns = static_cast<std::int64_t>(TakeInteger(text));
    std::memcpy(known.hash.data(), text.data(), 32);
    text.remove_prefix(32);
    known_.insert_or_assign(key, known);
  }
  changed_ = false;
  return {};
}

Result<> FileHashCache::Save() {
  std::size_t used = 0;
  for (const auto& [key, known] : known_) used += known.used ? 1 : 0;
  if (!changed_ && used == known_.size()) return {};
  used = std::min(used, kEntriesMax);
  std::string text(kMagic);
  text.reserve(kMagic.size() + 8 + used * kRecordBytes + 32);
  PutInteger(text, used);
  std::size_t written = 0;
  for (const auto& [key, known] : known_) {
    if (!known.used || written++ >= used) continue;
    PutInteger(text, key.device);
    PutInteger(text, key.inode);
    PutInteger(text, known.bytes);
    PutInteger(text, static_cast<std::uint64_t>(known.mtime_ns));
    PutInteger(text, static_cast<std::uint64_t>(known.ctime_ns));
    text.append(reinterpret_cast<const char*>(known.hash.data()), known.hash.size());
  }
  const Sha256Bytes sum = HashOf(text);
  text.append(reinterpret_cast<const char*>(sum.data()), sum.size());
  // A torn file is recognised by its sum and costs one reading of the workspace, not worth an fsync on every run.
  WRIT_TRY("save hash cache", sys::WriteFileAtomic(path_, text, 0600, sys::Durability::kQuick));
  changed_ = false;
  return {};
}

std::optional<Sha256Bytes> FileHashCache::Find(const sys::FileMeta& file) {
  const auto found = known_.find({file.device, file.inode});
  if (found == known_.end()) return std::nullopt;
  Known& known = found->second;
  if (known.bytes != file.bytes || known.mtime_ns != file.mtime_ns || known.ctime_ns != file.ctime_ns) {
    return std::nullopt;
  }
  known.used = true;
  return known.hash;
}

void FileHashCache::Remember(const sys::FileMeta& file, const Sha256Bytes& hash, WallTime hashed_at) {
  const std::int64_t now_ns = std::chrono::nanoseconds(hashed_at.time_since_epoch()).count();
  if (now_ns - std::max(file.mtime_ns, file.ctime_ns) < kRacyNs) return;
  known_.insert_or_assign({file.device, file.inode},
                          Known{file.bytes, file.mtime_ns, file.ctime_ns, hash, true});
  changed_ = true;
}

}  // namespace writ::workspace
