#include "api/plane/body_intake.h"

#include <gmock/gmock.h>

#include "api/plane/runner_for_test.h"

namespace writ::api {
namespace {

using canon::Json;
using testing::HasSubstr;

TEST(FindPlainMember, Table) {
  struct Case {
    const char* text;
    std::optional<std::string_view> found;
  };
  const Case cases[] = {
      {R"({"claimToken":"a.b"})", "a.b"},
      {R"( { "x" : [ {"claimToken":"no"} , "}" ] , "claimToken" : "yes" , "y":1 })", "yes"},
      {R"({"x":"\"claimToken\":\"no\"","claimToken":"yes"})", "yes"},
      {R"({"x":"claimToken","claimToken":"yes"})", "yes"},
      {R"({"x":"\\","claimToken":"yes"})", "yes"},
      {R"({"claimToken":""})", ""},
      {R"({"claimToken":1})", std::nullopt},
      {R"({"claimToken":"a\u0041"})", std::nullopt},
      {R"({"x":{"claimToken":"no"}})", std::nullopt},
      {R"(["claimToken","no"])", std::nullopt},
      {R"({"claimToken":"cut)", std::nullopt},
      {R"({"claimToken")", std::nullopt},
      {R"({"x":]}"claimToken":"no"})", std::nullopt},
      {R"({"x":"\)", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.text);
    EXPECT_EQ(FindPlainMember(c.text, "claimToken"), c.found);
  }
}

class BodyIntakeTest : public RunnerServiceTest {
 protected:
  static constexpr std::size_t kLong = 2 * BodyIntake::kAtOnceMax;
  Said Bytes(std::string path, std::string body, const std::string& token = "") {
    PlaneCall call = PostCall(std::move(path), Json::MakeObject(), token);
    call.body = std::move(body);
    return Ask(std::move(call));
  }
};

TEST_F(BodyIntakeTest, Attack43_ALongBodyIsReadOnlyWhenItsSenderIsLetIn) {
  const std::string none = std::string(kLong, '[');  // what is no JSON shows whether it was read
  EXPECT_EQ(Bytes("/v1/runs", none).error(), "unauthorized");
  EXPECT_EQ(Bytes("/v1/runs", none, "guess").error(), "unauthorized");
  EXPECT_EQ(Bytes("/v1/runs", none, kAdmin).error(), "request body is not valid JSON");

  const auto runner = Enrol();
  AddRun();
  const auto claimed = *Claim(runner);
  const auto post = [&](std::string_view token) {
    return Bytes(claimed.Path("events"), fmt::format(R"({{"claimToken":"{}","events":[)", token) + none);
  };
  EXPECT_EQ(post("no.token").error(), "claim token signature invalid");
  EXPECT_EQ(post(claimed.token).error(), "request body is not valid JSON");
  EXPECT_EQ(Bytes(claimed.Path("events"), none).error(), "malformed claim token") << "there is none";
  EXPECT_EQ(Bytes("/v1/runners/enroll", std::string(BodyIntake::kOpenBodyBytesMax + 1, ' ')).status, 413) << "anybody may send it";
}

TEST_F(BodyIntakeTest, LongPostsAreTakenWhereverTheTokenStands) {
  const auto runner = Enrol();
  const std::string id = AddRun();
  auto claimed = *Claim(runner);
  for (int i = 0; i < 2000; ++i) claimed.Add(contract::event::FileChanged(fmt::format("src/file_{}.cc", i), std::string(64, 'c')));
  const Json first = claimed.EventsBody();
  ASSERT_GT(canon::Compact(first).size(), kLong / 2);
  EXPECT_EQ(Post(claimed.Path("events"), first).text, R"({"ok":true})");
  for (int i = 0; i < 2000; ++i) claimed.Add(contract::event::FileChanged(fmt::format("src/file_{}.cc", i), std::string(64, 'd')));
  const Json second = Json::Of({{"events", Json::Array(std::exchange(claimed.pending, {}))}, {"claimToken", claimed.token}});
  EXPECT_EQ(Post(claimed.Path("events"), second).text, R"({"ok":true})");
  EXPECT_EQ(RowOf(id).event_count, 4003u);
}

TEST_F(BodyIntakeTest, ALongCallIsCountedOnce) {
  const Said made = Post("/v1/principals", Json::Of({{"name", "loud"}, {"role", "requester"}}), kAdmin);
  const std::string token = *made.body.FindString("token");
  int refused = 0;
  for (int i = 0; i < 120; ++i) refused += Bytes("/v1/runs", std::string(BodyIntake::kAtOnceMax + 1, '['), token).status == 429 ? 1 : 0;
  EXPECT_EQ(refused, 20) << "a burst of 100, and the clock stands still";
}

}  // namespace
}  // namespace writ::api
