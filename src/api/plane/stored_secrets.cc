#include "api/plane/stored_secrets.h"

#include <sys/stat.h>

#include <cerrno>

#include "secrets/secret_store.h"
#include "secrets/source.h"

namespace writ::api {
namespace {

constexpr Millis kReadTime{1000};

/// Tells one version of a file from another.
struct FileVersion {
  dev_t device = 0;
  ino_t inode = 0;
  off_t bytes = -1;
  std::int64_t changed_ns = 0;
  bool operator==(const FileVersion&) const = default;
};

Result<FileVersion> VersionOf(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return FileVersion{};
    return FailErrno(path);
  }
  return FileVersion{status.st_dev, status.st_ino, status.st_size,
                     status.st_ctim.tv_sec * 1000000000 + status.st_ctim.tv_nsec};
}

class Kept {
 public:
  Kept(std::string state_dir, std::shared_ptr<const secrets::Credentials> credentials, EnvLookup env)
      : state_dir_(std::move(state_dir)), credentials_(std::move(credentials)), env_(std::move(env)) {
    if (!credentials_) credentials_ = std::make_shared<const secrets::Credentials>();
  }

  Result<std::optional<crypto::SecretBytes>> Read(std::string_view name) {
    WRIT_TRY("secrets", Refresh());
    const auto found = records_.find(name);
    if (found == records_.end()) return std::nullopt;
    const secrets::SecretRecord& record = found->second;
    if (!record.host.empty())
      return Fail(Code::kDenied, "secret {} is bound to host {}, so no runner gets it", name, record.host);
    if (record.source.empty()) return crypto::SecretBytes::CopyOf(record.value.bytes());
    const auto source = WRIT_TRY("secret source", secrets::ParseSource(record.source));
    if (source.kind != secrets::SourceKind::kEnv && source.kind != secrets::SourceKind::kFile)
      return Fail(Code::kUnavailable, "secret {} is read from {}, which a plane does not wait for", name, record.source);
    return WRIT_TRY("secret source", secrets::ReadSource(source, {env_, *credentials_, Deadline::After(kReadTime)}));
  }

 private:
  Result<> Refresh() {
    const auto version = WRIT_TRY("secrets", VersionOf(state_dir_ + "/" + secrets::kStoreFile));
    if (version == version_) return {};
    records_ = WRIT_TRY("secrets", secrets::SecretStore(state_dir_, credentials_->master).Read());
    version_ = version;
    return {};
  }

  std::string state_dir_;
  std::shared_ptr<const secrets::Credentials> credentials_;
  EnvLookup env_;
  FileVersion version_;
  secrets::SecretRecords records_;
};

}  // namespace

plane::SecretLookup StoredSecrets(std::string state_dir, std::shared_ptr<const secrets::Credentials> credentials,
                                  EnvLookup env) {
  auto kept = std::make_shared<Kept>(std::move(state_dir), std::move(credentials), std::move(env));
  return [kept](std::string_view name) { return kept->Read(name); };
}

}  // namespace writ::api
