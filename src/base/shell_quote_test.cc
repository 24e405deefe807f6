#include "base/shell_quote.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <vector>

namespace writ {
namespace {

TEST(ShellQuote, Table) {
  EXPECT_EQ(ShellQuote("plain-1.2/x"), "plain-1.2/x");
  EXPECT_EQ(ShellQuote(""), "''");
  EXPECT_EQ(ShellQuote("a b"), "'a b'");
  EXPECT_EQ(ShellQuote("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuote("~"), "'~'");
  const std::vector<std::string> words{"sh", "-c", "echo $HOME"};
  EXPECT_EQ(ShellQuote(words), "sh -c 'echo $HOME'");
}

TEST(ShellQuote, AShellReadsItBack) {
  const std::string odd = "$(id) `x` \"q\" 'q' \\ * ? !\t#;&|<>";
  const std::string command = "printf %s " + ShellQuote(odd);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  ASSERT_TRUE(pipe);
  std::array<char, 256> buffer{};
  const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe.get());
  EXPECT_EQ(std::string(buffer.data(), n), odd);
}

}  // namespace
}  // namespace writ
