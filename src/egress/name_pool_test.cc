#include "egress/name_pool.h"

#include <gtest/gtest.h>

#include "net/addresses_for_test.h"

namespace writ::egress {
namespace {

using net::Ip;

TEST(NamePool, AddressesLeadBackToTheirName) {
  NamePool pool;
  const auto a = pool.Map("a.test"), b = pool.Map("b.test");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(a->v4.ToText(), "198.18.1.0");
  EXPECT_EQ(a->v6.ToText(), "fd77:7269:7400::100");
  EXPECT_EQ(b->v4.ToText(), "198.18.1.1");
  for (const auto& address : {a->v4, a->v6}) EXPECT_EQ(*pool.NameOf(address), "a.test");
  for (const auto& address : {b->v4, b->v6}) EXPECT_EQ(*pool.NameOf(address), "b.test");
  EXPECT_EQ(pool.Map("a.test")->v4, a->v4);
}

TEST(NamePool, OtherAddressesMeanNothing) {
  NamePool pool;
  ASSERT_TRUE(pool.Map("a.test"));
  for (const char* text : {"198.18.0.0", "198.18.0.255", "198.18.1.1", "198.19.255.255", "198.20.1.0", "127.0.0.1",
                           "fd77:7269:7400::", "fd77:7269:7400::101", "fd77:7269:7400:1::100", "fd77:7269:7401::100",
                           "::100", "::ffff:198.18.1.0"}) {
    EXPECT_EQ(pool.NameOf(Ip(text)), nullptr) << text;
  }
  EXPECT_TRUE(NamePool::InRange(Ip("198.19.255.255")));
  EXPECT_FALSE(NamePool::InRange(Ip("198.20.0.0")));
}

TEST(NamePool, IsBounded) {
  NamePool pool;
  for (std::uint32_t i = 0; i < NamePool::kNamesMax; ++i) ASSERT_TRUE(pool.Map(std::to_string(i)));
  EXPECT_FALSE(pool.Map("one more"));
  const auto last = pool.Map(std::to_string(NamePool::kNamesMax - 1));
  EXPECT_EQ(*pool.NameOf(last->v4), std::to_string(NamePool::kNamesMax - 1));
  EXPECT_TRUE(NamePool::InRange(last->v4));
}

}  // namespace
}  // namespace writ::egress
