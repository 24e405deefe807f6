#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

/// Repositories that shell scripts make. Only for tests.
namespace writ::session {

/// Runs a script in `scratch`/repo with git of a user who has no configuration; it must succeed. Returns its output.
inline std::string RunGitScript(const std::filesystem::path& scratch, const std::string& script) {
  const std::filesystem::path repo = scratch / "repo";
  std::filesystem::create_directories(repo);
  std::ofstream(scratch / "script") << "set -e\ncd " << repo.string() << "\n" << script << "\n";
  const std::string command = "env -i PATH=/usr/bin:/bin HOME=" + scratch.string() +
                              " GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a"
                              " GIT_COMMITTER_EMAIL=a@b sh " +
                              (scratch / "script").string() + " 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  std::string out;
  char buffer[4096];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0) << script << "\n" << out;
  return out;
}

inline std::string ReadText(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace writ::session
