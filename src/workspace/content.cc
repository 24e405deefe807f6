#include "workspace/content.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sys/file.h"

namespace writ::workspace {
namespace {

Result<std::size_t> ReadAt(int fd, std::span<std::uint8_t> buffer, std::uint64_t offset) {
  for (;;) {
    const ssize_t count = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return FailErrno("read");
  }
}

std::unexpected<Error> Changed(std::uint64_t bytes) {
  return Fail(Code::kUnavailable, "the file changed while it was read: it had {} bytes", bytes);
}

}  // namespace

ContentReader ReadExactly(int fd, std::uint64_t bytes) {
  return [fd, bytes, offset = std::uint64_t{0}](std::span<std::uint8_t> buffer) mutable -> Result<std::size_t> {
    if (offset == bytes) {
      std::uint8_t beyond;
      if (WRIT_TRY("content", ReadAt(fd, {&beyond, 1}, offset)) != 0) return Changed(bytes);
      return 0;
    }
    const std::size_t wanted = std::min<std::uint64_t>(buffer.size(), bytes - offset);
    const std::size_t count = WRIT_TRY("content", ReadAt(fd, buffer.first(wanted), offset));
    if (count == 0) return Changed(bytes);
    offset += count;
    return count;
  };
}

ContentHasher::ContentHasher() : buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kPiece)) {}

Result<Sha256Bytes> ContentHasher::Hash(int fd, std::uint64_t bytes) {
  std::uint64_t offset = 0;
  // A read that does not fill the buffer ends the file: small files need one call.
  for (bool more = bytes > 0; more;) {
    const auto count = ReadAt(fd, {buffer_.get(), kPiece}, offset);
    if (!count) {
      (void)sha256_.Finish();  // ready for the next file
      return std::unexpected(count.error());
    }
    offset += *count;
    if (offset > bytes) break;
    sha256_.Update({buffer_.get(), *count});
    more = *count == kPiece || (*count > 0 && offset < bytes);
  }
  const Sha256Bytes hash = sha256_.Finish();
  if (offset != bytes) return Changed(bytes);
  return hash;
}

std::string SpecialFileName(const sys::TreeEntry& entry) {
  struct stat status{};
  if (entry.meta.type == sys::FileType::kWhiteout) return "device";
  if (::fstat(entry.fd.get(), &status) != 0) return "special file";
  if (S_ISFIFO(status.st_mode)) return "FIFO";
  if (S_ISSOCK(status.st_mode)) return "socket";
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) return "device";
  return "special file";
}

Result<std::string> ReadVerified(int fd, std::uint64_t bytes_max, std::string_view sha256) {
  std::string text = WRIT_TRY("content", sys::ReadAll(fd, bytes_max));
  if (crypto::Sha256Hex(text) != sha256) return Fail(Code::kCorrupt, "content does not have the SHA-256 {}", sha256);
  return text;
}

}  // namespace writ::workspace
