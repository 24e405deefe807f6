#include "api/local_state.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "crypto/digest.h"
#include "crypto/key_file.h"
#include "storage/blobs/directory.h"
#include "storage/sqlite/open.h"

namespace writ::api {
namespace {

/// A UUID (version 4 layout) out of a digest's first 16 bytes.
std::string UuidOf(std::string_view digest_hex) {
  std::string hex(digest_hex.substr(0, 32));
  hex[12] = '4';
  constexpr std::string_view kVariants = "89ab";
  const char c = hex[16];
  hex[16] = kVariants[static_cast<std::size_t>(c <= '9' ? c - '0' : c - 'a' + 10) % 4];
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20, 12));
}

constexpr std::string_view kPlaneKeyFile = "keys/plane.key.pem";
constexpr std::string_view kRunnerKeyFile = "keys/runner.key.pem";

}  // namespace

LocalState::LocalState(const LocalPlaneOptions& options)
    : options_(options),
      clock_(options.clock != nullptr ? options.clock : &system_clock_),
      env_(options.env ? options.env : ProcessEnv()) {}

Result<std::string> LocalState::Path() {
  if (!options_.state_dir.empty()) return options_.state_dir;
  return storage::DefaultStatePath(env_, ::geteuid() == 0);
}

Result<bool> LocalState::Exists() {
  if (directory_) return true;
  const std::string path = WRIT_TRY("state directory", Path());
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return FailErrno(path);
}

Result<> LocalState::Open(storage::StateAccess access) {
  const std::string path = WRIT_TRY("state directory", Path());
  auto directory = WRIT_TRY("state directory", storage::StateDir::Open(path, access));
  auto store = WRIT_TRY("store", storage::OpenSqliteStore(directory));
  auto blobs = WRIT_TRY("blobs", storage::OpenBlobDirectory(directory));
  directory_.emplace(std::move(directory));
  store_ = options_.wrap_store ? options_.wrap_store(std::move(store)) : std::move(store);
  blobs_ = std::move(blobs);
  return {};
}

Result<> LocalState::OpenToWrite() {
  if (writable()) return {};
  return Open(storage::StateAccess::kWrite);
}

Result<> LocalState::OpenToRead() {
  if (directory_) return {};
  const bool exists = WRIT_TRY("state directory", Exists());
  if (!exists) {
    const std::string path = WRIT_TRY("state directory", Path());
    return Fail(Code::kNotFound, "there is no state directory {}: no run was made here yet", path);
  }
  auto opened = Open(storage::StateAccess::kWrite);
  if (opened || opened.error().code != Code::kDenied) return opened;
  return Open(storage::StateAccess::kRead);
}

Result<const LocalKeys*> LocalState::Keys() {
  if (keys_) return keys_.get();
  WRIT_TRY("keys", directory().Subdirectory("keys"));
  const auto load = [&](std::string_view name) {
    const std::string path = directory().File(name);
    return writable() ? crypto::ReadOrCreateKeyFile(path) : crypto::ReadKeyFile(path);
  };
  auto plane = WRIT_TRY("plane key", load(kPlaneKeyFile));
  auto runner = WRIT_TRY("runner key", load(kRunnerKeyFile));
  std::string plane_pem = plane.public_key().Pem();
  std::string runner_pem = runner.public_key().Pem();
  std::string runner_id = "rnr_" + UuidOf(crypto::Sha256Hex(runner_pem));
  std::string genesis = crypto::Sha256Hex(plane_pem);
  keys_ = std::make_unique<LocalKeys>(LocalKeys{std::move(plane), std::move(runner), std::move(plane_pem),
                                                std::move(runner_pem), std::move(runner_id), std::move(genesis)});
  return keys_.get();
}

Result<std::optional<std::string>> LocalState::PlaneKeyIdIfAny() {
  if (keys_) return std::optional(keys_->plane.key_id());
  const std::string path = WRIT_TRY("state directory", Path());
  auto key = crypto::ReadPublicKeyFile(fmt::format("{}/{}", path, kPlaneKeyFile));
  if (!key && key.error().code == Code::kNotFound) return std::optional<std::string>();
  if (!key) return std::unexpected(std::move(key).error().Doing("plane key"));
  return std::optional(key->KeyId());
}

}  // namespace writ::api
