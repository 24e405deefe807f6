#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "crypto/secret.h"
#include "secrets/record.h"

namespace writ::secrets {

inline constexpr const char* kStoreFile = "secrets.sealed";

/// The named secrets of a state directory: one file, `secrets.sealed`, in the form `warrant.sealed.v1`. Opening it
/// costs 60 ms by design (scrypt), so only what needs a secret does. Processes may use it at the same time: a reader sees the
/// old or the new file, writers wait for each other.
class SecretStore {
 public:
  /// `directory` must exist and be the caller's alone (storage::StateDir checks that). `master_from_environment` is
  /// borrowed; empty: the key file.
  SecretStore(std::string directory, const crypto::SecretBytes& master_from_environment)
      : directory_(std::move(directory)), master_from_environment_(master_from_environment) {}

  bool Exists() const;
  /// All of it; nothing when there is no store yet.
  /// Errors: kDenied for a wrong master; kCorrupt; those of ReadMasterKey.
  Result<SecretRecords> Read() const;
  /// Changes it: reads, lets `change` work on the records, and replaces the file as a whole (fsync before and after the
  /// rename). Makes the master key at first. When `change` fails nothing has changed.
  /// Errors: kDeadline when another process keeps the lock; those of Read, of `change` and of the file system.
  Result<> Update(const std::function<Result<>(SecretRecords&)>& change, Deadline deadline) const;

 private:
  Result<SecretRecords> ReadWith(const crypto::SecretBytes& master) const;
  std::string File(std::string_view name) const { return directory_ + "/" + std::string(name); }

  std::string directory_;
  const crypto::SecretBytes& master_from_environment_;
};

}  // namespace writ::secrets
