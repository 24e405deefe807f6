#include "workspace/inputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "crypto/digest.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::HasSubstr;

TEST(Inputs, ParsesPathAndName) {
  struct Case {
    const char* argument;
    const char* path;
    const char* name;  // nullptr: refused
  };
  const Case cases[] = {
      {"data.csv", "data.csv", "data.csv"}, {"/a/b/", "/a/b/", "b"},       {"a/b:c", "a/b", "c"},
      {"a:b/c", "a:b/c", "c"},              {"a:b:c", "a:b", "c"},         {"x:", "x", nullptr},
      {":x", "", nullptr},                  {".", ".", nullptr},           {"..", "..", nullptr},
      {".:here", ".", "here"},              {"/", "/", nullptr},           {"a:..", "a", nullptr},
      {"a:\x1b", "a", nullptr},             {"", "", nullptr},             {"a:new\nline", "a", nullptr},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.argument);
    const auto request = ParseInput(c.argument);
    EXPECT_EQ(request.has_value(), c.name != nullptr);
    if (!request || c.name == nullptr) continue;
    EXPECT_EQ(request->path, c.path);
    EXPECT_EQ(request->name, c.name);
  }
}

class InputsTest : public testing::Test {
 protected:
  Result<std::vector<StagedInput>> Stage(const std::vector<InputRequest>& requests, const InputLimits& limits = {}) {
    return StageInputs(requests, staging_.fd(), limits);
  }
  TestTree source_, staging_;
};

TEST_F(InputsTest, StagesExactlyWhatWasHashed) {
  source_.Write("file", "hello", 0600).Write("tool", "#!", 0711).Write("dir/a/b", "1").Link("dir/link", "/etc/passwd")
      .Link("alias", "file").Directory("dir/empty", 0700);
  const auto inputs = Stage({{source_.Path("file"), "f"}, {source_.Path("tool"), "t"}, {source_.Path("dir"), "d"},
                             {source_.Path("alias"), "followed"}});
  ASSERT_TRUE(inputs) << inputs.error().what;
  ASSERT_EQ(inputs->size(), 4u);
  EXPECT_EQ((*inputs)[0].sha256, crypto::Sha256Hex("hello"));
  EXPECT_EQ((*inputs)[0].bytes, 5u);
  EXPECT_EQ((*inputs)[3].sha256, crypto::Sha256Hex("hello")) << "the named path itself may be a link";
  EXPECT_EQ((*inputs)[2].type, EntryType::kDirectory);
  EXPECT_EQ((*inputs)[2].files.entries.size(), 4u);
  EXPECT_EQ((*inputs)[2].bytes, 1u);
  EXPECT_EQ(sys::StatBeneath(staging_.fd(), "f")->mode, 0444u);
  EXPECT_EQ(sys::StatBeneath(staging_.fd(), "t")->mode, 0555u);
  EXPECT_EQ(sys::StatBeneath(staging_.fd(), "d/empty")->mode, 0555u);
  EXPECT_EQ(sys::ReadLinkBeneath(staging_.fd(), "d/link").value(), "/etc/passwd") << "copied, not followed";
  // The digest of a directory is that of what a run will see.
  const auto staged = sys::OpenDirectory(staging_.Path("d")).value();
  sys::LocalTreeOpener opener;
  EXPECT_EQ(DigestOf(Capture(staged, opener, {}, SystemClock()).value()), (*inputs)[2].sha256);
}

TEST_F(InputsTest, AnotherUserInsideMayEnter) {
  source_.Write("file", "hello");
  ASSERT_EQ(::fchmod(staging_.fd().get(), 0700), 0);
  ASSERT_TRUE(Stage({{source_.Path("file"), "f"}}));
  struct stat top;
  ASSERT_EQ(::fstat(staging_.fd().get(), &top), 0);
  EXPECT_EQ(top.st_mode & 07777, 0755u);
}

TEST_F(InputsTest, Attack29_SpecialFilesAreRefused) {
  source_.Fifo("dir/fifo").Fifo("fifo").Socket("socket");
  for (const char* name : {"dir", "fifo"}) {
    const auto inputs = Stage({{source_.Path(name), name}});
    ASSERT_FALSE(inputs) << name;
    EXPECT_EQ(inputs.error().code, Code::kInvalid) << inputs.error().what;
  }
  EXPECT_FALSE(Stage({{source_.Path("socket"), "s"}}));
  EXPECT_FALSE(Stage({{"/dev/null", "n"}}));
}

TEST_F(InputsTest, NamesAndBounds) {
  source_.Write("a", "12345").Write("d/b", "12345");
  EXPECT_THAT(Stage({{source_.Path("a"), "x"}, {source_.Path("a"), "x"}}).error().what, HasSubstr("two inputs"));
  EXPECT_EQ(Stage({{source_.Path("a"), "../x"}}).error().code, Code::kInvalid);
  EXPECT_EQ(Stage({{source_.Path("nowhere"), "n"}}).error().code, Code::kNotFound);
  EXPECT_THAT(Stage({{source_.Path("nowhere"), "n"}}).error().what, HasSubstr("nowhere"));
  EXPECT_EQ(Stage({{source_.Path("a"), "y"}, {source_.Path("d"), "z"}}, {.bytes_max = 9}).error().code, Code::kExhausted);
  EXPECT_EQ(Stage({{source_.Path("d"), "w"}}, {.entries_max = 1}).error().code, Code::kExhausted);
  EXPECT_TRUE(Stage({{source_.Path("d"), "v"}}, {.entries_max = 2, .bytes_max = 5}));
}

}  // namespace
}  // namespace writ::workspace
