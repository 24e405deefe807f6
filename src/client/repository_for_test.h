#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

/// A git repository made by shell scripts. Only for tests.
namespace writ::client {

namespace fs = std::filesystem;

class RepositoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "writ-client-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    scratch_ = name;
    repo_ = scratch_ / "repo";
    fs::create_directories(repo_);
    ::setenv("HOME", scratch_.c_str(), 1);
    ::unsetenv("XDG_CONFIG_HOME");
    Shell("git init -q -b main .");
  }
  void TearDown() override { fs::remove_all(scratch_); }

  /// Runs a script in the repository, which must succeed, and returns its output.
  std::string Shell(const std::string& script) {
    std::ofstream(scratch_ / "script") << "set -e\ncd " << repo_.string() << "\n" << script << "\n";
    const std::string command = "env -i PATH=/usr/bin:/bin HOME=" + scratch_.string() +
                                " GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a"
                                " GIT_COMMITTER_EMAIL=a@b sh " +
                                (scratch_ / "script").string() + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    std::string out;
    char buffer[4096];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
    EXPECT_EQ(::pclose(pipe), 0) << script << "\n" << out;
    return out;
  }
  std::string Line(const std::string& script) {
    const std::string out = Shell(script);
    return out.substr(0, out.find('\n'));
  }
  static std::string ReadText(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  fs::path scratch_, repo_;
};

}  // namespace writ::client
