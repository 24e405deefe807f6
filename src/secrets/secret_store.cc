#include "secrets/secret_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "contract/sealed_file.h"
#include "secrets/master_key.h"
#include "sys/file.h"

namespace writ::secrets {
namespace {

constexpr const char* kLockFile = "secrets.lock";
constexpr std::size_t kFileBytesMax = kStoreBytesMax / 3 * 4 + 4096;
constexpr Millis kLockSlice{20};

/// Held until the descriptor is closed. The file stays: it is empty and belongs to the state directory.
Result<sys::UniqueFd> Lock(const std::string& path, Deadline deadline) {
  auto fd = WRIT_TRY("lock the secrets", sys::OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  while (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return FailErrno("lock " + path);
    if (deadline.Passed()) return Fail(Code::kDeadline, "another process has kept the secret store locked for too long");
    std::this_thread::sleep_for(kLockSlice);
  }
  return fd;
}

}  // namespace

bool SecretStore::Exists() const {
  struct stat status{};
  return ::lstat(File(kStoreFile).c_str(), &status) == 0;
}

Result<SecretRecords> SecretStore::ReadWith(const crypto::SecretBytes& master) const {
  auto text = sys::ReadFile(File(kStoreFile), kFileBytesMax);
  if (!text && text.error().code == Code::kNotFound) return SecretRecords();
  if (!text) return std::unexpected(std::move(text).error());
  const auto plain = WRIT_TRY(File(kStoreFile), contract::OpenText(*text, master));
  return DecodeRecords(plain.text());
}

Result<SecretRecords> SecretStore::Read() const {
  if (!Exists()) return SecretRecords();
  const auto master = ReadMasterKey(directory_, master_from_environment_);
  if (!master && master.error().code == Code::kNotFound) {
    return Fail(Code::kDenied, "{} is there, but neither ${} nor {} opens it", File(kStoreFile), kMasterVariable, File(kMasterFile));
  }
  if (!master) return std::unexpected(master.error());
  return ReadWith(*master);
}

Result<> SecretStore::Update(const std::function<Result<>(SecretRecords&)>& change, Deadline deadline) const {
  const auto lock = WRIT_TRY("secrets", Lock(File(kLockFile), deadline));
  if (Exists()) {  // a new master would not open what is there
    if (auto readable = ReadMasterKey(directory_, master_from_environment_); !readable && readable.error().code == Code::kNotFound)
      return Fail(Code::kDenied, "{} is there, but neither ${} nor {} opens it", File(kStoreFile), kMasterVariable, File(kMasterFile));
  }
  const auto master = WRIT_TRY("secrets", ReadOrCreateMasterKey(directory_, master_from_environment_));
  auto records = WRIT_TRY("secrets", ReadWith(master));
  if (auto changed = change(records); !changed) return changed;
  const auto plain = WRIT_TRY("secrets", EncodeRecords(records));
  const std::string sealed = WRIT_TRY("secrets", contract::SealText(plain.bytes(), master));
  return sys::WriteFileAtomic(File(kStoreFile), sealed, 0600);
}

}  // namespace writ::secrets
