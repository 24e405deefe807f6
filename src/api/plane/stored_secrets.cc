#include "api/plane/stored_secrets.h"

#include <sys/stat.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "secrets/secret_store.h"
#include "secrets/source.h"

namespace writ::api {
namespace {

constexpr Millis kReadTime{1000};
constexpr Millis kVaultTime{20'000};
constexpr std::size_t kFetchesMax = 1000;  // as many as a store has secrets

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

/// Asks vaults on a thread of its own, so that nobody else waits for them.
class Fetcher {
 public:
  Fetcher(std::shared_ptr<const secrets::Credentials> credentials, EnvLookup env)
      : credentials_(std::move(credentials)), env_(std::move(env)) {}

  /// Errors: kDeadline: not yet; kExhausted; those of ReadSource.
  Result<crypto::SecretBytes> Read(const std::string& place) {
    const std::lock_guard hold(mutex_);
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(answers_, [&](const auto& entry) { return entry.second.value && entry.second.until <= now; });
    const auto found = answers_.find(place);
    if (found != answers_.end() && found->second.value) {
      const auto& answer = *found->second.value;
      if (!answer) return std::unexpected(answer.error());
      return crypto::SecretBytes::CopyOf(answer->bytes());
    }
    if (found == answers_.end()) {
      if (answers_.size() >= kFetchesMax) return Fail(Code::kExhausted, "too many values are fetched from vaults at once");
      answers_.emplace(place, Answer{});
      wanted_.push_back(place);
      if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { Fetch(stop); });
      wake_.notify_one();
    }
    return Fail(Code::kDeadline, "{} is being read", place);
  }

 private:
  struct Answer {
    std::optional<Result<crypto::SecretBytes>> value;  ///< absent: not yet
    MonoTime until{};
  };

  void Fetch(const std::stop_token& stop) {
    std::unique_lock hold(mutex_);
    while (wake_.wait(hold, stop, [&] { return !wanted_.empty(); })) {
      const std::string place = std::move(wanted_.front());
      wanted_.pop_front();
      hold.unlock();
      auto value = secrets::ReadSource({secrets::SourceKind::kVault, place}, {env_, *credentials_, Deadline::After(kVaultTime)});
      if (value)
        if (auto fits = secrets::CheckValue("of a vault", value->bytes()); !fits) value = std::unexpected(std::move(fits).error());
      hold.lock();
      Answer& answer = answers_[place];
      answer.value = std::move(value);
      answer.until = std::chrono::steady_clock::now() + kVaultAnswerHolds;
    }
  }

  const std::shared_ptr<const secrets::Credentials> credentials_;
  const EnvLookup env_;
  std::mutex mutex_;  ///< guards what follows
  std::condition_variable_any wake_;
  std::map<std::string, Answer> answers_;
  std::deque<std::string> wanted_;
  std::jthread thread_;
};

class Kept {
 public:
  Kept(std::string state_dir, std::shared_ptr<const secrets::Credentials> credentials, EnvLookup env)
      : state_dir_(std::move(state_dir)), credentials_(std::move(credentials)), env_(std::move(env)) {
    if (!credentials_) credentials_ = std::make_shared<const secrets::Credentials>();
    fetcher_ = std::make_unique<Fetcher>(credentials_, env_);
  }

  Result<std::optional<plane::ReleasableSecret>> Read(std::string_view name) {
    WRIT_TRY("secrets", Refresh());
    const auto found = records_.find(name);
    if (found == records_.end()) return std::nullopt;
    const secrets::SecretRecord& record = found->second;
    const auto value = [&]() -> Result<crypto::SecretBytes> {
      if (record.source.empty()) return crypto::SecretBytes::CopyOf(record.value.bytes());
      const auto source = WRIT_TRY("secret source", secrets::ParseSource(record.source));
      if (source.kind == secrets::SourceKind::kVault) return fetcher_->Read(source.place);
      return secrets::ReadSource(source, {env_, *credentials_, Deadline::After(kReadTime)});
    };
    return plane::ReleasableSecret(WRIT_TRY("secret", value()), record.host);
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
  std::unique_ptr<Fetcher> fetcher_;
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
