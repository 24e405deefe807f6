#include "workspace/diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "base/shell_quote.h"
#include "workspace/blobs_for_test.h"
#include "workspace/git_text.h"
#include "workspace/line_diff.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Diff : public testing::Test {
 protected:
  /// The patch from `before_` to `after_`.
  std::string Write(const DiffLimits& limits = {}) {
    sys::LocalTreeOpener opener;
    changes_ = FindChanges(before_.Captured(), after_.fd(), opener, true, {}, blobs_).value();
    std::string text;
    auto result = WriteDiff(changes_, before_.fd(), blobs_, limits, [&text](std::string_view piece) -> Result<> {
      text += piece;
      return {};
    });
    if (!result) ADD_FAILURE() << result.error().what;
    result_ = result.value_or(DiffResult{});
    EXPECT_EQ(result_.bytes, text.size());
    return text;
  }

  /// `before_` becomes `after_` with the real git, and comes back with -R.
  void ExpectGitAgrees() {
    const std::string patch = Write();
    EXPECT_THAT(result_.omitted, IsEmpty());
    const auto old_state = before_.Snapshot();
    scratch_.Write("patch", patch);
    Git("apply --binary --whitespace=nowarn");
    EXPECT_EQ(before_.Snapshot(), after_.Snapshot()) << patch.substr(0, 2000);
    Git("apply -R --binary --whitespace=nowarn");
    EXPECT_EQ(before_.Snapshot(), old_state);
  }

  void Git(const std::string& command) {
    const std::string line =
        fmt::format("cd {} && umask 022 && HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_CEILING_DIRECTORIES={} git {} {}",
                    ShellQuote(before_.path()), ShellQuote(testing::TempDir()), command, ShellQuote(scratch_.Path("patch")));
    EXPECT_EQ(std::system(line.c_str()), 0) << line;
  }

  TestTree before_, after_, scratch_;
  MemoryBlobs blobs_;
  ChangeSet changes_;
  DiffResult result_;
};

TEST_F(Diff, LooksAsGitWritesIt) {
  before_.Write("f", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
  after_.Write("f", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n").Write("new", "x");
  EXPECT_EQ(Write(),
            "diff --git a/f b/f\n"
            "index 07193989308c972f8a2d0f1b3a15c29ea4ac565b..4c5701d775286e43e9f53ee570f38b6070b09616 100644\n"
            "--- a/f\n+++ b/f\n"
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
            "diff --git a/new b/new\nnew file mode 100644\n"
            "index 0000000000000000000000000000000000000000..c1b0730e0133447badcfd47fd144e254807b06e1\n"
            "--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n");
}

TEST_F(Diff, GitAppliesText) {
  before_.Write("edited", "a\nb\nc\n").Write("deleted", "gone\n").Write("no-end", "x\ny").Write("end", "x\ny\n")
      .Write("emptied", "x\n").Write("filled", "").Write("crlf", "a\r\nb\r\n").Write("d/deep/file", "1\n").Write("gone-empty", "");
  after_.Write("edited", "a\nB\nc\nd\n").Write("added", "new\n").Write("no-end", "x\ny\n").Write("end", "x\ny")
      .Write("emptied", "").Write("filled", "x\n").Write("crlf", "a\r\nB\r\n").Write("d/deep/file", "2\n").Write("e/new/file", "3\n")
      .Write("new-empty", "");
  ExpectGitAgrees();
}

TEST_F(Diff, GitAppliesBinaries) {
  std::mt19937 random(1);
  std::string noise(100'000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  std::string other = noise;
  other[500] ^= 1;
  before_.Write("edited", noise).Write("deleted", std::string("\0x", 2)).Write("to-text", std::string("\0", 1));
  after_.Write("edited", other).Write("added", noise).Write("to-text", "text\n").Write("tiny", std::string("\0", 1));
  ExpectGitAgrees();
}

TEST_F(Diff, GitAppliesModesLinksAndTypes) {
  before_.Write("script", "x\n").Write("plain", "x\n", 0755).Write("both", "x\n").Link("link", "old").Link("dead", "x")
      .Write("file-to-link", "x\n").Link("link-to-file", "x").Write("dir-to-file/a", "1\n").Write("file-to-dir", "1\n");
  after_.Write("script", "x\n", 0755).Write("plain", "x\n").Write("both", "y\n", 0755).Link("link", "new")
      .Link("file-to-link", "target").Write("link-to-file", "text\n").Write("dir-to-file", "2\n")
      .Write("file-to-dir/a", "2\n").Link("fresh", "a b\nc");
  ExpectGitAgrees();
}

TEST_F(Diff, Attack14_GitAppliesOddNames) {
  const std::string names[] = {"with space", "tab\there", "new\nline", "quote\"d", "back\\slash", "\x1b[31mred",
                               "\xC3\xA4\xF0\x9F\x98\x80", "\xff\xfe", "-dash", " lead", "trail ", "a b/c d", "$(x)", "x b/x"};
  for (const auto& name : names) {
    before_.Write("edit/" + name, "old\n").Write("mode/" + name, "m\n").Write("remove/" + name, "");
    after_.Write("edit/" + name, "new\n").Write("mode/" + name, "m\n", 0755).Write("add/" + name, std::string("\0", 1));
  }
  ExpectGitAgrees();
  EXPECT_THAT(Write(), Not(HasSubstr("\x1b")));
}

TEST_F(Diff, GitAppliesRandomEdits) {
  std::mt19937 random(7);
  for (int file = 0; file < 40; ++file) {
    std::string old_text, new_text;
    const int kinds = 1 + static_cast<int>(random() % 9);
    for (int line = static_cast<int>(random() % 120); line-- > 0;) {
      const std::string text = fmt::format("line {}\n", random() % kinds);
      if (random() % 8 != 0) old_text += text;
      if (random() % 8 != 0) new_text += text;
    }
    if (random() % 4 == 0 && !new_text.empty()) new_text.pop_back();
    before_.Write(std::to_string(file), old_text);
    after_.Write(std::to_string(file), new_text);
  }
  ExpectGitAgrees();
}

TEST_F(Diff, Attack30_WhatGitRefusesIsLeftOutWithAMark) {
  before_.Write(".git/config", "a").Write("x", "1\n").Directory("d", 0755);
  after_.Write(".git/config", "b").Write(".Git/hooks/post-commit", "evil").Write("x", "2\n").Directory("d", 0700).Directory("empty");
  const std::string text = Write();
  EXPECT_EQ(result_.files, 1u);
  EXPECT_THAT(text, HasSubstr("# not shown: .git/config: git takes no patches below .git\n"));
  EXPECT_THAT(text, HasSubstr("# not shown: d: permissions of a directory\n"));
  EXPECT_THAT(text, HasSubstr("# not shown: empty: an empty directory\n"));
  scratch_.Write("patch", text);
  Git("apply");
  EXPECT_EQ(before_.Read("x"), "2\n");
}

TEST_F(Diff, SizesAreBounded) {
  before_.Write("large-text", std::string(3000, 'a') + "\n");
  after_.Write("large-text", std::string(3000, 'b') + "\n").Write("larger", std::string(5000, 'c'));
  const std::string text = Write({.text_bytes_max = 1000, .binary_bytes_max = 4000});
  EXPECT_THAT(text, HasSubstr("GIT binary patch\nliteral 3001\n"));
  EXPECT_THAT(text, HasSubstr("# not shown: larger: 5000 bytes; the limit is 4000\n"));
  EXPECT_THAT(Write({.diff_bytes_max = 100}), HasSubstr("the diff would be longer than 100 bytes"));
  EXPECT_EQ(result_.files, 0u);
}

TEST_F(Diff, AnOriginalThatChangedIsNotShown) {
  before_.Write("f", "1\n");
  after_.Write("f", "2\n");
  sys::LocalTreeOpener opener;
  const ChangeSet changes = FindChanges(before_.Captured(), after_.fd(), opener, true, {}, blobs_).value();
  before_.Write("f", "meanwhile\n");
  std::string text;
  const auto result = WriteDiff(changes, before_.fd(), blobs_, {}, [&text](std::string_view piece) -> Result<> {
    text += piece;
    return {};
  });
  ASSERT_TRUE(result);
  ASSERT_EQ(result->omitted.size(), 1u);
  EXPECT_THAT(text, HasSubstr("# not shown: f: its original cannot be shown"));
}

TEST(LineDiff, FindsShortEdits) {
  const auto edits = [](std::string_view a, std::string_view b, std::uint64_t steps = 1000) {
    return DiffLines(SplitLines(a), SplitLines(b), steps);
  };
  EXPECT_THAT(edits("a\nb\nc\n", "a\nb\nc\n"), IsEmpty());
  EXPECT_THAT(edits("", "x\n"), ElementsAre(LineEdit{0, 0, 0, 1}));
  EXPECT_THAT(edits("a\nb\nc\n", "a\nX\nc\n"), ElementsAre(LineEdit{1, 2, 1, 2}));
  EXPECT_THAT(edits("a\nb\nc\nd\ne\n", "b\nc\nX\ne\nf\n"),
              ElementsAre(LineEdit{0, 1, 0, 0}, LineEdit{3, 4, 2, 3}, LineEdit{5, 5, 4, 5}));
  // Myers' example: five changed lines.
  std::size_t changed = 0;
  for (const LineEdit& e : edits("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n")) {
    changed += e.old_end - e.old_begin + e.new_end - e.new_begin;
  }
  EXPECT_EQ(changed, 5u);
}

TEST(LineDiff, Attack11_CostIsBounded) {
  std::string a, b;
  for (int i = 0; i < 20'000; ++i) {
    a += fmt::format("{}\n", i * 7919 % 10'007);
    b += fmt::format("{}\n", i * 104'729 % 10'007);
  }
  const auto edits = DiffLines(SplitLines(a), SplitLines(b), 100'000);
  EXPECT_FALSE(edits.empty());
}

TEST(GitText, NamesAreQuotedAsGitDoes) {
  EXPECT_EQ(QuoteGitPath("a/", "plain name"), "a/plain name");
  EXPECT_EQ(QuoteGitPath("a/", "t\tn\nq\"b\\"), "\"a/t\\tn\\nq\\\"b\\\\\"");
  EXPECT_EQ(QuoteGitPath("b/", "\xC3\xA4\x1b\x7f"), "\"b/\\303\\244\\033\\177\"");
  EXPECT_EQ(GitBlobName(""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

}  // namespace
}  // namespace writ::workspace
