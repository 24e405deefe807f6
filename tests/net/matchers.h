#pragma once

#include <gmock/gmock.h>

/// The matchers that tests of this folder write without their namespace.
namespace writ::net_test {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

}  // namespace writ::net_test
