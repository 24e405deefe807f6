#include "crypto/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/escape.h"
#include "base/ids.h"

namespace writ::crypto {
namespace {

constexpr std::size_t kKeyFileBytesMax = 8192;

/// Closes one descriptor. (sys/unique_fd.h is in a folder of the same layer.)
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

std::string Shown(const std::string& path) { return EscapeVisible(path); }

Result<> CheckPrivate(const struct stat& status, const std::string& path) {
  if (!S_ISREG(status.st_mode)) return Fail(Code::kDenied, "{} is not a regular file", Shown(path));
  if (status.st_uid != ::geteuid()) {
    return Fail(Code::kDenied, "{} belongs to user {}, not to you (user {}): run as its owner, or chown it", Shown(path),
                status.st_uid, ::geteuid());
  }
  if ((status.st_mode & 0077) != 0) {
    return Fail(Code::kDenied, "{} has mode {:04o}, so others can reach the secret in it: run chmod 600 {}", Shown(path),
                status.st_mode & 07777, Shown(path));
  }
  return {};
}

/// Reads to the end, at most `bytes_max` bytes, into wiped memory.
Result<SecretBytes> ReadAll(int fd, const std::string& path, std::size_t bytes_max) {
  SecretBytes content(bytes_max + 1);
  std::size_t have = 0;
  while (have < content.size()) {
    const ssize_t got = ::read(fd, content.bytes().data() + have, content.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FailErrno(fmt::format("read {}", Shown(path)));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have > bytes_max) return Fail(Code::kExhausted, "{} is larger than {} bytes", Shown(path), bytes_max);
  content.Shrink(have);
  return content;
}

Result<> WriteAll(int fd, ByteView content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return FailErrno(fmt::format("write {}", Shown(path)));
    content = content.subspan(static_cast<std::size_t>(put));
  }
  if (::fsync(fd) != 0) return FailErrno(fmt::format("fsync {}", Shown(path)));
  return {};
}

/// Gives the finished file its name, never over an existing one.
Result<> Publish(const std::string& temporary, const std::string& path) {
  if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return FailErrno(fmt::format("create {}", Shown(path)));
  // File systems without that flag: a second name cannot replace a file either.
  if (::link(temporary.c_str(), path.c_str()) != 0) return FailErrno(fmt::format("create {}", Shown(path)));
  if (::unlink(temporary.c_str()) != 0) return FailErrno(fmt::format("remove {}", Shown(temporary)));
  return {};
}

Result<> SyncFolder(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return FailErrno(fmt::format("open {}", Shown(folder)));
  if (::fsync(fd.get()) != 0) return FailErrno(fmt::format("fsync {}", Shown(folder)));
  return {};
}

}  // namespace

Result<SecretBytes> ReadSecretFile(const std::string& path, std::size_t bytes_max) {
  // O_NONBLOCK: opening a FIFO planted here must not hang.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0 && errno == ELOOP) {
    return Fail(Code::kDenied, "{} is a symbolic link; a secret is read only from the file itself", Shown(path));
  }
  if (fd.get() < 0) return FailErrno(fmt::format("open {}", Shown(path)));
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return FailErrno(fmt::format("fstat {}", Shown(path)));
  if (auto checked = CheckPrivate(status, path); !checked) return std::unexpected(std::move(checked).error());
  return ReadAll(fd.get(), path, bytes_max);
}

Result<> CreateSecretFile(const std::string& path, ByteView content) {
  const std::string temporary = path + MakeId(".new-");
  {
    const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd.get() < 0) return FailErrno(fmt::format("create {}", Shown(temporary)));
    Result<> written = WriteAll(fd.get(), content, temporary);
    // The umask may have taken owner bits away; it never adds any.
    if (written && ::fchmod(fd.get(), 0600) != 0) written = FailErrno(fmt::format("chmod {}", Shown(temporary)));
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (auto published = Publish(temporary, path); !published) {
    ::unlink(temporary.c_str());
    return published;
  }
  return SyncFolder(path);
}

Result<PrivateKey> ReadKeyFile(const std::string& path) {
  const SecretBytes pem = WRIT_TRY("read key file", ReadSecretFile(path, kKeyFileBytesMax));
  return WRIT_TRY(fmt::format("key file {}", Shown(path)), PrivateKey::FromPem(pem.text()));
}

Result<PrivateKey> ReadOrCreateKeyFile(const std::string& path) {
  auto existing = ReadKeyFile(path);
  if (existing || existing.error().code != Code::kNotFound) return existing;
  PrivateKey fresh = PrivateKey::Generate();
  const SecretBytes pem = fresh.Pem();
  if (auto created = CreateSecretFile(path, pem.bytes()); !created) {
    if (::access(path.c_str(), F_OK) == 0) return ReadKeyFile(path);  // another process was first; its key counts
    return std::unexpected(std::move(created).error().Doing("create key file"));
  }
  return fresh;
}

Result<PublicKey> ReadPublicKeyFile(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (fd.get() < 0) return FailErrno(fmt::format("open {}", Shown(path)));
  struct stat status;
  if (::fstat(fd.get(), &status) != 0) return FailErrno(fmt::format("fstat {}", Shown(path)));
  if (!S_ISREG(status.st_mode)) return Fail(Code::kDenied, "{} is not a regular file", Shown(path));
  const SecretBytes pem = WRIT_TRY("read public key file", ReadAll(fd.get(), path, kKeyFileBytesMax));
  if (auto public_key = PublicKey::FromPem(pem.text())) return public_key;
  const PrivateKey key = WRIT_TRY(fmt::format("{} holds neither a public nor a private Ed25519 key", Shown(path)),
                                  PrivateKey::FromPem(pem.text()));
  return key.public_key();
}

}  // namespace writ::crypto
