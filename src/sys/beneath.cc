#include "sys/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "sys/file.h"

namespace writ::sys {
namespace {

Result<> CheckPath(std::string_view path) {
  if (IsPlainRelativePath(path)) return {};
  return Fail(Code::kInvalid, "path {:?} must be relative, without empty, \".\" or \"..\" components, at most {} bytes",
              path.substr(0, 200), PATH_MAX - 1);
}

int RawOpen(int directory, const std::string& path, int flags, std::uint32_t mode) {
  open_how how{};
  how.flags = static_cast<unsigned long long>(flags | O_CLOEXEC | O_NOFOLLOW);
  if ((flags & O_PATH) == 0) how.flags |= O_NOCTTY;
  if ((flags & O_CREAT) != 0) how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  long fd;
  do {
    fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return static_cast<int>(fd);
}

}  // namespace

bool IsPlainRelativePath(std::string_view path) {
  if (path.empty() || path.size() >= PATH_MAX || path.find('\0') != path.npos) return false;
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find('/', start), path.size());
    const std::string_view part = path.substr(start, end - start);
    if (part.empty() || part == "." || part == "..") return false;
    start = end + 1;
  }
  return true;
}

Result<UniqueFd> OpenBeneath(const UniqueFd& directory, std::string_view path, int flags, std::uint32_t mode) {
  WRIT_TRY("open beneath", CheckPath(path));
  UniqueFd fd(RawOpen(directory.get(), std::string(path), flags, mode));
  if (!fd.valid()) return FailErrno(fmt::format("open {:?}", path));
  return fd;
}

Result<ParentAndName> OpenParentBeneath(const UniqueFd& directory, std::string_view path) {
  WRIT_TRY("open parent", CheckPath(path));
  const std::size_t slash = path.rfind('/');
  if (slash == path.npos) {
    UniqueFd copy(::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!copy.valid()) return FailErrno("open directory");
    return ParentAndName{std::move(copy), std::string(path)};
  }
  UniqueFd parent = WRIT_TRY("open parent", OpenBeneath(directory, path.substr(0, slash), O_RDONLY | O_DIRECTORY));
  return ParentAndName{std::move(parent), std::string(path.substr(slash + 1))};
}

Result<FileMeta> StatBeneath(const UniqueFd& directory, std::string_view path) {
  WRIT_TRY("look at", CheckPath(path));
  const UniqueFd fd(RawOpen(directory.get(), std::string(path), O_PATH, 0));
  // A file where a parent directory would be leaves no place for the path: it does not exist.
  if (!fd.valid() && errno == ENOTDIR) return std::unexpected(ErrnoError(ENOENT, fmt::format("look at {:?}", path)));
  if (!fd.valid()) return FailErrno(fmt::format("look at {:?}", path));
  return MetaOf(fd.get());
}

Result<std::string> ReadLinkBeneath(const UniqueFd& directory, std::string_view path) {
  const UniqueFd link = WRIT_TRY("read link", OpenBeneath(directory, path, O_PATH));
  const FileMeta meta = WRIT_TRY("read link", MetaOf(link.get()));
  if (meta.type != FileType::kSymlink) return Fail(Code::kInvalid, "{:?} is not a symbolic link", path);
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlinkat(link.get(), "", target.data(), target.size());
  if (length < 0) return FailErrno(fmt::format("read link {:?}", path));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

Result<std::string> ReadFileBeneath(const UniqueFd& directory, std::string_view path, std::size_t bytes_max) {
  const UniqueFd fd = WRIT_TRY("read file", OpenBeneath(directory, path, O_RDONLY | O_NONBLOCK));
  const FileMeta meta = WRIT_TRY("read file", MetaOf(fd.get()));
  if (meta.type != FileType::kRegular) return Fail(Code::kInvalid, "{:?} is not a regular file", path);
  return WRIT_TRY(fmt::format("{:?}", path), ReadAll(fd.get(), bytes_max));
}

Result<> MakeDirectoriesBeneath(const UniqueFd& directory, std::string_view path, std::uint32_t mode) {
  WRIT_TRY("make directories", CheckPath(path));
  for (std::size_t end = 0; end < path.size(); ++end) {
    end = std::min(path.find('/', end), path.size());
    const std::string_view part = path.substr(0, end);
    if (auto existing = OpenBeneath(directory, part, O_PATH | O_DIRECTORY)) continue;
    const ParentAndName place = WRIT_TRY("make directories", OpenParentBeneath(directory, part));
    if (::mkdirat(place.parent.get(), place.name.c_str(), mode) != 0) {
      return FailErrno(fmt::format("make directory {:?}", part));
    }
    const UniqueFd made = WRIT_TRY("make directories", OpenBeneath(directory, part, O_RDONLY | O_DIRECTORY));
    if (::fchmod(made.get(), mode) != 0) return FailErrno(fmt::format("set mode of directory {:?}", part));
  }
  return {};
}

}  // namespace writ::sys
