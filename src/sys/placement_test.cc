#include "sys/placement.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

namespace writ::sys {
namespace {

TEST(RunningThreads, Table) {
  struct Case {
    const char* text;
    std::optional<unsigned> running;
  };
  const Case cases[] = {
      {"0.01 0.04 0.05 1/123 4567\n", 1}, {"9.00 8.00 7.00 12/99 1\n", 12}, {"", std::nullopt},
      {"0.01 0.04 0.05\n", std::nullopt}, {"0.01 0.04 0.05 ", std::nullopt}, {"0.01 0.04 0.05 1", std::nullopt},
      {"0.01 0.04 0.05 x/1 2", std::nullopt}, {"0.01 0.04 0.05 99999999999/1 2", std::nullopt},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(RunningThreads(c.text), c.running);
  }
}

cpu_set_t Allowed() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  EXPECT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  return allowed;
}

TEST(Processors, AChildHasThemAllAgainOnceItGaveBack) {
  const cpu_set_t before = Allowed();
  const int policy = ::sched_getscheduler(0);
  const Processors processors = Processors::Own();
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    if (::read(told[0], &byte, 1) != 1) ::_exit(2);
    processors.GiveBack();
    const cpu_set_t now = Allowed();
    ::_exit(CPU_EQUAL(&now, &before) && ::sched_getscheduler(0) == policy ? 0 : 1);
  }
  processors.StartOnOther(child, std::numeric_limits<unsigned>::max());
  ASSERT_EQ(::write(told[1], "g", 1), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  const cpu_set_t after = Allowed();
  EXPECT_TRUE(CPU_EQUAL(&after, &before));
  ::close(told[0]);
  ::close(told[1]);
}

TEST(Processors, TravelAsText) {
  const std::string own = Processors::Own().Text();
  EXPECT_EQ(Processors::FromText(own).Text(), own);
  for (const char* fine : {"other 0 1", "same 0 1", "other 3 1023", ""}) EXPECT_EQ(Processors::FromText(fine).Text(), fine);
  for (const char* wrong : {"other", "other 0", "other 0 1 2", "other 1 1", "other 0 1024", "other 0 -1", "other 0 x", "other 0 1 ", "0 1", "otherwise 0 1"})
    EXPECT_EQ(Processors::FromText(wrong).Text(), "") << wrong;
}

TEST(Processors, NobodyIsMovedWhereMoreThreadsRun) {
  const cpu_set_t before = Allowed();
  int told[2];
  ASSERT_EQ(::pipe(told), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    if (::read(told[0], &byte, 1) != 1) ::_exit(2);
    const cpu_set_t now = Allowed();
    ::_exit(CPU_EQUAL(&now, &before) ? 0 : 1);
  }
  Processors::Own().StartOnOther(child, 0);
  ASSERT_EQ(::write(told[1], "g", 1), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  ::close(told[0]);
  ::close(told[1]);
}

}  // namespace
}  // namespace writ::sys
