#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "session/git_script_for_test.h"

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
  std::string Shell(const std::string& script) { return session::RunGitScript(scratch_, script); }
  std::string Line(const std::string& script) {
    const std::string out = Shell(script);
    return out.substr(0, out.find('\n'));
  }
  static std::string ReadText(const fs::path& path) { return session::ReadText(path); }

  fs::path scratch_, repo_;
};

}  // namespace writ::client
