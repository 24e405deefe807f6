#include "cli/user_name.h"

#include <gtest/gtest.h>

#include <cstdio>

#include "sys/file.h"

namespace writ::cli {
namespace {

TEST(UserName, ReadsThePasswdFile) {
  auto directory = sys::TemporaryDirectory::Create("/tmp", "writ-passwd-");
  ASSERT_TRUE(directory.has_value());
  const std::string file = directory->path() + "/passwd";
  ASSERT_TRUE(sys::WriteFileAtomic(file, std::string_view("root:x:0:0:root:/root:/bin/sh\n"
                                                          "broken line\n"
                                                          "short:x\n"
                                                          "ann:x:1000:1000::/home/ann:/bin/sh\n"
                                                          "ev\x1b[2Jil:x:1001:1001::/:/bin/sh\n"
                                                          "last:x:1002:1::/:"), 0600).has_value());
  EXPECT_EQ(UserName(0, file), "root");
  EXPECT_EQ(UserName(1000, file), "ann");
  EXPECT_EQ(UserName(1001, file), "uid:1001") << "a name that could forge a log is not used";
  EXPECT_EQ(UserName(1002, file), "last");
  EXPECT_EQ(UserName(100, file), "uid:100");
  EXPECT_EQ(UserName(0, file + ".none"), "uid:0");
}

}  // namespace
}  // namespace writ::cli
