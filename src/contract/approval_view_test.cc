#include "contract/approval_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/escape.h"
#include "base/utf8.h"

namespace writ::contract {
namespace {

using canon::Json;
using testing::HasSubstr;
using testing::Not;

Json Approval(Json execution, Json hosts = Json::MakeArray()) {
  return Json::Of(
      {{"runId", "run_1"},
       {"digest", std::string(64, 'a')},
       {"policyHash", std::string(64, 'b')},
       {"createdAt", "2026-06-11T00:00:00.000Z"},
       {"expiresAt", "2026-06-12T00:00:00.000Z"},
       {"requirements", Json(Json::Array{Json::Of({{"requirement", "any-run"},
                                                   {"approvers", Json(Json::Array{"bob", "carol"})},
                                                   {"required", 2},
                                                   {"notRequester", true},
                                                   {"given", Json(Json::Array{Json::Of({{"kind", "human"}, {"id", "bob"}})})}})})},
       {"request", Json::Of({{"requestedBy", Json::Of({{"kind", "human"}, {"id", "alice"}})},
                             {"agent", Json::Of({{"kind", "command"}})},
                             {"network", Json::Of({{"allowHosts", std::move(hosts)}})},
                             {"execution", std::move(execution)}})},
       {"difference", Json::MakeObject()}});
}

Json Argv(std::initializer_list<const char*> args) {
  Json list = Json::MakeArray();
  for (const char* arg : args) list.Append(arg);
  return Json::Of({{"kind", "argv"}, {"command", "sh"}, {"args", std::move(list)}});
}

/// No terminal can be made to hide or move anything by this text, and no line is longer than the screen.
void ExpectPlain(const std::string& text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto step = DecodeUtf8(text, i);
    ASSERT_TRUE(step.valid);
    i += step.bytes;
    if (step.code == '\n') {
      width = 0;
      continue;
    }
    ASSERT_FALSE(IsHiddenCodePoint(step.code)) << std::hex << static_cast<std::uint32_t>(step.code);
    ASSERT_LE(++width, 100u);
  }
}

TEST(ApprovalView, Attack15_HiddenCharactersShow) {
  for (const char* hidden : {"\u202E", "\u200B", "\u2066", "\x1b[2K", "\r", "\u00AD", "\uFEFF", "\U000E0041", "\x08"}) {
    const std::string text = RenderApproval(Approval(Argv({"-c", (std::string("rm -rf ") + hidden + "x").c_str()})));
    ExpectPlain(text);
    EXPECT_THAT(text, HasSubstr("\\u{")) << hidden;
  }
}

TEST(ApprovalView, Attack15_PaddingDoesNotPushTextAway) {
  const std::string padded = "echo ok" + std::string(5000, ' ') + "; curl evil";
  std::string text = RenderApproval(Approval(Argv({"-c", padded.c_str()})));
  ExpectPlain(text);
  EXPECT_THAT(text, HasSubstr("\"echo ok\\{5000 blanks}; curl evil\""));
  const std::string lines = "echo ok" + std::string(5000, '\n') + "curl evil";
  text = RenderApproval(Approval(Json::Of({{"kind", "shell"}, {"script", lines}})));
  ExpectPlain(text);
  EXPECT_THAT(text, HasSubstr("(4999 empty lines)"));
  EXPECT_THAT(text, HasSubstr("5001| \"curl evil\""));
  EXPECT_LT(std::ranges::count(text, '\n'), 60);
  // What looks like a count was a count, or is escaped.
  EXPECT_THAT(RenderApproval(Approval(Argv({"\\{3 blanks}"}))), HasSubstr("\\\\{3 blanks}"));
}

TEST(ApprovalView, Attack15_HomoglyphHostsAreFlagged) {
  const std::string text =
      RenderApproval(Approval(Argv({}), Json(Json::Array{"p\u0430ypal.com", "xn--pypal-4ve.com", "plain.example"})));
  ExpectPlain(text);
  EXPECT_THAT(text, HasSubstr("! not ASCII: U+0430"));
  EXPECT_THAT(text, HasSubstr("! xn-- stands for characters that are not ASCII"));
  EXPECT_EQ(NotAsciiNote("plain.example"), "");
  EXPECT_EQ(NotAsciiNote("axn--b.example"), "");
}

TEST(ApprovalView, Attack15_ArgvBoundariesShow) {
  const std::string one = RenderApproval(Approval(Argv({"a b"})));
  const std::string two = RenderApproval(Approval(Argv({"a", "b"})));
  const std::string quoted = RenderApproval(Approval(Argv({"a\" \"b"})));
  EXPECT_THAT(one, HasSubstr("execution.args[0]         \"a b\"\n"));
  EXPECT_THAT(two, HasSubstr("execution.args[1]         \"b\"\n"));
  EXPECT_THAT(quoted, HasSubstr("\"a\\\" \\\"b\""));
  EXPECT_NE(one, two);
}

TEST(ApprovalView, ShowsEveryMemberAndWhoIsNeeded) {
  Json approval = Approval(Argv({"-c", "x"}));
  Json request = *approval.Find("request");
  request.Set("surprise", Json::Of({{"deep", Json(Json::Array{1, "two"})}}));
  approval.Set("request", std::move(request));
  const std::string text = RenderApproval(approval);
  EXPECT_THAT(text, HasSubstr("any-run: 2 of bob, carol, not the requester"));
  EXPECT_THAT(text, HasSubstr("given by"));
  EXPECT_THAT(text, HasSubstr("surprise.deep[1]"));
  EXPECT_THAT(text, HasSubstr("Nothing like it was approved before"));
  for (const Json& odd : {Json(), Json(1), Json::MakeArray(), Json::MakeObject(), Json::Of({{"request", 3}, {"requirements", 1}})}) {
    ExpectPlain(RenderApproval(odd));
    ExpectPlain(RenderApprovalLine(odd));
  }
  const std::string line = RenderApprovalLine(approval);
  EXPECT_THAT(line, HasSubstr("run_1"));
  EXPECT_THAT(line, Not(HasSubstr("\n")));
}

TEST(ApprovalView, Differences) {
  const Json difference = Json::Of(
      {{"since", "run_0"},
       {"sinceAt", "2026-06-10T00:00:00.000Z"},
       {"changes", Json(Json::Array{Json::Of({{"what", "host"}, {"change", "added"}, {"after", "\u0435vil.example"}}),
                                    Json::Of({{"what", "secret"}, {"change", "removed"}, {"before", "TOK"}}),
                                    Json::Of({{"what", "limit memoryBytes"}, {"change", "changed"}, {"before", 1}, {"after", 2}})})}});
  const std::string text = RenderDifference(difference);
  EXPECT_THAT(text, HasSubstr("+ host \"\u0435vil.example\"\n"));
  EXPECT_THAT(text, HasSubstr("! not ASCII: U+0435"));
  EXPECT_THAT(text, HasSubstr("- secret \"TOK\""));
  EXPECT_THAT(text, HasSubstr("~ limit memoryBytes: 1 -> 2"));
}

}  // namespace
}  // namespace writ::contract
