#include "client/known_planes.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"
#include "base/escape.h"
#include "sys/file.h"

namespace writ::client {
namespace {

constexpr std::size_t kKnownPlanesMax = 10'000;
constexpr std::size_t kUrlMax = 2048;

/// The next word of a line, which loses it.
std::string_view NextWord(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

Result<KnownPlane> ParseLine(std::string_view line) {
  const std::string_view url = NextWord(line), key_id = NextWord(line), raw = NextWord(line), since = NextWord(line);
  const bool plain = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
  if (url.empty() || url.size() > kUrlMax || !plain) return Fail(Code::kCorrupt, "the first word is no URL");
  const auto bytes = Base64DecodeLenient(raw);
  if (!bytes || bytes->size() != 32) return Fail(Code::kCorrupt, "the third word is no key of 32 bytes");
  crypto::PublicKey::Raw key_bytes{};
  std::ranges::copy(AsBytes(*bytes), key_bytes.begin());
  KnownPlane plane{std::string(url), crypto::PublicKey::FromRaw(key_bytes), std::string(since)};
  if (plane.key.KeyId() != key_id) return Fail(Code::kCorrupt, "the key is not the one that the second word names");
  if (!ParseTimestamp(since)) return Fail(Code::kCorrupt, "the fourth word is no timestamp");
  if (!line.empty()) return Fail(Code::kCorrupt, "there is a fifth word");
  return plane;
}

/// Held while the file is read, changed and replaced. The file itself cannot carry the lock, because it is replaced.
Result<sys::UniqueFd> Lock(const std::string& directory) {
  sys::UniqueFd lock = WRIT_TRY("lock", sys::OpenFile(directory + "/" + std::string(kKnownPlanesFile) + ".lock", O_RDWR | O_CREAT, 0600));
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno("lock known_planes");
  }
  return lock;
}

}  // namespace

Result<std::vector<KnownPlane>> ParseKnownPlanes(std::string_view text) {
  std::vector<KnownPlane> planes;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (planes.size() == kKnownPlanesMax) return Fail(Code::kCorrupt, "line {}: more than {} planes", number, kKnownPlanesMax);
    planes.push_back(WRIT_TRY(fmt::format("line {}", number), ParseLine(line)));
  }
  return planes;
}

std::string RenderKnownPlanes(const std::vector<KnownPlane>& planes) {
  std::string text;
  for (const auto& plane : planes) {
    text += fmt::format("{} {} {} {}\n", plane.url, plane.key.KeyId(), Base64Encode(plane.key.raw()), plane.since);
  }
  return text;
}

std::string KnownPlanes::Path() const { return fmt::format("{}/{}", directory_, kKnownPlanesFile); }

Result<std::vector<KnownPlane>> KnownPlanes::List() const {
  const auto text = sys::ReadFile(Path(), kKnownPlanesBytesMax);
  if (!text && text.error().code == Code::kNotFound) return std::vector<KnownPlane>{};
  if (!text) return std::unexpected(text.error());
  return WRIT_TRY(Path(), ParseKnownPlanes(*text));
}

Result<KeyTrust> KnownPlanes::Check(std::string_view url, const crypto::PublicKey& key, WallTime now) const {
  const sys::UniqueFd lock = WRIT_TRY("known planes", Lock(directory_));
  std::vector<KnownPlane> planes = WRIT_TRY("known planes", List());
  const auto known = std::ranges::find(planes, url, &KnownPlane::url);
  if (known == planes.end()) {
    planes.push_back({std::string(url), key, FormatTimestamp(now)});
    WRIT_TRY("known planes", sys::WriteFileAtomic(Path(), RenderKnownPlanes(planes), 0600));
    return KeyTrust::kFirstUse;
  }
  if (known->key == key) return KeyTrust::kKnown;
  return Fail(Code::kDenied,
              "the key of {} has changed: {} was seen since {}, now it signs with {}. Somebody may stand between you and the "
              "plane, or it was set up anew. Ask its operator; if the new key is right, `writ plane forget {}` makes the next "
              "command take it",
              EscapeVisible(url), known->key.KeyId(), known->since, key.KeyId(), EscapeVisible(url));
}

Result<> KnownPlanes::Remove(std::string_view url) const {
  const sys::UniqueFd lock = WRIT_TRY("known planes", Lock(directory_));
  std::vector<KnownPlane> planes = WRIT_TRY("known planes", List());
  if (std::erase_if(planes, [&](const KnownPlane& plane) { return plane.url == url; }) == 0) {
    return Fail(Code::kNotFound, "no key of {} is on record", EscapeVisible(url));
  }
  return sys::WriteFileAtomic(Path(), RenderKnownPlanes(planes), 0600);
}

}  // namespace writ::client
