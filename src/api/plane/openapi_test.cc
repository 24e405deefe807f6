#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>

#include "api/plane/route.h"
#include "sys/file.h"

namespace writ::api {
namespace {

/// "GET /v1/runs" for every operation of the description: paths stand two blanks deep, methods four.
std::set<std::string> DescribedRoutes() {
  const auto text = sys::ReadFile(std::string(WRIT_SOURCE_DIR) + "/proto/plane.openapi.yaml", 1 << 20);
  EXPECT_TRUE(text);
  std::set<std::string> routes;
  std::istringstream lines(text.value_or(""));
  std::string path;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  /") && line.ends_with(':')) path = line.substr(2, line.size() - 3);
    if (line == "    get:") routes.insert("GET " + path);
    if (line == "    post:") routes.insert("POST " + path);
  }
  return routes;
}

TEST(OpenApi, EveryRouteIsDescribedAndTheReverse) {
  std::set<std::string> served = {
      // Followed, not called (PlaneService::Follow).
      "GET /v1/runs/{run}/events/stream",
      "GET /v1/runs/{run}/log/stream",
  };
  for (const Route& route : PlaneRoutes()) served.insert(std::string(route.method) + " " + std::string(route.pattern));
  EXPECT_THAT(DescribedRoutes(), testing::ContainerEq(served));
}

}  // namespace
}  // namespace writ::api
