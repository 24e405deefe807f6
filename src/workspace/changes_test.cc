#include "workspace/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/xattr.h>

#include "crypto/digest.h"
#include "workspace/blobs_for_test.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// "added a", "modified b", ... in order.
std::vector<std::string> Lines(const ChangeSet& set) {
  std::vector<std::string> lines;
  for (const Change& change : set.changes) lines.push_back(fmt::format("{} {}", ChangeKindName(change.kind), change.path));
  return lines;
}

class Changes : public testing::Test {
 protected:
  ChangeSet Find(bool complete, ChangeOptions options = {}) {
    sys::LocalTreeOpener opener;
    auto set = FindChanges(before_, after_.fd(), opener, complete, options, blobs_);
    if (!set) ADD_FAILURE() << set.error().what;
    return set.value_or(ChangeSet{});
  }
  const Change* Get(const ChangeSet& set, const std::string& path) {
    for (const Change& change : set.changes) {
      if (change.path == path) return &change;
    }
    return nullptr;
  }

  TestTree lower_, after_;
  Manifest before_;
  MemoryBlobs blobs_;
};

TEST_F(Changes, InACompleteTreeAbsenceMeansDeleted) {
  lower_.Write("same", "1").Write("edited", "1").Write("gone", "1").Write("d/gone", "1").Write("mode", "1");
  before_ = lower_.Captured();
  after_.Write("same", "1").Write("edited", "22").Write("mode", "1", 0755).Write("new/file", "n").Link("link", "x");
  const ChangeSet set = Find(true);
  EXPECT_THAT(Lines(set), ElementsAre("deleted d", "deleted d/gone", "modified edited", "deleted gone", "added link",
                                      "modified mode", "added new", "added new/file"));
  EXPECT_EQ(set.incomplete, "");
  EXPECT_EQ(Get(set, "edited")->before->sha256, crypto::Sha256Hex("1"));
  EXPECT_EQ(Get(set, "edited")->after->sha256, crypto::Sha256Hex("22"));
  EXPECT_EQ(blobs_.contents.at(Get(set, "new/file")->after->sha256), "n");
  EXPECT_EQ(Get(set, "mode")->after->mode, 0755u);
  EXPECT_EQ(blobs_.puts, 2) << "only new contents are kept";
}

TEST_F(Changes, InAnUpperLayerAbsenceMeansUnchanged) {
  lower_.Write("a/one", "1").Write("a/two", "2").Write("b", "3");
  before_ = lower_.Captured();
  after_.Write("a/one", "changed");
  EXPECT_THAT(Lines(Find(false)), ElementsAre("modified a/one"));
}

TEST_F(Changes, CopiedUpButEqualIsUnchanged) {
  lower_.Write("a/file", "12345");
  before_ = lower_.Captured();
  after_.Write("a/file", "12345");
  EXPECT_THAT(Lines(Find(false)), IsEmpty());
  EXPECT_EQ(blobs_.puts, 0);
  after_.Write("a/file", "54321");
  EXPECT_THAT(Lines(Find(false)), ElementsAre("modified a/file")) << "same length, other content";
}

TEST_F(Changes, WhiteoutsDelete) {
  lower_.Write("d/a", "1").Write("d/b", "2").Write("f", "3").Write("stays", "4");
  before_ = lower_.Captured();
  if (!after_.Whiteout("d") || !after_.Whiteout("f") || !after_.Whiteout("never-there")) GTEST_SKIP() << "needs mknod";
  EXPECT_THAT(Lines(Find(false)), ElementsAre("deleted d", "deleted d/a", "deleted d/b", "deleted f"));
  const ChangeSet complete = Find(true);
  EXPECT_THAT(complete.skipped, testing::Contains(Skipped{"f", "device"})) << "a device in a tree that is no layer";
}

TEST_F(Changes, OpaqueDirectoriesHideWhatTheyDoNotHold) {
  lower_.Write("d/a", "1").Write("d/sub/x", "2").Write("d/kept", "3").Write("e", "4");
  before_ = lower_.Captured();
  after_.Write("d/kept", "3").Write("d/new", "5").Directory("d/sub");
  if (::setxattr(after_.Path("d").c_str(), "user.overlay.opaque", "y", 1, 0) != 0) GTEST_SKIP() << "needs attributes";
  EXPECT_THAT(Lines(Find(false)), ElementsAre("deleted d/a", "added d/new", "deleted d/sub/x"));
}

TEST_F(Changes, Attack29_TypesSwapped) {
  lower_.Write("file-to-dir", "1").Write("dir-to-file/a/b", "1").Write("file-to-link", "1").Write("file-to-fifo", "1")
      .Write("dir-to-socket/x", "1").Link("link-to-file", "x").Write("file-to-hard", "1").Write("dir-to-link/x", "1");
  before_ = lower_.Captured();
  after_.Write("file-to-dir/x", "2").Write("dir-to-file", "2").Link("file-to-link", "/etc/shadow").Fifo("file-to-fifo")
      .Socket("dir-to-socket").Write("link-to-file", "2").Write("file-to-hard", "secret")
      .HardLink("second", "file-to-hard").Link("dir-to-link", "/proc/self/root");
  const ChangeSet set = Find(false);
  EXPECT_THAT(Lines(set),
              ElementsAre("modified dir-to-file", "deleted dir-to-file/a", "deleted dir-to-file/a/b",
                          "modified dir-to-link", "deleted dir-to-link/x", "deleted dir-to-socket",
                          "deleted dir-to-socket/x", "modified file-to-dir", "added file-to-dir/x",
                          "deleted file-to-fifo", "modified file-to-hard", "modified file-to-link",
                          "modified link-to-file", "added second"));
  EXPECT_THAT(set.skipped, ElementsAre(Skipped{"dir-to-socket", "socket"}, Skipped{"file-to-fifo", "FIFO"}));
  EXPECT_EQ(Get(set, "file-to-fifo")->note, "a FIFO took its place");
  EXPECT_EQ(Get(set, "file-to-link")->after->target, "/etc/shadow");
  EXPECT_THAT(Get(set, "file-to-link")->danger, HasSubstr("leads out"));
  EXPECT_THAT(Get(set, "dir-to-link")->danger, HasSubstr("leads out"));
  EXPECT_EQ(Get(set, "second")->after->links, 2u);
  for (const auto& [hash, text] : blobs_.contents) EXPECT_TRUE(text == "2" || text == "secret") << text;
}

TEST_F(Changes, Attack11_SparseFilesAreBounded) {
  const sys::UniqueFd fd(::open(after_.Path("huge").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::ftruncate(fd.get(), off_t{1} << 40), 0);
  after_.Write("small", "x").Write("small2", "y");
  const ChangeSet set = Find(false);
  EXPECT_THAT(Lines(set), ElementsAre("added huge", "added small", "added small2"));
  EXPECT_EQ(Get(set, "huge")->after->sha256, "");
  EXPECT_THAT(Get(set, "huge")->note, HasSubstr("too large to keep"));
  const ChangeSet tight = Find(false, {.bytes_max = 1});
  EXPECT_EQ(Get(tight, "small")->after->sha256, crypto::Sha256Hex("x"));
  EXPECT_EQ(Get(tight, "small2")->after->sha256, "");
}

TEST_F(Changes, Attack11_TooManyIsSaidNotHidden) {
  lower_.Write("original", "1");
  before_ = lower_.Captured();
  for (int i = 0; i < 30; ++i) after_.Write("f" + std::to_string(i), "");
  const ChangeSet changes = Find(true, {.changes_max = 10});
  EXPECT_EQ(changes.changes.size(), 10u);
  EXPECT_THAT(changes.incomplete, HasSubstr("more than 10 changes"));
  const ChangeSet entries = Find(true, {.entries_max = 30});
  EXPECT_EQ(entries.incomplete, "");
  const ChangeSet cut = Find(true, {.entries_max = 29});
  EXPECT_THAT(cut.incomplete, HasSubstr("more than 29 entries"));
  EXPECT_EQ(Get(cut, "original"), nullptr) << "what was not looked at is not called deleted";
}

TEST_F(Changes, Attack11_VeryDeepTreesEnd) {
  sys::UniqueFd at = sys::OpenDirectory(after_.path()).value();
  for (int level = 0; level < 4200; ++level) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    at = sys::UniqueFd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  const ChangeSet set = Find(false);
  EXPECT_EQ(set.changes.size(), 2048u);
  EXPECT_THAT(set.incomplete, HasSubstr("longer than 4095 bytes"));
}

TEST_F(Changes, KeptOutPathsAreNotDeleted) {
  lower_.Write(".env", "S").Write("a", "1");
  CaptureOptions options;
  options.deny = PatternList::Compile(DefaultDenyPatterns()).value();
  options.keep_out_denied = true;
  before_ = lower_.Captured(options);
  after_.Write("a", "1");
  EXPECT_THAT(Lines(Find(true)), IsEmpty());
  if (after_.Whiteout(".env")) {
    EXPECT_THAT(Lines(Find(false)), IsEmpty()) << "the whiteout that kept it out";
  }
  after_.Remove(".env").Write(".env", "mine");
  const ChangeSet set = Find(false);
  EXPECT_THAT(Lines(set), ElementsAre("added .env"));
  EXPECT_EQ(set.changes[0].note, "the run did not see the original");
  EXPECT_NE(set.changes[0].danger, "");
}

TEST_F(Changes, AnyNameIsReported) {
  const std::string names[] = {"\x1b]0;x\x07", "a\nb", "\xff"};
  for (const auto& name : names) after_.Write(name, "");
  EXPECT_EQ(Find(false).changes.size(), 3u);
}

TEST_F(Changes, AFailingStoreIsAnErrorNotACut) {
  class Full final : public BlobSink {
    Result<KeptContent> Put(const ContentReader&) override { return Fail(Code::kExhausted, "disk full"); }
  } full;
  after_.Write("a", "1");
  sys::LocalTreeOpener opener;
  auto set = FindChanges(before_, after_.fd(), opener, false, {}, full);
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().what, HasSubstr("disk full"));
}

}  // namespace
}  // namespace writ::workspace
