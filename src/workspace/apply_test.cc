#include "workspace/apply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workspace/blobs_for_test.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ApplyTest : public testing::Test {
 protected:
  /// What brings `workspace_` to `after_`.
  void Find() {
    sys::LocalTreeOpener opener;
    changes_ = FindChanges(workspace_.Captured(), after_.fd(), opener, true, {}, blobs_).value();
  }
  ApplyReport Run(const ApplyOptions& options = {}) {
    auto report = Apply(changes_, workspace_.fd(), blobs_, options);
    if (!report) ADD_FAILURE() << report.error().what;
    return report.value_or(ApplyReport{});
  }

  TestTree workspace_, after_;
  MemoryBlobs blobs_;
  ChangeSet changes_;
};

TEST_F(ApplyTest, BringsTheWorkspaceToTheNewState) {
  workspace_.Write("edited", "1").Write("deleted", "1").Write("old/dir/file", "1").Write("mode", "1").Link("link", "a")
      .Write("file-to-dir", "1").Write("dir-to-file/x/y", "1").Write("file-to-link", "1").Directory("locked").Write("same", "1");
  after_.Write("edited", "2").Write("new/dir/file", "n").Write("mode", "1", 0755).Link("link", "b")
      .Write("file-to-dir/x", "2").Write("dir-to-file", "2").Link("file-to-link", "same").Write("locked/f", "x")
      .Directory("locked", 0555).Directory("empty", 0711).Write("same", "1");
  Find();
  const ApplyReport report = Run();
  EXPECT_FALSE(report.refused);
  EXPECT_EQ(report.stopped, "");
  EXPECT_THAT(report.conflicts, IsEmpty());
  EXPECT_EQ(report.applied.size(), changes_.changes.size());
  EXPECT_EQ(workspace_.Snapshot(), after_.Snapshot());
  const ApplyReport again = Run();
  EXPECT_THAT(again.applied, IsEmpty()) << "applying again is harmless";
  EXPECT_EQ(again.already.size(), changes_.changes.size());
  EXPECT_EQ(workspace_.Snapshot(), after_.Snapshot());
}

TEST_F(ApplyTest, AConflictChangesNothing) {
  workspace_.Write("a", "1").Write("b", "1").Write("c", "1").Write("d/x", "1");
  after_.Write("a", "2").Write("b", "2").Write("new", "n");
  Find();
  workspace_.Write("b", "mine").Write("new", "mine").Write("d/unknown", "mine");
  const auto before = workspace_.Snapshot();
  const ApplyReport report = Run();
  EXPECT_TRUE(report.refused);
  EXPECT_THAT(report.applied, IsEmpty());
  EXPECT_THAT(report.conflicts,
              ElementsAre(Skipped{"b", "was changed since the run started"},
                          Skipped{"d", "the directory holds \"unknown\", which the run did not know"},
                          Skipped{"new", "exists already"}));
  EXPECT_EQ(workspace_.Snapshot(), before);
}

TEST_F(ApplyTest, ForceWritesOverButNeverRemovesUnknownFiles) {
  workspace_.Write("b", "1").Write("e/f", "1").Write("gone", "1");
  after_.Write("b", "2").Write("new", "n").Write("e/f", "2");
  Find();
  workspace_.Write("b", "mine").Remove("e").Write("gone", "mine");
  EXPECT_TRUE(Run().refused);
  const ApplyReport report = Run({.force = true});
  EXPECT_FALSE(report.refused);
  EXPECT_EQ(report.stopped, "");
  EXPECT_EQ(report.conflicts.size(), 4u);
  EXPECT_EQ(workspace_.Snapshot(), after_.Snapshot());
  workspace_.Write("d/x", "1");
  Find();
  workspace_.Write("d/mine", "1");
  const ApplyReport blocked = Run({.force = true});
  EXPECT_TRUE(blocked.refused);
  EXPECT_EQ(workspace_.Read("d/mine"), "1");
}

TEST_F(ApplyTest, DryRunSaysWhatWouldBeDone) {
  workspace_.Write("a", "1");
  after_.Write("b", "2");
  Find();
  const auto before = workspace_.Snapshot();
  EXPECT_THAT(Run({.dry_run = true}).applied, ElementsAre("a", "b"));
  EXPECT_EQ(workspace_.Snapshot(), before);
}

TEST_F(ApplyTest, Attack30_FlaggedChangesAreHeldBackUnlessAskedFor) {
  workspace_.Write("x", "1").Write("tools/a", "1");
  after_.Write("x", "2").Write(".git/hooks/post-checkout", "evil", 0755).Write(".envrc", "evil").Link("tools", "/tmp");
  Find();
  const ApplyReport report = Run();
  EXPECT_FALSE(report.refused);
  EXPECT_EQ(workspace_.Read("x"), "2");
  EXPECT_FALSE(sys::StatBeneath(workspace_.fd(), ".git/hooks/post-checkout"));
  EXPECT_FALSE(sys::StatBeneath(workspace_.fd(), ".envrc"));
  EXPECT_EQ(workspace_.Read("tools/a"), "1") << "not emptied for a link that does not come";
  EXPECT_EQ(report.held_back.size(), 4u);
  EXPECT_EQ(Run({.flagged = Flagged::kApply}).stopped, "");
  EXPECT_EQ(workspace_.Snapshot(), after_.Snapshot());
}

TEST_F(ApplyTest, Attack29_NothingOutsideIsTouched) {
  TestTree outside;
  outside.Write("f", "safe");
  workspace_.Write("d/f", "1").Write("e/f", "1");
  after_.Write("d/f", "2").Write("d/new", "2").Write("e/f", "1");
  Find();
  workspace_.Remove("d").Link("d", outside.path());
  for (const bool force : {false, true}) {
    const ApplyReport report = Run({.force = force});
    EXPECT_TRUE(report.refused);
    EXPECT_THAT(report.applied, IsEmpty());
  }
  EXPECT_EQ(outside.Read("f"), "safe");
  EXPECT_FALSE(sys::StatBeneath(outside.fd(), "new"));
  // Change sets come back from a store: their paths are not trusted either.
  for (const std::string path : {"../x", "/etc/x", "a/../../x", ""}) {
    changes_.changes = {{path, ChangeKind::kAdded, {}, FileState{.sha256 = crypto::Sha256Hex("2"), .target = {}}, {}, {}}};
    EXPECT_TRUE(Run({.force = true}).refused) << path;
  }
}

TEST_F(ApplyTest, Attack29_SetIdBitsAreNotTaken) {
  workspace_.Write("kept", "1", 04755);
  after_.Write("new", "x", 06755).Write("kept", "2", 04755);
  Find();
  EXPECT_EQ(Run({.flagged = Flagged::kApply}).stopped, "");
  EXPECT_EQ(sys::StatBeneath(workspace_.fd(), "new")->mode, 0755u);
  EXPECT_EQ(sys::StatBeneath(workspace_.fd(), "kept")->mode, 04755u) << "the original's own bit stays";
}

TEST_F(ApplyTest, KeptContentIsChecked) {
  workspace_.Write("a", "1");
  after_.Write("a", "2").Write("b", "3");
  Find();
  blobs_.contents[crypto::Sha256Hex("3")] = "forged";
  const auto before = workspace_.Snapshot();
  auto report = Apply(changes_, workspace_.fd(), blobs_, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kCorrupt);
  EXPECT_EQ(workspace_.Snapshot(), before);
  blobs_.contents.clear();
  EXPECT_FALSE(Apply(changes_, workspace_.fd(), blobs_, {}));
  EXPECT_EQ(workspace_.Snapshot(), before) << "the staging directory is gone, too";
}

TEST_F(ApplyTest, AnIncompleteListNeedsForce) {
  after_.Write("a", "1");
  Find();
  changes_.incomplete = "more than 1 changes";
  EXPECT_FALSE(Apply(changes_, workspace_.fd(), blobs_, {}));
  EXPECT_THAT(Run({.force = true}).applied, ElementsAre("a"));
}

TEST_F(ApplyTest, HardLinksAreBrokenWithAWarning) {
  workspace_.Write("one", "1").HardLink("two", "one").HardLink("three", "one");
  after_.Write("one", "2").Write("two", "2").Write("three", "1");
  Find();
  const ApplyReport report = Run();
  EXPECT_EQ(report.stopped, "");
  EXPECT_THAT(report.warnings, Contains(Skipped{"one", "was one of 3 hard links; the others keep the old content"}));
  EXPECT_EQ(workspace_.Read("three"), "1");
}

TEST_F(ApplyTest, OwnersStay) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  workspace_.Write("d/a", "1");
  ASSERT_EQ(::chown(workspace_.Path("d/a").c_str(), 1234, 1235), 0);
  ASSERT_EQ(::chown(workspace_.Path("d").c_str(), 1234, 1235), 0);
  after_.Write("d/a", "2").Write("d/new/b", "3");
  Find();
  ASSERT_EQ(Run().stopped, "");
  for (const char* name : {"d/a", "d/new", "d/new/b"}) {
    EXPECT_EQ(sys::StatBeneath(workspace_.fd(), name)->uid, 1234u) << name;
    EXPECT_EQ(sys::StatBeneath(workspace_.fd(), name)->gid, 1235u) << name;
  }
}

}  // namespace
}  // namespace writ::workspace
