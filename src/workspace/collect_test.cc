#include "workspace/collect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/digest.h"
#include "workspace/blobs_for_test.h"
#include "workspace/release.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CollectTest : public testing::Test {
 protected:
  Collection Run(const std::vector<std::string>& names, const CollectLimits& limits = {}) {
    auto collection = Try(names, limits);
    if (!collection) ADD_FAILURE() << collection.error().what;
    return collection.value_or(Collection{});
  }
  Result<Collection> Try(const std::vector<std::string>& names, const CollectLimits& limits = {}) {
    std::vector<DeclaredOutput> declared;
    for (const auto& name : names) declared.push_back(ParseOutput(name).value());
    sys::LocalTreeOpener opener;
    return Collect(out_.fd(), opener, declared, limits, blobs_);
  }

  TestTree out_, target_;
  MemoryBlobs blobs_;
};

TEST(Outputs, Names) {
  EXPECT_EQ(ParseOutput("a/b?").value(), (DeclaredOutput{"a/b", true}));
  EXPECT_EQ(ParseOutput("a").value(), (DeclaredOutput{"a", false}));
  for (std::string_view bad : {"", "?", "/a", "../a", "a/..", "a//b", "a/", "a\nb", "."}) EXPECT_FALSE(ParseOutput(bad)) << bad;
  EXPECT_TRUE(CheckOutputs({{"a"}, {"ab"}, {"b/a"}}));
  EXPECT_FALSE(CheckOutputs({{"a"}, {"a"}}));
  EXPECT_THAT(CheckOutputs({{"a/b/c"}, {"a"}}).error().what, HasSubstr("declared inside"));
}

TEST_F(CollectTest, TakesWhatWasDeclaredAndListsTheRest) {
  out_.Write("result.txt", "42").Write("report/html/index", "<p>").Write("report/raw", "x").Write("dir/a", "1")
      .Write("dir/b/c", "2", 0755).Write("extra", "e").Write("other/x", "").Write("other/y", "");
  const Collection c = Run({"result.txt", "report/html", "dir", "absent", "absent-too?"});
  ASSERT_EQ(c.outputs.size(), 3u);
  EXPECT_EQ(c.outputs[0].name, "result.txt");
  EXPECT_EQ(c.outputs[0].sha256, crypto::Sha256Hex("42"));
  EXPECT_EQ(c.outputs[2].type, EntryType::kDirectory);
  EXPECT_EQ(c.outputs[2].bytes, 2u);
  ASSERT_NE(c.outputs[2].files.Find("b/c"), nullptr);
  EXPECT_EQ(c.outputs[2].sha256, DigestOf(c.outputs[2].files));
  EXPECT_THAT(c.missing, ElementsAre(Skipped{"absent", "the run did not write it"}));
  EXPECT_THAT(c.undeclared, ElementsAre("extra", "other", "report/raw"));
  EXPECT_EQ(c.undeclared_count, 3u);
  EXPECT_FALSE(blobs_.contents.contains(crypto::Sha256Hex("e"))) << "undeclared files are not read";
}

TEST_F(CollectTest, Attack29_LinksAndSpecialFilesAreNeverFollowed) {
  out_.Link("passwd", "/etc/passwd").Link("magic", "/proc/self/root/etc/shadow").Link("near", "file").Write("file", "f")
      .Fifo("fifo").Socket("socket").Write("dir/ok", "1").Link("dir/link", "/etc/shadow").Fifo("dir/fifo")
      .Link("via", "dir");
  const Collection c = Run({"passwd", "magic", "near", "fifo", "socket", "dir", "via/ok"});
  ASSERT_EQ(c.outputs.size(), 1u);
  EXPECT_EQ(c.outputs[0].name, "dir");
  EXPECT_EQ(c.outputs[0].files.entries.size(), 1u);
  std::vector<std::string> missing;
  for (const Skipped& s : c.missing) missing.push_back(s.path);
  EXPECT_THAT(missing, ElementsAre("passwd", "magic", "near", "fifo", "socket", "via/ok"));
  EXPECT_THAT(c.missing[0].reason, HasSubstr("symbolic link"));
  EXPECT_THAT(c.missing[3].reason, HasSubstr("FIFO"));
  EXPECT_EQ(c.refused.size(), 7u);
  EXPECT_EQ(blobs_.contents.size(), 1u);
}

TEST_F(CollectTest, Attack29_AFileThatGrowsEndsTheCollection) {
  // Stands for a tree that is not at rest: the opener reports a size, then the file is longer.
  out_.Write("f", "12345");
  class Growing final : public sys::TreeOpener {
   public:
    Result<sys::TreeEntry> Open(const sys::UniqueFd& directory, std::string_view name) override {
      auto entry = sys::OpenTreeEntry(directory.get(), name);
      if (entry) entry->meta.bytes -= 1;
      return entry;
    }
  } opener;
  const auto c = Collect(out_.fd(), opener, {{"f"}}, {}, blobs_);
  ASSERT_FALSE(c);
  EXPECT_THAT(c.error().what, HasSubstr("changed while it was read"));
}

TEST_F(CollectTest, Attack29_HardLinksAreCopies) {
  out_.Write("a", "x").HardLink("b", "a");
  const Collection c = Run({"a", "b"});
  ASSERT_TRUE(Release(c.outputs, blobs_, target_.fd()));
  EXPECT_EQ(sys::StatBeneath(target_.fd(), "a")->links, 1u);
  EXPECT_EQ(target_.Read("b"), "x");
}

TEST_F(CollectTest, Attack11_BoundsAreKept) {
  const sys::UniqueFd fd(::open(out_.Path("huge").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::ftruncate(fd.get(), off_t{1} << 40), 0);
  EXPECT_EQ(Try({"huge"}).error().code, Code::kExhausted);
  for (int i = 0; i < 20; ++i) out_.Write("d/" + std::to_string(i), "").Write(std::to_string(i), "");
  EXPECT_EQ(Try({"d"}, {.entries_max = 20}).error().code, Code::kExhausted);
  const Collection c = Run({"d"}, {.entries_max = 21, .undeclared_max = 5});
  EXPECT_EQ(c.undeclared.size(), 5u);
  EXPECT_EQ(c.undeclared_count, 21u);
}

TEST_F(CollectTest, ReleasesPlainFiles) {
  out_.Write("a", "1", 04711).Write("d/e/f", "2", 0600).Directory("d/empty", 0700);
  const Collection c = Run({"a", "d"});
  target_.Write("a", "old", 0600);
  ASSERT_TRUE(Release(c.outputs, blobs_, target_.fd()));
  EXPECT_EQ(target_.Read("a"), "1");
  EXPECT_EQ(sys::StatBeneath(target_.fd(), "a")->mode, 0755u) << "without the set-id bit";
  EXPECT_EQ(sys::StatBeneath(target_.fd(), "d/e/f")->mode, 0644u);
  EXPECT_EQ(sys::StatBeneath(target_.fd(), "d/empty")->mode, 0755u);
  EXPECT_TRUE(Release(c.outputs, blobs_, target_.fd(), "d"));
  EXPECT_EQ(Release(c.outputs, blobs_, target_.fd(), "nope").error().code, Code::kNotFound);
}

TEST_F(CollectTest, Attack29_ReleaseDoesNotFollowLinks) {
  TestTree outside;
  outside.Write("victim", "safe");
  out_.Write("a", "new").Write("d/victim", "new");
  const Collection c = Run({"a", "d"});
  target_.Link("a", outside.Path("victim"));
  EXPECT_EQ(Release(c.outputs, blobs_, target_.fd(), "a").error().code, Code::kInvalid);
  target_.Link("d", outside.path());
  EXPECT_FALSE(Release(c.outputs, blobs_, target_.fd(), "d"));
  EXPECT_EQ(outside.Read("victim"), "safe");
  blobs_.contents[crypto::Sha256Hex("new")] = "forged";
  target_.Remove("a");
  EXPECT_EQ(Release(c.outputs, blobs_, target_.fd(), "a").error().code, Code::kCorrupt);
  EXPECT_THAT(sys::ListNames(target_.fd(), 10).value(), ElementsAre("d")) << "no temporary file stays";
}

}  // namespace
}  // namespace writ::workspace
