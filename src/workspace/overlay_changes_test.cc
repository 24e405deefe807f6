// FindChanges on the upper layer that a real overlay leaves behind. Needs the right to mount; skipped otherwise.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "workspace/blobs_for_test.h"
#include "workspace/changes.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::ElementsAre;

class OverlayChanges : public testing::Test {
 protected:
  /// Runs a shell script in an overlay of `lower_`; false where overlays cannot be mounted.
  bool InOverlay(const std::string& script) {
    layers_.Directory("upper").Directory("work").Directory("merged");
    const std::string options =
        fmt::format("lowerdir={},upperdir={},workdir={},redirect_dir=off,metacopy=off,index=off", lower_.path(),
                    layers_.Path("upper"), layers_.Path("work"));
    const std::string merged = layers_.Path("merged");
    const pid_t child = ::fork();
    if (child == 0) {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) != 0 || ::chdir(merged.c_str()) != 0) {
        ::_exit(77);
      }
      ::execl("/bin/sh", "sh", "-ec", script.c_str(), nullptr);
      ::_exit(78);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return false;
    EXPECT_EQ(status, 0) << script;
    return true;
  }

  std::vector<std::string> Lines() {
    const auto upper = sys::OpenDirectory(layers_.Path("upper")).value();
    sys::LocalTreeOpener opener;
    auto set = FindChanges(lower_.Captured(), upper, opener, false, {}, blobs_);
    if (!set) ADD_FAILURE() << set.error().what;
    std::vector<std::string> lines;
    for (const Change& change : set.value_or(ChangeSet{}).changes) {
      lines.push_back(fmt::format("{} {}", ChangeKindName(change.kind), change.path));
    }
    return lines;
  }

  TestTree lower_, layers_;
  MemoryBlobs blobs_;
};

TEST_F(OverlayChanges, EveryKindOfChange) {
  lower_.Write("edit", "1").Write("append", "1").Write("remove", "1").Write("touch", "1").Write("mode", "1")
      .Write("rename", "content").Write("dir/a", "1").Write("dir/b", "2").Write("gone/x/y", "1").Write("moved/in", "1")
      .Write("again/old", "1").Link("link", "edit").Write("file-to-dir", "1").Write("dir-to-file/z", "1");
  if (!InOverlay("echo 2 > edit; echo 2 >> append; rm remove; touch touch; chmod 755 mode; mv rename renamed;"
                 "rm dir/a; echo 3 > dir/c; rm -r gone; mv moved elsewhere || { cp -r moved elsewhere; rm -r moved; };"
                 "rm -r again; mkdir again; echo n > again/new; ln -sf remove link; rm file-to-dir; mkdir file-to-dir;"
                 "echo 1 > file-to-dir/f; rm -r dir-to-file; echo 1 > dir-to-file; echo t > t; rm t")) {
    GTEST_SKIP() << "overlays cannot be mounted here";
  }
  EXPECT_THAT(Lines(),
              ElementsAre("added again/new", "deleted again/old", "modified append", "modified dir-to-file",
                          "deleted dir-to-file/z", "deleted dir/a", "added dir/c", "modified edit", "added elsewhere",
                          "added elsewhere/in", "modified file-to-dir", "added file-to-dir/f", "deleted gone",
                          "deleted gone/x", "deleted gone/x/y", "modified link", "modified mode", "deleted moved",
                          "deleted moved/in", "deleted remove", "deleted rename", "added renamed"));
}

TEST_F(OverlayChanges, NothingDoneIsNothingChanged) {
  lower_.Write("a/b", "1");
  if (!InOverlay("cat a/b > /dev/null; chmod 600 a/b; chmod 644 a/b; mkdir a/t; rmdir a/t")) {
    GTEST_SKIP() << "overlays cannot be mounted here";
  }
  EXPECT_THAT(Lines(), ElementsAre());
}

}  // namespace
}  // namespace writ::workspace
