#include "cli/table.h"

#include <gtest/gtest.h>

namespace writ::cli {
namespace {

TEST(Table, AlignsByWhatIsSeenAndCutsTheLastColumn) {
  EXPECT_EQ(RenderTable({{"RUN", "COMMAND"}, {"d\u00e9j\u00e0-vu", "x"}}, 80), "RUN      COMMAND\nd\u00e9j\u00e0-vu  x\n");
  EXPECT_EQ(RenderTable({{"a", "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"}}, 7), "a  \u00e9\u00e9\u00e9\u2026\n");
  EXPECT_EQ(RenderTable({{"a", "b", ""}}, 80), "a  b\n");
  EXPECT_EQ(RenderTable({}, 80), "");
}

TEST(Table, ShortIdsAndTimes) {
  EXPECT_EQ(ShortRunId("run_3f2a91c0-7d1e-4b6f-9a55-0c0d1e2f3a4b"), "3f2a91c0");
  EXPECT_EQ(ShortRunId("run_\x1b[2J"), "\\u{1b}[2J");
  EXPECT_EQ(ShowTime("2026-11-22T14:41:14.123Z"), "2026-11-22 14:41:14");
  EXPECT_EQ(ShowTime("\x1b]0;x"), "\\u{1b}]0;x");
}

}  // namespace
}  // namespace writ::cli
