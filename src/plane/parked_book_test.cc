#include "plane/parked_book.h"

#include <gmock/gmock.h>

namespace writ::plane {
namespace {

using testing::ElementsAre;

WallTime At(int second) { return WallTime{} + std::chrono::seconds{second}; }

TEST(ParkedBook, CountsPerPrincipalAndEndsInOrder) {
  ParkedBook book;
  book.Add("run_b", {"alice", 10, At(20)});
  book.Add("run_a", {"alice", 5, At(10)});
  book.Add("run_c", {"bob", 7, WallTime::max()});
  EXPECT_EQ(book.CountOf("alice"), 2u);
  EXPECT_EQ(book.BytesOf("alice"), 15u);
  EXPECT_EQ(book.CountOf("nobody"), 0u);
  EXPECT_EQ(book.BytesOfRun("run_c"), 7u);
  EXPECT_EQ(book.NextEnd(), At(10));
  EXPECT_THAT(book.EndedBy(At(20), 10), ElementsAre("run_a", "run_b"));
  EXPECT_THAT(book.EndedBy(At(20), 1), ElementsAre("run_a"));
  EXPECT_THAT(book.EndedBy(At(9), 10), ElementsAre());

  book.Add("run_a", {"alice", 6, At(30)});  // again: replaced
  EXPECT_EQ(book.BytesOf("alice"), 16u);
  EXPECT_EQ(book.Remove("run_a")->bytes, 6u);
  EXPECT_FALSE(book.Remove("run_a"));
  EXPECT_EQ(book.Remove("run_b")->ends, At(20));
  EXPECT_EQ(book.CountOf("alice"), 0u);
  EXPECT_EQ(book.size(), 1u);
}

}  // namespace
}  // namespace writ::plane
