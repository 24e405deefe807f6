#include "workspace/manifest.h"

#include <algorithm>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "sys/file.h"
#include "workspace/content.h"
#include "workspace/listing.h"
#include "workspace/walk.h"

namespace writ::workspace {
namespace {

constexpr int kAttempts = 3;

bool SameContentTimes(const sys::FileMeta& a, const sys::FileMeta& b) {
  return a.bytes == b.bytes && a.mtime_ns == b.mtime_ns && a.ctime_ns == b.ctime_ns;
}

class CaptureVisitor final : public TreeVisitor {
 public:
  CaptureVisitor(const CaptureOptions& options, const Clock& clock) : options_(options), clock_(clock) {
    manifest_.denied_kept_out = options.keep_out_denied;
  }

  /// A file whose hash is known needs no descriptor.
  bool OnLook(const std::string& path, const sys::FileMeta& meta) override {
    if (meta.type != sys::FileType::kRegular || options_.cache == nullptr) return false;
    if (meta.bytes > options_.bytes_max - manifest_.bytes) return false;
    const auto known = options_.cache->Find(meta);
    if (!known) return false;
    if (IsKeptOut(path)) return true;
    manifest_.bytes += meta.bytes;
    manifest_.entries.push_back({path, FileState{.type = EntryType::kFile, .mode = meta.mode, .links = meta.links,
                                                 .bytes = meta.bytes, .sha256 = HexEncode(*known), .target = {}}});
    return true;
  }

  Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) override {
    const sys::FileMeta& meta = entry.meta;
    if (meta.type == sys::FileType::kOther || meta.type == sys::FileType::kWhiteout) {
      manifest_.skipped.push_back({path, SpecialFileName(entry)});
      return false;
    }
    if (meta.type != sys::FileType::kDirectory && IsKeptOut(path)) return false;
    FileState state;
    state.mode = meta.mode;
    state.links = meta.type == sys::FileType::kDirectory ? 1 : meta.links;
    switch (meta.type) {
      case sys::FileType::kDirectory:
        state.type = EntryType::kDirectory;
        break;
      case sys::FileType::kSymlink:
        state.type = EntryType::kSymlink;
        state.target = std::move(entry.link_target);
        state.bytes = state.target.size();
        break;
      default:
        WRIT_TRY("hash", HashFile(entry, state));
        manifest_.bytes += state.bytes;
        break;
    }
    manifest_.entries.push_back({path, std::move(state)});
    return true;
  }

  Result<> OnUnreadable(const std::string& path, const Error& error) override {
    // Gone since the directory was listed: the same as gone before.
    if (error.code == Code::kNotFound) return {};
    if (error.code == Code::kExhausted) return std::unexpected(error);
    manifest_.skipped.push_back({path, error.what});
    return {};
  }

  Result<> OnTooLong(const std::string& parent) override {
    return Fail(Code::kExhausted, "a path in {:?} is longer than 4095 bytes", parent);
  }

  Manifest Finish() && {
    const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
    std::sort(manifest_.entries.begin(), manifest_.entries.end(), by_path);
    std::sort(manifest_.skipped.begin(), manifest_.skipped.end(), by_path);
    std::sort(manifest_.denied.begin(), manifest_.denied.end());
    return std::move(manifest_);
  }

 private:
  /// Notes a denied path. True when it must not be among the entries.
  bool IsKeptOut(const std::string& path) {
    if (!options_.deny.Matches(path)) return false;
    manifest_.denied.push_back(path);
    return options_.keep_out_denied;
  }

  Result<> HashFile(sys::TreeEntry& entry, FileState& state) {
    state.type = EntryType::kFile;
    if (entry.meta.bytes > options_.bytes_max - manifest_.bytes) {
      return Fail(Code::kExhausted, "more than {} bytes in files", options_.bytes_max);
    }
    state.bytes = entry.meta.bytes;
    if (const auto known = options_.cache != nullptr ? options_.cache->Find(entry.meta) : std::nullopt) {
      state.sha256 = HexEncode(*known);
      return {};
    }
    ++manifest_.hashed;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const WallTime start = clock_.Now();
      auto hash = hasher_.Hash(entry.fd.get(), entry.meta.bytes);
      if (!hash && hash.error().code != Code::kUnavailable) return std::unexpected(std::move(hash).error());
      const sys::FileMeta now = WRIT_TRY("look again", sys::MetaOf(entry.fd.get()));
      if (hash && SameContentTimes(now, entry.meta)) {
        state.sha256 = HexEncode(*hash);
        if (options_.cache != nullptr) options_.cache->Remember(now, *hash, start);
        return {};
      }
      entry.meta = now;
      if (now.bytes > options_.bytes_max - manifest_.bytes) {
        return Fail(Code::kExhausted, "more than {} bytes in files", options_.bytes_max);
      }
      state.bytes = now.bytes;
      state.mode = now.mode;
    }
    return Fail(Code::kUnavailable, "the file changed {} times while it was read; try again when it stands still",
                kAttempts);
  }

  const CaptureOptions& options_;
  const Clock& clock_;
  ContentHasher hasher_;
  Manifest manifest_;
};

}  // namespace

std::string_view EntryTypeName(EntryType type) {
  switch (type) {
    case EntryType::kFile: return "file";
    case EntryType::kDirectory: return "directory";
    case EntryType::kSymlink: return "symlink";
  }
  return "file";
}

const Entry* Manifest::Find(std::string_view path) const {
  const auto found = std::lower_bound(entries.begin(), entries.end(), path,
                                      [](const Entry& entry, std::string_view wanted) { return entry.path < wanted; });
  return found != entries.end() && found->path == path ? &*found : nullptr;
}

Result<Manifest> Capture(const sys::UniqueFd& root, sys::TreeOpener& opener, const CaptureOptions& options,
                         const Clock& clock) {
  CaptureVisitor visitor(options, clock);
  WRIT_TRY("list the directory",
           Walk(root, opener, {.entries_max = options.entries_max, .path_bytes_max = 4095}, visitor));
  return std::move(visitor).Finish();
}

std::string DigestOf(const Manifest& manifest) {
  crypto::Sha256 digest;
  EachListingPart(manifest, [&digest](std::string_view part) { digest.Update(AsBytes(part)); });
  return digest.FinishHex();
}

Drift ChangedBetween(const Manifest& before, const Manifest& after, std::size_t paths_max) {
  Drift drift;
  const auto note = [&](const std::string& path) {
    if (drift.paths.size() < paths_max) {
      drift.paths.push_back(path);
    } else {
      drift.more = true;
    }
  };
  auto a = before.entries.begin();
  auto b = after.entries.begin();
  while (a != before.entries.end() || b != after.entries.end()) {
    if (b == after.entries.end() || (a != before.entries.end() && a->path < b->path)) {
      note((a++)->path);
    } else if (a == before.entries.end() || b->path < a->path) {
      note((b++)->path);
    } else {
      // The number of hard links is no property of the content.
      FileState then = a->state;
      then.links = b->state.links;
      if (then != b->state) note(a->path);
      ++a, ++b;
    }
  }
  return drift;
}

}  // namespace writ::workspace
