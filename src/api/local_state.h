#pragma once

#include <memory>
#include <optional>
#include <string>

#include "api/local_plane.h"
#include "crypto/ed25519.h"
#include "storage/blob_store.h"
#include "storage/state_dir.h"
#include "storage/store.h"

namespace writ::api {

/// The two keys of a state directory, and what follows from them.
struct LocalKeys {
  crypto::PrivateKey plane, runner;
  std::string plane_pem, runner_pem;  ///< public keys as they are transmitted
  std::string runner_id;              ///< `rnr_` and a UUID made of the runner key's digest, so that it never changes
  std::string decision_genesis;       ///< SHA-256 of `plane_pem`
};

/// A state directory, opened piece by piece as calls need it. One thread at a time.
class LocalState {
 public:
  /// `options` is borrowed.
  explicit LocalState(const LocalPlaneOptions& options);

  const LocalPlaneOptions& options() const { return options_; }
  const Clock& clock() const { return *clock_; }
  const EnvLookup& env() const { return env_; }

  /// The path, whether or not anything is there.
  Result<std::string> Path();
  /// Whether the state directory exists. Errors: those of Path and of looking.
  Result<bool> Exists();
  /// Creates what is missing.
  Result<> OpenToWrite();
  /// Opens what is there; for writing if possible, else for reading. Errors: kNotFound when nothing is there.
  Result<> OpenToRead();
  bool writable() const { return directory_ && directory_->access() == storage::StateAccess::kWrite; }

  // Preconditions: opened.
  const storage::StateDir& directory() const { return *directory_; }
  storage::Store& store() { return *store_; }
  storage::BlobStore& blobs() { return *blobs_; }
  /// Makes the keys when the state is open for writing and they are not there. Errors: those of crypto/key_file.h.
  Result<const LocalKeys*> Keys();
  /// The plane's public key without opening or making any private key: for a preview.
  Result<std::optional<std::string>> PlaneKeyIdIfAny();

 private:
  Result<> Open(storage::StateAccess access);

  const LocalPlaneOptions& options_;
  SystemClock system_clock_;
  const Clock* clock_;
  EnvLookup env_;
  std::optional<storage::StateDir> directory_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<storage::BlobStore> blobs_;
  std::unique_ptr<LocalKeys> keys_;
};

}  // namespace writ::api
