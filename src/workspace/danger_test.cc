#include "workspace/danger.h"

#include <gtest/gtest.h>

namespace writ::workspace {
namespace {

TEST(Danger, Attack30_FilesThatToolsExecute) {
  const FileState file{.mode = 0644, .sha256 = {}, .target = {}};
  for (std::string_view path :
       {".git/hooks/post-checkout", "sub/.git/hooks/x", ".git/config", ".GIT/Config", ".g\xE2\x80\x8Cit/config", ".git",
        "sub/.git", "GIT~1/config", ".gitmodules", ".gitattributes", ".env", "a/.env.local", ".envrc",
        ".vscode/tasks.json", ".idea/runConfigurations/x.xml", "x.code-workspace", ".npmrc", ".yarnrc.yml",
        ".git/modules/x/hooks/y", ".github/workflows/ci.yml", ".cargo/config.toml", ".mcp.json", ".bashrc",
        "lib/evil.pth", ".git/hooks", ".githooks/post-checkout", "a/.git-hooks/x", ".lefthook.yml"}) {
    EXPECT_NE(DangerOf(path, file), "") << path;
  }
  for (std::string_view path : {"src/main.c", "git/hooks", "x.git/config", ".github/README.md", ".environment",
                                "config", ".gitignore", ".git/objects/ab/cd", "Makefile", "npmrc", "hooks"}) {
    EXPECT_EQ(DangerOf(path, file), "") << path;
  }
  EXPECT_EQ(DangerOf(".git/hooks", {.type = EntryType::kDirectory, .sha256 = {}, .target = {}}), "");
}

TEST(Danger, Attack30_SetIdBitsAndLinksOut) {
  EXPECT_NE(DangerOf("x", {.mode = 04755, .sha256 = {}, .target = {}}), "");
  EXPECT_NE(DangerOf("x", {.mode = 02755, .sha256 = {}, .target = {}}), "");
  const auto link = [](std::string_view path, std::string target) {
    return !DangerOf(path, {.type = EntryType::kSymlink, .sha256 = {}, .target = std::move(target)}).empty();
  };
  EXPECT_TRUE(link("a", "/etc/passwd"));
  EXPECT_TRUE(link("a", ".."));
  EXPECT_TRUE(link("d/a", "../../x"));
  EXPECT_TRUE(link("d/a", "b/../../../x"));
  EXPECT_FALSE(link("d/a", "../x"));
  EXPECT_FALSE(link("d/a", "./b//c"));
  EXPECT_FALSE(link("a", "b"));
}

}  // namespace
}  // namespace writ::workspace
