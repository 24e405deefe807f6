#include "api/check_request.h"

#include <gtest/gtest.h>

namespace writ::api {
namespace {

CreateRun Good() {
  CreateRun request;
  request.argv = {"/bin/true"};
  request.caller = {1000, "ada"};
  return request;
}

std::string Refusal(const CreateRun& request) {
  const auto checked = CheckRequest(request);
  return checked ? "" : checked.error().what;
}

TEST(CheckRequest, AcceptsWhatAPersonMeans) {
  auto request = Good();
  request.inputs = {{"/data/set.csv", ""}, {"/data/", "again"}};
  request.outputs = {{"report/summary.txt", false}, {"maybe", true}};
  request.env = {{"NAME", "value with spaces\n", EnvSource::kLiteral}};
  request.cwd = "src/lib";
  request.accepted = {{"memory", "rlimit"}};
  EXPECT_EQ(Refusal(request), "");
}

TEST(CheckRequest, Table) {
  struct Case {
    const char* why;
    void (*change)(CreateRun&);
    const char* says;
  };
  const Case cases[] = {
      {"no command", [](CreateRun& r) { r.argv.clear(); }, "no command"},
      {"empty command", [](CreateRun& r) { r.argv = {""}; }, "no command"},
      {"NUL", [](CreateRun& r) { r.argv.emplace_back("a\0b", 3); }, "argument 1"},
      {"not UTF-8", [](CreateRun& r) { r.argv.emplace_back("\xff"); }, "not UTF-8"},
      {"too many arguments", [](CreateRun& r) { r.argv.resize(10'002); }, "arguments"},
      {"env name", [](CreateRun& r) { r.env = {{"A-B", "", EnvSource::kLiteral}}; }, "A-B"},
      {"own variable", [](CreateRun& r) { r.env = {{"WRIT_MASTER_KEY", "", EnvSource::kCaller}}; }, "Writ's own"},
      {"net without host", [](CreateRun& r) { r.network.asked = true; }, "without a host"},
      {"net that is none", [](CreateRun& r) { r.network.rules = {"a.test"}; }, "--net none"},
      {"net budget of none", [](CreateRun& r) { r.network.budget_bytes = 1; }, "--net none"},
      {"net budget zero", [](CreateRun& r) { r.network = {true, true, {}, 0}; }, "never means unlimited"},
      {"net rule", [](CreateRun& r) { r.network = {true, false, {"ok.test", "http://x/"}, {}}; }, "is a URL"},
      {"net rule of any host", [](CreateRun& r) { r.network = {true, false, {"*"}, {}}; }, "--net open"},
      {"net rule hidden", [](CreateRun& r) { r.network = {true, false, {std::string("a\0b", 3)}, {}}; }, "egress rule"},
      {"net rules", [](CreateRun& r) { r.network = {true, false, std::vector<std::string>(1001, "a.test"), {}}; }, "at most 1000"},
      {"cwd up", [](CreateRun& r) { r.cwd = "a/../.."; }, "--cwd"},
      {"cwd absolute", [](CreateRun& r) { r.cwd = "/etc"; }, "--cwd"},
      {"input without name", [](CreateRun& r) { r.inputs = {{"/", ""}}; }, "needs a name"},
      {"input name up", [](CreateRun& r) { r.inputs = {{"/x", ".."}}; }, "needs a name"},
      {"input twice", [](CreateRun& r) { r.inputs = {{"/a/x", ""}, {"/b/x", ""}}; }, "two inputs"},
      {"output up", [](CreateRun& r) { r.outputs = {{"../x", false}}; }, "--output"},
      {"output absolute", [](CreateRun& r) { r.outputs = {{"/x", false}}; }, "--output"},
      {"output empty part", [](CreateRun& r) { r.outputs = {{"a//b", false}}; }, "--output"},
      {"output twice", [](CreateRun& r) { r.outputs = {{"x", false}, {"x", true}}; }, "declared twice"},
      {"zero memory", [](CreateRun& r) { r.limits.memory_bytes = 0; }, "memory must be more than zero"},
      {"negative time", [](CreateRun& r) { r.limits.wall_time = Millis{-1}; }, "wall-time"},
      {"unknown limit", [](CreateRun& r) { r.accepted = {{"ram", "rlimit"}}; }, "no limit \"ram\""},
      {"odd mechanism", [](CreateRun& r) { r.accepted = {{"memory", "a b"}}; }, "no mechanism"},
      {"nobody", [](CreateRun& r) { r.caller.name.clear(); }, "caller"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    auto request = Good();
    c.change(request);
    EXPECT_NE(Refusal(request).find(c.says), std::string::npos) << Refusal(request);
  }
}

}  // namespace
}  // namespace writ::api
