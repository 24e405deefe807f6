#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"

namespace writ::workspace {

/// Bounds of one walk. Reaching `entries_max` ends it; a longer path is reported and not entered.
struct WalkLimits {
  std::size_t entries_max = 1'000'000;
  std::size_t path_bytes_max = 4095;
};

/// Receives the entries of a tree. A path is relative to the root, its components joined by '/'. Any returned error
/// ends the walk with that error.
class TreeVisitor {
 public:
  virtual ~TreeVisitor() = default;
  /// Called before an entry is opened, where the opener can look at it. True: nothing else is needed of it, and
  /// OnEntry is not called. Directories are always opened.
  virtual bool OnLook(const std::string&, const sys::FileMeta&) { return false; }
  /// Called for a directory before anything in it; return false to leave it out.
  virtual Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) = 0;
  /// An entry that cannot be opened, or a directory that cannot be listed.
  virtual Result<> OnUnreadable(const std::string& path, const Error& error) = 0;
  /// An entry whose path would be longer than `path_bytes_max`; `parent` is the path of the directory it is in.
  virtual Result<> OnTooLong(const std::string& parent) = 0;
};

/// Visits everything below `root`, names of a directory in byte order. Neither the stack nor the number of open
/// descriptors grows with the depth. Errors: kExhausted with "more than N entries"; kUnavailable when directories
/// are moved while they are walked; those of the visitor.
Result<> Walk(const sys::UniqueFd& root, sys::TreeOpener& opener, const WalkLimits& limits, TreeVisitor& visitor);

}  // namespace writ::workspace
