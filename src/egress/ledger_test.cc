#include "egress/ledger.h"

#include <gtest/gtest.h>

namespace writ::egress {
namespace {

constexpr MonoTime kStart{};

TEST(Ledger, CountsPerHostAndBothWays) {
  Ledger ledger({}, kStart);
  HostBytes& a = ledger.Account({"a.test", 443});
  ledger.CountOut(a, 10);
  ledger.CountIn(a, 20);
  ledger.CountIn(ledger.Account({"b.test", 443}), 5);
  EXPECT_EQ(ledger.totals().at({"a.test", 443}), (HostBytes{10, 20, 0}));
  EXPECT_EQ(ledger.totals().at({"b.test", 443}), (HostBytes{0, 5, 0}));
  EXPECT_EQ(ledger.moved_bytes(), 35U);
  EXPECT_EQ(ledger.Allow(1000, kStart), 1000U);
}

TEST(Ledger, Attack27_TheBudgetIsExact) {
  EgressLimits limits;
  limits.bytes_max = 100;
  Ledger ledger(limits, kStart);
  HostBytes& a = ledger.Account({"a.test", 443});
  EXPECT_EQ(ledger.Allow(60, kStart), 60U);
  ledger.CountOut(a, 60);
  EXPECT_EQ(ledger.Allow(60, kStart), 40U);
  EXPECT_FALSE(ledger.budget_spent());
  ledger.CountIn(a, 40);
  EXPECT_TRUE(ledger.budget_spent());
  EXPECT_EQ(ledger.Allow(1, kStart), 0U);
}

TEST(Ledger, TheRateRefillsWithTimeAndBurstsAreBounded) {
  EgressLimits limits;
  limits.rate_bytes_per_s = 1'000'000;
  Ledger ledger(limits, kStart);
  HostBytes& a = ledger.Account({"a.test", 443});
  EXPECT_EQ(ledger.Allow(10'000'000, kStart), 100'000U);
  ledger.CountOut(a, 100'000);
  EXPECT_EQ(ledger.Allow(1, kStart), 0U);
  EXPECT_EQ(ledger.Allow(10'000'000, kStart + Millis(50)), 50'000U);
  EXPECT_EQ(ledger.Allow(10'000'000, kStart + Millis(60'000)), 100'000U);
}

TEST(Ledger, ManyHostsShareOneAccountInTheEnd) {
  EgressLimits limits;
  limits.names_max = 2;
  Ledger ledger(limits, kStart);
  for (const char* host : {"a", "b", "c", "d"}) ledger.CountOut(ledger.Account({host, 1}), 1);
  EXPECT_EQ(ledger.totals().size(), 3U);
  EXPECT_EQ(ledger.totals().at({Ledger::kOthers, 0}).out, 2U);
}

}  // namespace
}  // namespace writ::egress
