#include "workspace/apart.h"

#include <fcntl.h>

#include "sys/file.h"

namespace writ::workspace {
namespace {

constexpr int kAncestorsMax = 4096;

/// Whether `outer` is `inner` or one of the directories above it.
Result<bool> Contains(const sys::FileMeta& outer, const sys::UniqueFd& inner) {
  sys::UniqueFd at(::openat(inner.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  sys::FileMeta below;
  for (int level = 0; level < kAncestorsMax; ++level) {
    if (!at.valid()) return FailErrno("open the directory above");
    const sys::FileMeta meta = WRIT_TRY("look at the directory above", sys::MetaOf(at.get()));
    if (meta.device == outer.device && meta.inode == outer.inode) return true;
    if (level > 0 && meta.device == below.device && meta.inode == below.inode) return false;  // the root
    below = meta;
    at = sys::UniqueFd(::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  return Fail(Code::kExhausted, "more than {} directories above", kAncestorsMax);
}

}  // namespace

Result<> CheckApart(const sys::UniqueFd& workspace, const sys::UniqueFd& state) {
  const sys::FileMeta workspace_meta = WRIT_TRY("look at the workspace", sys::MetaOf(workspace.get()));
  const sys::FileMeta state_meta = WRIT_TRY("look at the state directory", sys::MetaOf(state.get()));
  if (WRIT_TRY("look above the state directory", Contains(workspace_meta, state))) {
    return Fail(Code::kDenied,
                "the workspace contains the state directory, so the run could read its keys; choose a directory "
                "below it, or another state directory");
  }
  if (WRIT_TRY("look above the workspace", Contains(state_meta, workspace))) {
    return Fail(Code::kDenied, "the workspace lies inside the state directory; choose a directory outside it");
  }
  return {};
}

}  // namespace writ::workspace
