#include "client/bundle_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "crypto/digest.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/content.h"

namespace writ::client {
namespace {

constexpr std::size_t kFilesMax = 100'000;
constexpr std::size_t kHeadBytesMax = 4096;

/// COMMIT-SHA256.bundle
std::string NameOf(std::string_view commit, std::string_view sha256) {
  return fmt::format("{}-{}.bundle", commit, sha256);
}

Result<Bundle> Look(const sys::UniqueFd& directory, const std::string& folder, const std::string& name) {
  const auto file = WRIT_TRY("bundle", sys::OpenBeneath(directory, name, O_RDONLY | O_NONBLOCK));
  const auto meta = WRIT_TRY("bundle", sys::MetaOf(file.get()));
  if (meta.type != sys::FileType::kRegular) return Fail(Code::kCorrupt, "{} is no file", name);
  workspace::ContentHasher hasher;
  Bundle bundle;
  bundle.path = fmt::format("{}/{}", folder, name);
  bundle.sha256 = HexEncode(WRIT_TRY("bundle", hasher.Hash(file.get(), meta.bytes)));
  bundle.bytes = meta.bytes;
  return bundle;
}

/// The commit a bundle says HEAD is: the line after its signature and capabilities. Source: gitformat-bundle(5).
std::string HeadIn(std::string_view head) {
  for (std::size_t start = 0; start < head.size();) {
    const std::size_t end = std::min(head.find('\n', start), head.size());
    const std::string_view line = head.substr(start, end - start);
    if (line.empty()) break;
    if (line.ends_with(" HEAD") && line.front() != '-') return std::string(line.substr(0, line.size() - 5));
    start = end + 1;
  }
  return {};
}

Result<> Evict(const sys::UniqueFd& directory, const std::string& keep, std::uint64_t bytes_max) {
  struct Old {
    std::string name;
    std::int64_t used_ns;
    std::uint64_t bytes;
  };
  std::vector<Old> files;
  std::uint64_t bytes = 0;
  const auto names = WRIT_TRY("list bundles", sys::ListNames(directory, kFilesMax));
  for (const std::string& name : names) {
    const auto meta = sys::StatBeneath(directory, name);
    if (!meta || meta->type != sys::FileType::kRegular) continue;
    bytes += meta->bytes;
    if (name != keep && name.ends_with(".bundle")) files.push_back({name, meta->mtime_ns, meta->bytes});
  }
  std::ranges::sort(files, {}, &Old::used_ns);
  for (const Old& file : files) {
    if (bytes <= bytes_max) break;
    if (::unlinkat(directory.get(), file.name.c_str(), 0) != 0 && errno != ENOENT)
      return FailErrno("remove an old bundle");
    bytes -= file.bytes;
  }
  return {};
}

}  // namespace

Result<Bundle> BundleOfHead(const Repository& repository, const std::string& directory, std::uint64_t bundle_bytes_max,
                            std::uint64_t bytes_max, Deadline deadline) {
  WRIT_TRY("bundles", sys::MakeDirectories(directory, 0700));
  const auto at = WRIT_TRY("bundles", sys::OpenDirectory(directory));
  const auto names = WRIT_TRY("bundles", sys::ListNames(at, kFilesMax));
  for (const std::string& name : names) {
    if (!name.starts_with(repository.head + "-") || !name.ends_with(".bundle")) continue;
    auto known = Look(at, directory, name);
    if (known && name == NameOf(repository.head, known->sha256) && known->bytes <= bundle_bytes_max) {
      static_cast<void>(::utimensat(at.get(), name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW));  // only for its age
      known->reused = true;
      return known;
    }
    if (::unlinkat(at.get(), name.c_str(), 0) != 0 && errno != ENOENT) return FailErrno("remove a damaged bundle");
  }
  const auto place = WRIT_TRY("bundles", sys::TemporaryDirectory::Create(directory, "making-"));
  const UserGit git(repository.top);
  WRIT_TRY(
      "bundle the history",
      git.Output({.args = {"bundle", "create", "--quiet", place.path() + "/bundle", "HEAD"}, .input = {}, .env = {}},
                 deadline));
  Bundle bundle = WRIT_TRY("bundles", Look(place.fd(), place.path(), "bundle"));
  if (bundle.bytes > bundle_bytes_max)
    return Fail(Code::kExhausted, "the history of this repository is a bundle of {} bytes; a plane takes {} at most",
                bundle.bytes, bundle_bytes_max);
  const auto file = WRIT_TRY("bundles", sys::OpenBeneath(place.fd(), "bundle", O_RDONLY));
  std::string head(std::min<std::uint64_t>(bundle.bytes, kHeadBytesMax), '\0');
  const auto got = WRIT_TRY(
      "bundles", sys::ReadFull(file.get(), std::span(reinterpret_cast<std::uint8_t*>(head.data()), head.size())));
  head.resize(got);
  if (HeadIn(head) != repository.head)
    return Fail(Code::kUnavailable, "HEAD moved on while the repository was captured; try again when it stands still");
  const std::string name = NameOf(repository.head, bundle.sha256);
  if (::fchmod(file.get(), 0600) != 0) return FailErrno("mode of the bundle");
  if (::renameat(place.fd().get(), "bundle", at.get(), name.c_str()) != 0) return FailErrno("keep the bundle");
  bundle.path = fmt::format("{}/{}", directory, name);
  WRIT_TRY("bundles", Evict(at, name, bytes_max));
  return bundle;
}

}  // namespace writ::client
