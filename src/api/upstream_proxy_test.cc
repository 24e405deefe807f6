#include "api/upstream_proxy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace writ::api {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<std::optional<egress::UpstreamProxy>> Read(const std::string& value) {
  return UpstreamProxyOf([&](std::string_view name) -> std::optional<std::string> {
    return name == "WRIT_UPSTREAM_PROXY" ? std::optional(value) : std::nullopt;
  });
}

TEST(UpstreamProxy, IsOptional) {
  EXPECT_EQ(UpstreamProxyOf([](std::string_view) { return std::nullopt; })->has_value(), false);
  EXPECT_EQ(Read("")->has_value(), false);
}

TEST(UpstreamProxy, NamesHostPortAndUser) {
  const auto plain = Read("http://Proxy.Example:3128/");
  ASSERT_TRUE(plain && *plain);
  EXPECT_EQ((*plain)->host, "proxy.example");
  EXPECT_EQ((*plain)->port, 3128);
  EXPECT_EQ((*plain)->authorization, "");
  const auto named = Read("http://user:pa@ss@[2001:db8::1]:8080");
  ASSERT_TRUE(named && *named);
  EXPECT_EQ((*named)->host, "2001:db8::1");
  EXPECT_EQ((*named)->authorization, "Basic dXNlcjpwYUBzcw==");
}

TEST(UpstreamProxy, WhatCannotBeReadIsRefusedWithoutThePassword) {
  for (const char* bad : {"https://proxy.example:1", "proxy.example:3128", "http://user:secret@proxy.example", "http://user:secret@:3128",
                          "http://user:se\ncret@proxy.example:1", "http://user:secret@proxy.example:99999"}) {
    SCOPED_TRACE(bad);
    const auto read = Read(bad);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::kInvalid);
    EXPECT_THAT(read.error().what, HasSubstr("WRIT_UPSTREAM_PROXY"));
    EXPECT_THAT(read.error().what, Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace writ::api
