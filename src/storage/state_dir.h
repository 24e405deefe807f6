#pragma once

#include <string>
#include <string_view>

#include "base/env.h"
#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::storage {

/// $WRIT_STATE; else /var/lib/writ for root; else $XDG_STATE_HOME/writ; else $HOME/.local/state/writ.
/// Errors: kInvalid when the variable that decides is not an absolute path, or none is set.
Result<std::string> DefaultStatePath(const EnvLookup& env, bool root);

enum class StateAccess : std::uint8_t {
  kWrite,  ///< created when absent
  kRead    ///< must exist; may be on a read-only file system
};

/// The directory that holds everything Writ remembers: store, blobs, keys, locks. Mode 0700, owned by the caller.
class StateDir {
 public:
  /// Errors: kDenied for a symbolic link, a directory of somebody else, one that group or others may write, or a
  /// read-only file system with kWrite; kNotFound with kRead; kExhausted on a full disk. The text says what to do.
  static Result<StateDir> Open(const std::string& path, StateAccess access);

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  StateAccess access() const { return access_; }
  std::string File(std::string_view name) const { return path_ + "/" + std::string(name); }
  /// Opens a directory inside, made 0700 when absent and access is kWrite, under the same rules.
  /// Precondition: `name` is one path component.
  Result<sys::UniqueFd> Subdirectory(std::string_view name) const;

 private:
  StateDir(std::string path, sys::UniqueFd fd, StateAccess access)
      : path_(std::move(path)), fd_(std::move(fd)), access_(access) {}
  std::string path_;
  sys::UniqueFd fd_;
  StateAccess access_;
};

}  // namespace writ::storage
