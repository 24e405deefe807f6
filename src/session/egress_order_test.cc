#include "session/egress_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::session {
namespace {

using canon::Json;

Json Contract(bool default_deny, Json hosts) {
  return Json::Of({{"network", Json::Of({{"defaultDeny", default_deny}, {"allowHosts", std::move(hosts)}})}});
}
Json WithWrit(bool default_deny, std::optional<Json> egress) {
  Json contract = Contract(default_deny, Json::MakeArray());
  Json writ = Json::Of({{"v", 1}});
  if (egress) writ.Set("egress", *std::move(egress));
  contract.Set("writ", std::move(writ));
  return contract;
}

bool Reaches(const EgressOrder& order, const char* host, std::uint16_t port) {
  return policy::DecideEgress(order.rules, {*net::NormaliseHost(host), port, ""}).allowed;
}

TEST(EgressOrder, RulesOfTheExtension) {
  const auto order = EgressOrderOf(WithWrit(true, Json::Of({{"rules", Json::Array{"a.test:443", "10.0.0.0/8"}}, {"budgetBytes", 7}})));
  ASSERT_TRUE(order) << order.error().what;
  ASSERT_TRUE(order->has_value());
  EXPECT_FALSE((*order)->warrant_answers);
  EXPECT_EQ((*order)->budget_bytes, 7u);
  EXPECT_TRUE(Reaches(**order, "a.test", 443));
  EXPECT_FALSE(Reaches(**order, "a.test", 80));
  EXPECT_FALSE(Reaches(**order, "b.test", 443));
  EXPECT_TRUE(Reaches(**order, "10.1.2.3", 1));
}

TEST(EgressOrder, OpenStillRefusesPrivateAddresses) {
  const auto order = EgressOrderOf(WithWrit(false, Json::Of({{"rules", Json::MakeArray()}, {"open", true}})));
  ASSERT_TRUE(order && *order);
  EXPECT_TRUE(Reaches(**order, "b.test", 80));
  EXPECT_FALSE(Reaches(**order, "10.1.2.3", 80));
  EXPECT_FALSE(Reaches(**order, "169.254.169.254", 80));
}

TEST(EgressOrder, AnEmptyListAllowsNothing) {
  const auto order = EgressOrderOf(WithWrit(true, Json::Of({{"rules", Json::MakeArray()}})));
  ASSERT_TRUE(order && *order);
  EXPECT_FALSE(Reaches(**order, "a.test", 443));
}

TEST(EgressOrder, WithoutTheMemberThereIsNoWayOutWhateverElseIsSaid) {
  const auto order = EgressOrderOf(WithWrit(false, std::nullopt));
  ASSERT_TRUE(order) << order.error().what;
  EXPECT_FALSE(order->has_value());
}

TEST(EgressOrder, AContractOfTheOriginalProtocol) {
  const auto order = EgressOrderOf(Contract(true, Json::Array{"ok.test"}));
  ASSERT_TRUE(order && *order);
  EXPECT_TRUE((*order)->warrant_answers);
  EXPECT_TRUE(Reaches(**order, "ok.test", 8443));
  EXPECT_FALSE(Reaches(**order, "other.test", 8443));
  const auto open = EgressOrderOf(Contract(false, Json::MakeArray()));
  ASSERT_TRUE(open && *open);
  EXPECT_TRUE(Reaches(**open, "other.test", 80));
  EXPECT_FALSE(Reaches(**open, "127.0.0.1", 80));
}

TEST(EgressOrder, WhatCannotBeReadOpensNothing) {
  const auto problem = [](const Json& contract) {
    const auto order = EgressOrderOf(contract);
    return order ? std::string("read") : order.error().what;
  };
  EXPECT_THAT(problem(Json::MakeObject()), testing::HasSubstr("network"));
  Json number = Json::MakeObject();
  number.Set("network", 1);
  EXPECT_THAT(problem(number), testing::HasSubstr("network"));
  const auto with_egress = [&](std::string_view text) {
    return problem(WithWrit(true, canon::Parse(text, canon::Mode::kStrict).value()));
  };
  EXPECT_THAT(with_egress("1"), testing::HasSubstr("egress"));
  EXPECT_THAT(with_egress(R"({"rules": ["ok.test", "http://x"]})"), testing::HasSubstr("http://x"));
  EXPECT_THAT(with_egress(R"({"rules": [], "open": true})"), testing::HasSubstr("defaultDeny"));
  Json odd = Contract(true, Json::MakeArray());
  odd.Set("writ", 7);
  const auto order = EgressOrderOf(odd);
  EXPECT_TRUE(!order || !order->has_value()) << "an extension that is no object opens nothing";
}

}  // namespace
}  // namespace writ::session
