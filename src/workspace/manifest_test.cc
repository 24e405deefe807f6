#include "workspace/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/digest.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Paths(const Manifest& manifest) {
  std::vector<std::string> paths;
  for (const Entry& entry : manifest.entries) paths.push_back(entry.path);
  return paths;
}

TEST(Manifest, ListsEverythingSortedByBytes) {
  TestTree tree;
  tree.Write("a/b", "in a", 0755).Write("a-b", "beside").Write("z", "").Link("link", "/etc/passwd").Directory("empty", 0700);
  const Manifest manifest = tree.Captured();
  EXPECT_THAT(Paths(manifest), ElementsAre("a", "a-b", "a/b", "empty", "link", "z"));
  const Entry* file = manifest.Find("a/b");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(file->state.mode, 0755u);
  EXPECT_EQ(file->state.bytes, 4u);
  EXPECT_EQ(file->state.sha256, crypto::Sha256Hex("in a"));
  EXPECT_EQ(manifest.Find("z")->state.sha256, crypto::Sha256Hex(""));
  EXPECT_EQ(manifest.Find("link")->state.target, "/etc/passwd");
  EXPECT_EQ(manifest.Find("empty")->state.type, EntryType::kDirectory);
  EXPECT_EQ(manifest.Find("nothing"), nullptr);
  EXPECT_EQ(manifest.bytes, 10u);
}

TEST(Manifest, HashesLargeFilesAndBufferMultiples) {
  TestTree tree;
  const std::string whole(512u << 10, 'x'), odd(512u * 1024 + 1, 'y');
  tree.Write("whole", whole).Write("odd", odd);
  const Manifest manifest = tree.Captured();
  EXPECT_EQ(manifest.Find("whole")->state.sha256, crypto::Sha256Hex(whole));
  EXPECT_EQ(manifest.Find("odd")->state.sha256, crypto::Sha256Hex(odd));
}

TEST(Manifest, Attack29_SpecialFilesAreSkippedAndHardLinksNoted) {
  TestTree tree;
  tree.Fifo("fifo").Socket("socket").Write("one", "x").HardLink("two", "one");
  const Manifest manifest = tree.Captured();
  EXPECT_THAT(manifest.skipped, ElementsAre(Skipped{"fifo", "FIFO"}, Skipped{"socket", "socket"}));
  EXPECT_EQ(manifest.Find("one")->state.links, 2u);
  EXPECT_EQ(manifest.Find("two")->state.links, 2u);
}

TEST(Manifest, Attack29_MountsAreNotEntered) {
  const auto slash = sys::OpenDirectory("/").value();
  sys::LocalTreeOpener opener;
  class Names final : public TreeVisitor {
   public:
    Result<bool> OnEntry(const std::string&, sys::TreeEntry&) override { return false; }
    Result<> OnUnreadable(const std::string& path, const Error& error) override {
      if (path == "proc") reason = error.what;
      return {};
    }
    Result<> OnTooLong(const std::string&) override { return {}; }
    std::string reason;
  } names;
  ASSERT_TRUE(Walk(slash, opener, {}, names));
  EXPECT_THAT(names.reason, HasSubstr("another file system is mounted here"));
}

TEST(Manifest, KeepsAnyName) {
  TestTree tree;
  const std::string names[] = {"new\nline", "\x1b[31mred", "\xff\xfe", "back\\slash", " ", "%:x"};
  for (const auto& name : names) tree.Write(name, name);
  const Manifest manifest = tree.Captured();
  for (const auto& name : names) {
    ASSERT_NE(manifest.Find(name), nullptr) << name;
    EXPECT_EQ(manifest.Find(name)->state.sha256, crypto::Sha256Hex(name));
  }
}

TEST(Manifest, DeniedPathsAreShownUnlessKeptOut) {
  TestTree tree;
  tree.Write(".env", "SECRET=1").Write("sub/server.pem", "k").Write("sub/a", "").Directory("x.key");
  CaptureOptions options;
  options.deny = PatternList::Compile(DefaultDenyPatterns()).value();
  Manifest shown = tree.Captured(options);
  EXPECT_THAT(shown.denied, ElementsAre(".env", "sub/server.pem"));
  EXPECT_NE(shown.Find(".env"), nullptr);
  options.keep_out_denied = true;
  Manifest kept_out = tree.Captured(options);
  EXPECT_THAT(kept_out.denied, ElementsAre(".env", "sub/server.pem"));
  EXPECT_TRUE(kept_out.denied_kept_out);
  EXPECT_THAT(Paths(kept_out), ElementsAre("sub", "sub/a", "x.key"));
}

TEST(Manifest, BoundsAreNamed) {
  TestTree tree;
  for (int i = 0; i < 10; ++i) tree.Write("d/" + std::to_string(i), "12345");
  sys::LocalTreeOpener opener;
  auto many = Capture(tree.fd(), opener, {.entries_max = 10, .deny = {}}, SystemClock());
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Code::kExhausted);
  EXPECT_THAT(many.error().what, HasSubstr("more than 10 entries"));
  auto large = Capture(tree.fd(), opener, {.bytes_max = 49, .deny = {}}, SystemClock());
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().what, HasSubstr("more than 49 bytes"));
  EXPECT_TRUE(Capture(tree.fd(), opener, {.entries_max = 11, .bytes_max = 50, .deny = {}}, SystemClock()));
}

TEST(Manifest, Attack11_DeepDirectoriesAreWalkedWithFewDescriptors) {
  TestTree tree;
  // Each level has something after the directory, so that every level is returned to.
  sys::UniqueFd at = sys::OpenDirectory(tree.path()).value();
  constexpr int kLevels = 1500;
  for (int level = 0; level < kLevels; ++level) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    ASSERT_EQ(::mkdirat(at.get(), "e", 0700), 0);
    at = sys::UniqueFd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  EXPECT_EQ(tree.Captured().entries.size(), 2u * kLevels);
  for (int level = kLevels; level < 2100; ++level) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0700), 0);
    at = sys::UniqueFd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  sys::LocalTreeOpener opener;
  auto deep = Capture(tree.fd(), opener, {}, SystemClock());
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, Code::kExhausted);
  EXPECT_THAT(deep.error().what, HasSubstr("longer than 4095 bytes"));
}

TEST(Manifest, DigestDependsOnWhatIsThereOnly) {
  TestTree a, b;
  for (TestTree* tree : {&a, &b}) tree->Write("x/y", "1").Link("l", "x");
  EXPECT_EQ(DigestOf(a.Captured()), DigestOf(b.Captured()));
  const std::string before = DigestOf(b.Captured());
  b.Fifo("ignored");
  EXPECT_EQ(DigestOf(b.Captured()), before);
  b.Write("x/y", "1", 0755);
  EXPECT_NE(DigestOf(b.Captured()), before);
  b.Write("x/y", "2");
  EXPECT_NE(DigestOf(b.Captured()), before);
  EXPECT_EQ(DigestOf(Manifest{}), crypto::Sha256Hex(""));
}

TEST(Manifest, ChangedMeanwhile) {
  TestTree tree;
  tree.Write("same", "1").Write("edited", "1").Write("removed", "1").Write("linked", "1");
  const Manifest before = tree.Captured();
  EXPECT_THAT(ChangedBetween(before, tree.Captured()).paths, IsEmpty());
  tree.Write("edited", "2").Remove("removed").Write("added", "").HardLink("second", "linked");
  const Drift drift = ChangedBetween(before, tree.Captured());
  EXPECT_THAT(drift.paths, ElementsAre("added", "edited", "removed", "second"));
  EXPECT_FALSE(drift.more);
  const Drift cut = ChangedBetween(before, tree.Captured(), 2);
  EXPECT_THAT(cut.paths, ElementsAre("added", "edited"));
  EXPECT_TRUE(cut.more);
}

TEST(Manifest, UnreadableFilesAreSkippedForAnOrdinaryUser) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything";
  TestTree tree;
  tree.Write("closed", "x", 0).Directory("shut", 0);
  const Manifest manifest = tree.Captured();
  ASSERT_EQ(manifest.skipped.size(), 2u);
  EXPECT_THAT(manifest.skipped[0].reason, HasSubstr("Permission denied"));
}

}  // namespace
}  // namespace writ::workspace
