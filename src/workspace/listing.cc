#include "workspace/listing.h"

#include <charconv>

#include "crypto/digest.h"
#include "sys/beneath.h"

namespace writ::workspace {
namespace {

constexpr std::size_t kTargetBytesMax = 4095;

/// Takes a listing apart from its beginning.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }

  /// Up to `end`, which is passed over. Errors: kInvalid when it is not there.
  Result<std::string_view> Until(char end) {
    const auto at = rest_.find(end);
    if (at == rest_.npos) return Fail(Code::kInvalid, "it ends within an entry");
    const std::string_view text = rest_.substr(0, at);
    rest_.remove_prefix(at + 1);
    return text;
  }
  /// A number in the only way it is written: no sign, no leading zero.
  template <class Number>
  Result<Number> NumberUntil(char end, int base) {
    const std::string_view text = WRIT_TRY("number", Until(end));
    Number number = 0;
    const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    const bool plain = !text.empty() && (text.size() == 1 || text[0] != '0');
    if (!plain || error != std::errc() || stopped != text.data() + text.size()) return Fail(Code::kInvalid, "{:?} is no number", text.substr(0, 40));
    return number;
  }

 private:
  std::string_view rest_;
};

Result<EntryType> TypeNamed(std::string_view word) {
  for (const EntryType type : {EntryType::kFile, EntryType::kDirectory, EntryType::kSymlink}) {
    if (EntryTypeName(type) == word) return type;
  }
  return Fail(Code::kInvalid, "{:?} is no kind of entry", word.substr(0, 40));
}

Result<> CheckState(const FileState& state) {
  const bool file = state.type == EntryType::kFile, link = state.type == EntryType::kSymlink;
  if (state.mode > 07777) return Fail(Code::kInvalid, "its mode is none");
  if (file ? !crypto::IsHash(state.sha256) : !state.sha256.empty()) return Fail(Code::kInvalid, "its digest is not that of such an entry");
  if (link ? state.target.empty() || state.target.size() > kTargetBytesMax || state.bytes != state.target.size() : !state.target.empty()) {
    return Fail(Code::kInvalid, "its target is not that of such an entry");
  }
  if (state.type == EntryType::kDirectory && state.bytes != 0) return Fail(Code::kInvalid, "a directory has no bytes");
  return {};
}

Result<Entry> ReadEntry(Cursor& cursor) {
  Entry entry;
  const std::string_view type = WRIT_TRY("type", cursor.Until(' '));
  entry.state.type = WRIT_TRY("type", TypeNamed(type));
  entry.state.mode = WRIT_TRY("mode", cursor.NumberUntil<std::uint32_t>(' ', 8));
  entry.state.bytes = WRIT_TRY("bytes", cursor.NumberUntil<std::uint64_t>(' ', 10));
  const std::string_view hash = WRIT_TRY("digest", cursor.Until('\0'));
  if (hash.empty()) return Fail(Code::kInvalid, "an entry without a digest says so by -");
  if (hash != "-") entry.state.sha256 = hash;
  entry.path = WRIT_TRY("path", cursor.Until('\0'));
  entry.state.target = WRIT_TRY("target", cursor.Until('\0'));
  if (!sys::IsPlainRelativePath(entry.path)) return Fail(Code::kInvalid, "{:?} is no path below a directory", entry.path.substr(0, 300));
  if (auto checked = CheckState(entry.state); !checked) return std::unexpected(std::move(checked).error().Doing(fmt::format("{:?}", entry.path)));
  return entry;
}

}  // namespace

std::string ListingOf(const Manifest& manifest) {
  std::string text;
  EachListingPart(manifest, [&text](std::string_view part) { text += part; });
  return text;
}

Result<Manifest> ReadListing(std::string_view text, const ListingBounds& bounds) {
  Manifest manifest;
  Cursor cursor(text);
  while (!cursor.done()) {
    if (manifest.entries.size() == bounds.entries_max) return Fail(Code::kExhausted, "listing: more than {} entries", bounds.entries_max);
    Entry entry = WRIT_TRY(fmt::format("listing: entry {}", manifest.entries.size() + 1), ReadEntry(cursor));
    if (!manifest.entries.empty() && entry.path <= manifest.entries.back().path) {
      return Fail(Code::kInvalid, "listing: {:?} is not in its place", entry.path);
    }
    if (const auto slash = entry.path.rfind('/'); slash != std::string::npos) {
      const Entry* parent = manifest.Find(std::string_view(entry.path).substr(0, slash));
      if (parent == nullptr || parent->state.type != EntryType::kDirectory) {
        return Fail(Code::kInvalid, "listing: {:?} is in no directory of the listing", entry.path);
      }
    }
    if (entry.state.type == EntryType::kFile) {
      if (entry.state.bytes > bounds.bytes_max - manifest.bytes) return Fail(Code::kExhausted, "listing: more than {} bytes", bounds.bytes_max);
      manifest.bytes += entry.state.bytes;
    }
    manifest.entries.push_back(std::move(entry));
  }
  return manifest;
}

}  // namespace writ::workspace
