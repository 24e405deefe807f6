// The recorded conversation with the original plane, step by step against a real one of ours
// (tests/vectors/warrant/http-transcripts.json). Where ours answers otherwise on purpose, kSuperseded says so.

#include <gmock/gmock.h>

#include <map>
#include <regex>

#include "api/plane/runner_for_test.h"
#include "canon/vectors_for_test.h"
#include "contract/bundle.h"

namespace writ::api {
namespace {

using canon::Json;

/// What ours answers where the original's answer was mended (docs/formats/plane.md).
struct Superseded {
  const char* step;
  int status;
  const char* body;  ///< JSON that is compared instead; "" where only the status and the form of the body count
  const char* why;
};
constexpr const char* kAnyBody = "";
constexpr Superseded kSuperseded[] = {
    {"enroll with unparseable key", 400, kAnyBody, "a bad key is the caller's mistake"},
    {"enroll with bad pool name", 400, kAnyBody, "a bad name is the caller's mistake"},
    {"validation: bad secret name", 400, kAnyBody, "likewise"},
    {"validation: bad host", 400, kAnyBody, "likewise"},
    {"validation: escaping path", 400, kAnyBody, "likewise"},
    {"approve (actor defaults to principal name)", 403, kAnyBody, "a1 is not in the rule's approvers; bob approves"},
    {"events: re-posting the same events is refused", 200, R"({"ok":true})", "posts can be repeated"},
    {"events after completion are still accepted", 409,
     R"({"error":"run {{RUN1}} is completed; its events are complete","code":"conflict"})", "evidence is complete"},
    {"a refused completion has used up the claim token", 400, kAnyBody, "a refusal spends nothing"},
    {"approve it", 403, kAnyBody, "the principal is not in the rule's approvers; bob approves"},
    {"claim fails with 500", 200, R"({"empty":true})", "a run whose secret is missing ends with a receipt"},
    {"and the run is left claimed with secret.released recorded", 200, kAnyBody, "it has failed, and nothing was released"},
    {"export with unparseable since", 400, kAnyBody, "a bad timestamp is the caller's mistake"},
};
/// Steps that are about the transport; tests of the HTTP server have them.
constexpr const char* kOfTheTransport[] = {"body too large closes the connection"};

const Superseded* FindSuperseded(std::string_view step) {
  for (const auto& one : kSuperseded)
    if (step == one.step) return &one;
  return nullptr;
}

class PlaneTranscript : public RunnerServiceTest {
 protected:
  static constexpr const char* kWild[] = {"TS", "HASH", "SIG"};

  void SetUp() override {
    RunnerServiceTest::SetUp();
    bound_["RUNNER_KEYID"] = runner_key_.key_id();
    bound_["PLANE_KEYID"] = test::PlaneKey().key_id();
  }

  std::string Fill(std::string text) const {
    for (const auto& [name, value] : bound_) {
      const std::string mark = "{{" + name + "}}";
      for (std::size_t at = 0; (at = text.find(mark, at)) != text.npos; at += value.size()) text.replace(at, mark.size(), value);
    }
    const std::string once = "{{TS}}";
    if (const auto at = text.find(once); at != text.npos) text.replace(at, once.size(), "2026-06-11T00:00:00.000Z");
    return text;
  }
  Json FillJson(const Json& json) const {
    if (json.is_string()) return Fill(json.string() == "{{HASH}}" ? std::string(64, '1') : json.string());
    if (json.is_array()) {
      Json filled = Json::MakeArray();
      for (const auto& one : json.array()) filled.Append(FillJson(one));
      return filled;
    }
    if (!json.is_object()) return json;
    Json filled = Json::MakeObject();
    for (const auto& [name, value] : json.object()) filled.Set(name, FillJson(value));
    return filled;
  }

  /// Compares, with `{{NAME}}` bound at its first appearance and equal afterwards. What is ours alone is left out.
  void Compare(const Json& wanted, Json given, const std::string& where) {
    SCOPED_TRACE(where);
    if (wanted.is_string() && wanted.string().starts_with("{{") && wanted.string().ends_with("}}")) {
      ASSERT_TRUE(given.is_string());
      const std::string name = wanted.string().substr(2, wanted.string().size() - 4);
      if (std::ranges::find(kWild, name) != std::end(kWild)) return;
      const auto [found, fresh] = bound_.emplace(name, given.string());
      if (!fresh) {
        EXPECT_EQ(given.string(), found->second);
      }
      return;
    }
    if (wanted.is_string()) {
      ASSERT_TRUE(given.is_string());
      if (where.ends_with("PublicKeyPem")) return;  // nobody has the recording's keys; the bundle is verified
      EXPECT_EQ(given.string(), Fill(wanted.string()));
      return;
    }
    if (wanted.is_array()) {
      ASSERT_TRUE(given.is_array());
      ASSERT_EQ(wanted.array().size(), given.array().size());
      for (std::size_t i = 0; i < wanted.array().size(); ++i)
        Compare(wanted.array()[i], given.array()[i], where + "." + std::to_string(i));
      return;
    }
    if (!wanted.is_object()) {
      EXPECT_EQ(canon::Compact(wanted), canon::Compact(given));
      return;
    }
    ASSERT_TRUE(given.is_object());
    given.Remove("writ");
    given.Remove("failureMessage");  // the original knows it and never sets it
    for (const auto& [name, value] : wanted.object()) {
      const Json* member = given.Find(name);
      if (member != nullptr) {
        Compare(value, *member, where + "." + name);
      } else {
        ADD_FAILURE() << name << " is missing";
      }
    }
    for (const auto& [name, value] : given.object())
      EXPECT_NE(wanted.Find(name), nullptr) << name << " is not in the recording: " << canon::Compact(value);
  }

  /// Messages after "invalid request:" come from a library; the path before the colon and the form are what counts.
  static void CompareIssues(const Json& wanted, const Json& given) {
    const Json* issues = given.Find("issues");
    ASSERT_NE(issues, nullptr) << canon::Compact(given);
    ASSERT_TRUE(issues->is_array() && !issues->array().empty());
    EXPECT_TRUE(given.FindString("error")->starts_with("invalid request: "));
    const auto path = [](const std::string& issue) { return issue.substr(0, issue.find(':')); };
    const std::string first = path(wanted.Find("issues")->array().front().string());
    EXPECT_TRUE(std::ranges::any_of(issues->array(), [&](const Json& issue) { return path(issue.string()).starts_with(first); }))
        << "no issue with " << first << ": " << canon::Compact(*issues);
  }

  /// Entries and receipts of the recording are signed by a key that nobody has, so they are made anew.
  void MakeEvidence(const std::string& step, Json& body) {
    const Json* events = body.Find("events");
    if (events != nullptr && events->is_array() && !events->array().empty()) {
      if (step == "events: re-posting the same events is refused") {
        body.Set("events", last_posted_);
        return;
      }
      auto chain = claimed_->chain;
      Json made = Json::MakeArray();
      for (const auto& entry : events->array()) {
        const Json fresh = *chain.Append(clock_->Now(), *entry.Find("event"));
        made.Append(fresh);
        if (step != "events: broken chain" && step != "events after completion are still accepted") {
          claimed_->chain = chain;
          claimed_->facts.Observe(fresh);
        }
      }
      if (step == "events: broken chain") made.array().front().Set("prev", std::string(64, '0'));
      last_posted_ = made;
      body.Set("events", made);
    }
    if (body.Find("receipt") != nullptr && (step == "complete" || step == "complete replayed"))
      body.Set("receipt", claimed_->Receipt(runner_key_));
  }

  Said Play(const std::string& name, const Json& request) {
    PlaneCall call{.method = *request.FindString("method"), .path = Fill(*request.FindString("path")), .address = "10.0.0.1"};
    if (const auto mark = call.path.find('?'); mark != call.path.npos) {
      const std::string pair = call.path.substr(mark + 1);
      call.query.emplace_back(pair.substr(0, pair.find('=')), pair.substr(pair.find('=') + 1));
      call.path.resize(mark);
    }
    if (const std::string* bearer = request.FindString("bearer")) call.authorization = "Bearer " + Fill(*bearer);
    if (name == "scheme is case sensitive") call.authorization = "bearer adm";
    if (const std::string* raw = request.FindString("rawBodyUtf8")) call.body = *raw;
    if (const Json* given = request.Find("body")) {
      Json body = FillJson(*given);
      if (body.Find("publicKeyPem") != nullptr && *body.FindString("publicKeyPem") != "nope")
        body.Set("publicKeyPem", runner_key_.public_key().Pem());
      MakeEvidence(name, body);
      call.body = canon::Compact(body);
    }
    return Ask(std::move(call));
  }

  void Check(const std::string& name, const Json& wanted, const Said& said) {
    const Superseded* ours = FindSuperseded(name);
    EXPECT_EQ(said.status, ours != nullptr ? ours->status : static_cast<int>(wanted.Find("status")->number())) << said.text;
    const Json* body = wanted.Find("body");
    if (ours != nullptr) {
      if (std::string_view(ours->body) != kAnyBody)
        Compare(*canon::Parse(ours->body, canon::Mode::kStrict), said.body, "body");
    } else if (body != nullptr && body->Find("issues") != nullptr) {
      CompareIssues(*body, said.body);
    } else if (body != nullptr) {
      Compare(*body, said.body, "body");
    } else if (const std::string* text = wanted.FindString("textUtf8");
               text != nullptr && name != "panel" && name != "export all") {
      EXPECT_EQ(said.text, *text);
    }
  }

  /// What the recording takes for granted and ours grants to somebody else.
  void After(const std::string& name) {
    if (name == "approve (actor defaults to principal name)") {
      const Said issued = Post("/v1/principals", Json::Of({{"name", "bob"}, {"role", "approver"}}), kAdmin);
      bob_ = *issued.body.FindString("token");
    }
    if (name == "approve (actor defaults to principal name)" || name == "approve it") {
      const Said approved = Post("/v1/runs/" + Fill(name == "approve it" ? "{{RUN4}}" : "{{RUN2}}") + "/approve",
                                 Json::MakeObject(), bob_);
      EXPECT_EQ(approved.status, 200) << approved.text;
    }
  }

  const crypto::PrivateKey runner_key_ = crypto::PrivateKey::Generate();
  std::map<std::string, std::string> bound_;
  std::optional<ClaimedByTest> claimed_;
  Json last_posted_ = Json::MakeArray();
  std::string bob_, bundle_;
};

/// The recording with bob in a1's place where something was approved, and with ours counts.
Json Adjusted(const std::string& name, const Json& wanted) {
  std::string text = canon::Compact(wanted);
  const auto replace = [&](std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) text.replace(at, from.size(), to);
  };
  replace(R"({"kind":"human","id":"a1"})", R"({"kind":"human","id":"bob"})");
  if (name == "metrics after") {
    // bob was issued too; the run whose secret is missing was ended and not claimed.
    replace(R"("principals.issued":2)", R"("principals.issued":3)");
    replace(R"("runs.claimed":3)", R"("runs.claimed":2)");
    replace(R"("runs.completed.completed":1)", R"("runs.completed.completed":1,"runs.completed.failed":1)");
  }
  return *canon::Parse(text, canon::Mode::kStrict);
}

TEST_F(PlaneTranscript, EveryStep) {
  const Json recording = test::VectorFile("http-transcripts.json");
  ASSERT_NE(recording.Find("steps"), nullptr);
  std::size_t superseded = 0;
  for (const Json& step : recording.Find("steps")->array()) {
    const std::string name = *step.FindString("name");
    SCOPED_TRACE(name);
    if (std::ranges::find(kOfTheTransport, name) != std::end(kOfTheTransport)) continue;
    superseded += FindSuperseded(name) != nullptr ? 1 : 0;
    clock_->Advance(Millis{100});
    const Said said = Play(name, *step.Find("request"));
    // A bundle is compared with the one before: late events spoil nothing.
    if (name == "bundle now fails verification") {
      EXPECT_EQ(said.text, bundle_);
      continue;
    }
    Check(name, Adjusted(name, *step.Find("response")), said);
    if (name == "claim oldest created run" && said.body.Find("events") != nullptr) claimed_ = ClaimedByTest::From(said.body);
    if (name == "bundle") {
      bundle_ = said.text;
      EXPECT_THAT(contract::VerifyBundle(said.body).problems, testing::ElementsAre());
    }
    if (name == "and the run is left claimed with secret.released recorded") {
      EXPECT_EQ(*said.body.FindString("status"), "failed");
      EXPECT_EQ(said.text.find("secret.released"), said.text.npos);
    }
    if (name == "export all") {
      EXPECT_TRUE(said.text.ends_with('\n'));
      EXPECT_GT(std::ranges::count(said.text, '\n'), 10);
    }
    After(name);
  }
  EXPECT_EQ(superseded, std::size(kSuperseded)) << "the table names steps that are not in the recording";
}

}  // namespace
}  // namespace writ::api
