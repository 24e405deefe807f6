#include "isolation/process/guest_stub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::isolation::process {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LookUp, FollowsPathAsAShellDoes) {
  EXPECT_THAT(LookUp("ls", {"PATH=/a:/b"}), ElementsAre("/a/ls", "/b/ls"));
  EXPECT_THAT(LookUp("./ls", {"PATH=/a"}), ElementsAre("./ls"));
  EXPECT_THAT(LookUp("/bin/ls", {}), ElementsAre("/bin/ls"));
  EXPECT_THAT(LookUp("ls", {}), IsEmpty());
  EXPECT_THAT(LookUp("", {"PATH=/a"}), IsEmpty());
  EXPECT_THAT(LookUp("ls", {"PATH=:/b"}), ElementsAre("./ls", "/b/ls"));  // POSIX: an empty entry is the working directory
}

}  // namespace
}  // namespace writ::isolation::process
