#include "session/tree_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "crypto/digest.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace writ::session {
namespace {
constexpr std::size_t kPieceBytes = 128 << 10;
}

Result<> TreeWriter::Count() {
  if (++entries_ > limits_.entries_max)
    return Fail(Code::kExhausted, "more than {} files and directories", limits_.entries_max);
  return {};
}

Result<> TreeWriter::Directory(const std::string& path) {
  WRIT_TRY("count", Count());
  const auto place = WRIT_TRY("make directory", sys::OpenParentBeneath(root_, path));
  if (::mkdirat(place.parent.get(), place.name.c_str(), 0755) != 0) {
    if (errno != EEXIST) return FailErrno(fmt::format("make directory {:?}", path));
    [[maybe_unused]] const auto there = WRIT_TRY("make directory", sys::OpenBeneath(root_, path, O_PATH | O_DIRECTORY));
    return {};
  }
  // Beyond the umask. Nobody else writes here, so the name is still what was made.
  if (::fchmodat(place.parent.get(), place.name.c_str(), 0755, 0) != 0)
    return FailErrno(fmt::format("mode of {:?}", path));
  return {};
}

Result<> TreeWriter::Parents(std::string_view path) {
  for (std::size_t slash = path.find('/'); slash != path.npos; slash = path.find('/', slash + 1)) {
    const std::string parent(path.substr(0, slash));
    if (auto there = sys::OpenBeneath(root_, parent, O_PATH | O_DIRECTORY)) continue;
    WRIT_TRY("make parents", Directory(parent));
  }
  return {};
}

Result<> TreeWriter::Link(const std::string& path, const std::string& target) {
  WRIT_TRY("count", Count());
  const auto place = WRIT_TRY("make link", sys::OpenParentBeneath(root_, path));
  if (::symlinkat(target.c_str(), place.parent.get(), place.name.c_str()) != 0)
    return FailErrno(fmt::format("make link {:?}", path));
  return {};
}

Result<std::string> TreeWriter::File(const std::string& path, const workspace::ContentReader& read, bool executable,
                                     std::int64_t mtime_ns) {
  WRIT_TRY("count", Count());
  const auto to = WRIT_TRY("create", sys::OpenBeneath(root_, path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  std::vector<std::uint8_t> piece(kPieceBytes);
  crypto::Sha256 hash;
  for (;;) {
    const std::size_t n = WRIT_TRY(fmt::format("read {:?}", path), read(piece));
    if (n == 0) break;
    if (n > limits_.bytes_max - bytes_) return Fail(Code::kExhausted, "more than {} bytes", limits_.bytes_max);
    bytes_ += n;
    const ByteView bytes(piece.data(), n);
    hash.Update(bytes);
    WRIT_TRY(fmt::format("write {:?}", path), sys::WriteAll(to.get(), bytes));
  }
  if (::fchmod(to.get(), executable ? 0755 : 0644) != 0) return FailErrno(fmt::format("mode of {:?}", path));
  if (mtime_ns != 0) {
    const timespec when{mtime_ns / 1'000'000'000, mtime_ns % 1'000'000'000};
    const timespec times[2] = {when, when};
    if (::futimens(to.get(), times) != 0) return FailErrno(fmt::format("time of {:?}", path));
  }
  return hash.FinishHex();
}

workspace::ContentReader ReadToEnd(int fd) {
  return [fd, at = off_t{0}](std::span<std::uint8_t> buffer) mutable -> Result<std::size_t> {
    for (;;) {
      const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), at);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FailErrno("read");
      at += got;
      return static_cast<std::size_t>(got);
    }
  };
}

}  // namespace writ::session
