// A plane that lies: everything it says is bounded, checked and refused where it is wrong (attack cases 35 to 37).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "canon/vectors_for_test.h"
#include "client/evidence.h"
#include "client/run_stream.h"
#include "client/submit.h"
#include "client/wait.h"
#include "crypto/digest.h"
#include "net/http_server_for_test.h"
#include "sys/file.h"

namespace writ::client {
namespace {

using canon::Json;
using remote::PlaneConnection;
using testing::Contains;
using testing::HasSubstr;

/// Answers by method and path; several answers to one question come one after the other, the last one again and again.
class LyingPlane {
 public:
  using Answers = std::map<std::string, std::vector<std::pair<int, std::string>>>;
  explicit LyingPlane(Answers answers) : answers_(std::move(answers)), server_([this](net::ServerPeer& peer) { Serve(peer); }) {}

  std::unique_ptr<PlaneConnection> Connect() { return PlaneConnection::Open(server_.url(), "tok").value(); }
  std::string url() const { return server_.url(); }

 private:
  void Serve(net::ServerPeer& peer) {
    for (std::string request; !(request = peer.ReadRequest()).empty();) {
      std::string line = request.substr(0, request.find(" HTTP/"));
      line = line.substr(0, line.find("?waitMs="));  // it answers at once all the same
      auto& list = answers_[line];
      const auto [status, body] = list.empty() ? std::pair<int, std::string>{404, R"({"error":"no route"})"} : list.front();
      if (list.size() > 1) list.erase(list.begin());
      const bool stream = line.ends_with("/stream") && status == 200;
      const std::string fields = stream ? "Content-Type: text/event-stream\r\n" : "";
      peer.Write(fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n{}", status, fields, body.size(),
                             line.starts_with("HEAD") ? "" : body));
    }
  }
  Answers answers_;
  net::ScriptedServer server_;
};

RunAsk Ask(bool extended) {
  RunAsk ask;
  ask.requested_by = {"human", "alice"};
  ask.prompt = "make";
  if (extended) {
    ask.writ.emplace();
    ask.writ->limits = {{"pids", 5}};
  }
  return ask;
}

constexpr const char* kAllowed = R"({"dryRun":true,"policyDecision":{"decision":"allow","reason":"policy allows this run","consentRequirements":[]}})";

TEST(HostilePlane, LimitsThatArePromisedByNobodyAreNotAskedFor) {
  LyingPlane plane({{"POST /v1/runs", {{200, kAllowed}}}});
  const auto connection = plane.Connect();
  const auto refused = DryRun(*connection, Ask(true));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("does not repeat the `writ` member"));
  const auto plain = DryRun(*connection, Ask(false));
  ASSERT_TRUE(plain) << plain.error().what;
  EXPECT_FALSE(plain->answer->ask);
}

TEST(HostilePlane, AnEchoOfLessIsNoEcho) {
  std::string weaker = kAllowed;
  weaker.insert(weaker.size() - 1, R"(,"writ":{"v":1,"limits":{"pids":500}})");
  LyingPlane plane({{"POST /v1/runs", {{200, weaker}}}});
  EXPECT_FALSE(DryRun(*plane.Connect(), Ask(true)));
  std::string same = kAllowed;
  same.insert(same.size() - 1, R"(,"writ":{"v":1,"limits":{"pids":5},"tier":"process"})");
  LyingPlane honest({{"POST /v1/runs", {{200, same}}}});
  EXPECT_TRUE(DryRun(*honest.Connect(), Ask(true)));
}

TEST(HostilePlane, ADenialIsAnAnswerWithItsReasons) {
  LyingPlane plane({{"POST /v1/runs", {{403, R"({"error":"policy denied: a; b","code":"policy_denied","reasons":["a","b"]})"},
                                       {403, R"({"error":"forbidden: principal lacks the required role"})"}}}});
  const auto connection = plane.Connect();
  const auto denied = Submit(*connection, Ask(false));
  ASSERT_TRUE(denied) << denied.error().what;
  EXPECT_THAT(denied->denied, testing::ElementsAre("a", "b"));
  EXPECT_FALSE(denied->answer);
  EXPECT_EQ(Submit(*connection, Ask(false)).error().code, Code::kDenied) << "a token that may not is no policy";
}

TEST(HostilePlane, Attack35AnAnswerThatIsSomethingElse) {
  const std::string deep(100'000, '[');
  for (const std::string& body : {std::string("null"), std::string("{"), std::string(R"({"runId":"../../x","status":"created"})"), deep,
                                  std::string(R"({"runId":"run_1","status":"\u001b]0;owned\u0007"})")}) {
    LyingPlane plane({{"POST /v1/runs", {{200, body}}}, {"GET /v1/runs/run_1", {{200, body}}}, {"GET /v1/runs/run_1/bundle", {{200, body}}}});
    const auto connection = plane.Connect();
    const auto submitted = Submit(*connection, Ask(false));
    ASSERT_FALSE(submitted) << body.substr(0, 80);
    EXPECT_EQ(submitted.error().what.find('\x1b'), std::string::npos);
    EXPECT_FALSE(LookAt(*connection, "run_1"));
    const auto evidence = FetchEvidence(*connection, "run_1", {}, nullptr, SystemClock{});
    EXPECT_TRUE(!evidence || !evidence->ok()) << body.substr(0, 80);
  }
}

TEST(HostilePlane, ErrorTextsCannotDriveATerminal) {
  LyingPlane plane({{"GET /v1/runs/run_1", {{404, "{\"error\":\"\\u001b[2J\\u202egone\"}"}}}});
  const auto looked = LookAt(*plane.Connect(), "run_1");
  ASSERT_FALSE(looked);
  EXPECT_EQ(looked.error().code, Code::kNotFound);
  EXPECT_EQ(looked.error().what.find('\x1b'), std::string::npos);
}

TEST(HostilePlane, IdsFromPeopleAreCheckedBeforeTheyBecomeAPath) {
  LyingPlane plane({});
  const auto connection = plane.Connect();
  for (const char* id : {"", "../principals", "a?b", "run_1/cancel", "r\r\nX: y"}) {
    EXPECT_EQ(LookAt(*connection, id).error().code, Code::kInvalid) << id;
    EXPECT_EQ(FetchEvidence(*connection, id, {}, nullptr, SystemClock{}).error().code, Code::kInvalid) << id;
    EXPECT_EQ(FollowLog(*connection, id, [](const LogPiece&) -> Result<> { return {}; }, Deadline::After(Millis{1000})).error().code,
              Code::kInvalid) << id;
  }
}

class HostileBundle : public testing::Test {
 protected:
  Json bundle_ = test::VectorFile("bundle-valid.json");
  std::string id_ = *bundle_.Find("contract")->FindString("runId");
  sys::TemporaryDirectory directory_ = sys::TemporaryDirectory::Create(testing::TempDir(), "known").value();
  PlaneTrust trust_{"http://p.test:1", KnownPlanes(directory_.path()), {}};

  Result<Evidence> Judge(const Json& bundle) { return JudgeBundle(bundle, id_, trust_, nullptr, SystemClock{}); }
};

TEST_F(HostileBundle, TheFirstGoodOnePinsTheKey) {
  const auto first = Judge(bundle_);
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_TRUE(first->ok());
  EXPECT_TRUE(first->first_use);
  const auto second = Judge(bundle_);
  EXPECT_FALSE(second->first_use);
  EXPECT_TRUE(second->verification.pinned);
}

TEST_F(HostileBundle, AnotherKeyIsRefusedWithInstructions) {
  ASSERT_TRUE(trust_.known->Check(trust_.url, crypto::PrivateKey::Generate().public_key(), SystemClock{}.Now()));
  const auto judged = Judge(bundle_);
  ASSERT_FALSE(judged);
  EXPECT_EQ(judged.error().code, Code::kDenied);
  EXPECT_THAT(judged.error().what, HasSubstr("writ plane forget"));
}

TEST_F(HostileBundle, APinnedKeyIsTheOnlyOne) {
  trust_.pins = {contract::Pin::OfKey(crypto::PrivateKey::Generate().public_key())};
  const auto judged = Judge(bundle_);
  ASSERT_TRUE(judged);
  EXPECT_THAT(judged->verification.problems, Contains(HasSubstr("is not pinned")));
  EXPECT_TRUE(trust_.known->List()->empty()) << "what was refused is not remembered";
}

TEST_F(HostileBundle, TamperingIsFoundAndNothingIsPinned) {
  Json receipt = *bundle_.Find("receipt");
  receipt.Set("status", "failed");
  Json tampered = bundle_;
  tampered.Set("receipt", receipt);
  const auto judged = Judge(tampered);
  ASSERT_TRUE(judged);
  EXPECT_FALSE(judged->ok());
  EXPECT_TRUE(trust_.known->List()->empty());
}

/// Attack 36: an honest bundle of another run is no answer.
TEST_F(HostileBundle, Attack36TheBundleOfAnotherRun) {
  const auto judged = JudgeBundle(bundle_, "run_other", trust_, nullptr, SystemClock{});
  ASSERT_TRUE(judged);
  EXPECT_THAT(judged->verification.problems, Contains(HasSubstr("another run")));
  EXPECT_TRUE(trust_.known->List()->empty());
}

TEST_F(HostileBundle, AContractThatWasNotAskedFor) {
  const RunAsk ask = Ask(true);
  const auto judged = JudgeBundle(bundle_, id_, trust_, &ask, SystemClock{});
  ASSERT_TRUE(judged);
  EXPECT_THAT(judged->verification.problems, Contains(HasSubstr("task.prompt is not what was asked")));
  EXPECT_THAT(judged->verification.problems, Contains(HasSubstr("writ member is missing")));
}

TEST(HostilePlane, UploadsAreWhatTheirHashesName) {
  LyingPlane plane({{"POST /v1/blobs", {{200, R"({"hash":"0000000000000000000000000000000000000000000000000000000000000000"})"}}}});
  const auto connection = plane.Connect();
  std::uint64_t sent = 0;
  EXPECT_EQ(UploadAll(*connection, {{std::string(64, 'a'), "", "data"}}, sent).error().code, Code::kInvalid) << "changed since it was hashed";
  const auto lied = UploadAll(*connection, {{crypto::Sha256Hex("data"), "", "data"}}, sent);
  ASSERT_FALSE(lied);
  EXPECT_EQ(lied.error().code, Code::kCorrupt);
  EXPECT_EQ(sent, 0u);
  LyingPlane has({{"HEAD /v1/blobs/" + crypto::Sha256Hex("data"), {{200, ""}}}});
  EXPECT_TRUE(UploadAll(*has.Connect(), {{crypto::Sha256Hex("data"), "", "data"}}, sent)) << "what is there is not sent again";
  EXPECT_EQ(sent, 0u);
}

std::string View(const char* status) {
  return fmt::format(R"({{"runId":"run_1","status":"{}","createdAt":"","updatedAt":"","consentRequirements":[],"events":[]}})", status);
}

TEST(HostilePlane, WaitingSeesEveryStatusAndEnds) {
  LyingPlane plane({{"GET /v1/runs/run_1", {{200, View("created")}, {503, "{}"}, {200, View("running")}, {200, View("completed")}}}});
  std::vector<std::string> seen;
  WaitOptions options;
  options.changed = [&](const RunView& view) { seen.push_back(view.status); };
  const auto waited = WaitForRun(*plane.Connect(), "run_1", options);
  ASSERT_TRUE(waited) << waited.error().what;
  EXPECT_EQ(waited->how, WaitEnd::kEnded);
  EXPECT_THAT(seen, testing::ElementsAre("created", "running", "completed"));
}

TEST(HostilePlane, WaitingHasAnEndOfItsOwn) {
  LyingPlane plane({{"GET /v1/runs/run_1", {{200, View("awaiting_approval")}}}});
  WaitOptions approval;
  approval.approval_ends = true;
  EXPECT_EQ(WaitForRun(*plane.Connect(), "run_1", approval)->how, WaitEnd::kNeedsApproval);
  WaitOptions late;
  late.deadline = Deadline::After(Millis{30});
  EXPECT_EQ(WaitForRun(*plane.Connect(), "run_1", late)->how, WaitEnd::kDeadline);
  WaitOptions stopped;
  stopped.stop = [] { return true; };
  EXPECT_EQ(WaitForRun(*plane.Connect(), "run_1", stopped)->how, WaitEnd::kStopped);
  LyingPlane gone({{"GET /v1/runs/run_1", {{503, "{}"}}}});
  WaitOptions impatient;
  impatient.patience = Millis{0};
  EXPECT_EQ(WaitForRun(*gone.Connect(), "run_1", impatient).error().code, Code::kUnavailable);
}

std::string LogEvent(const char* stream, int offset, std::string_view text) {
  return fmt::format("event: {}\ndata: {{\"stream\":\"{}\",\"offset\":{},\"data\":\"{}\"}}\n\n", stream, stream, offset, Base64Encode(AsBytes(text)));
}

TEST(HostilePlane, LiveOutputHasNoGapsAndNoRepeats) {
  const std::string events = LogEvent("stdout", 0, "abc") + LogEvent("stdout", 1, "bcd") + LogEvent("stderr", 0, "E") + ": comment\n\n" +
                             LogEvent("stdout", 9, "lost") + LogEvent("stdout", 4, "e") + LogEvent("stderr", 1, "F") + "event: end\ndata: {}\n\n" +
                             LogEvent("stderr", 2, "after the end");
  LyingPlane plane({{"GET /v1/runs/run_1/log/stream", {{200, events}}}});
  LogJoiner joiner;
  std::string out, err;
  const auto followed = FollowLog(
      *plane.Connect(), "run_1",
      [&](const LogPiece& piece) -> Result<> {
        (piece.stream == isolation::Stream::kStdout ? out : err) += joiner.Take(piece);
        return {};
      },
      Deadline::After(Millis{10'000}));
  ASSERT_TRUE(followed) << followed.error().what;
  EXPECT_EQ(out, "abcd") << "after a gap nothing is shown: it would be in the wrong place";
  EXPECT_EQ(err, "EF");
  EXPECT_TRUE(joiner.gap(isolation::Stream::kStdout));
}

TEST(HostilePlane, LiveOutputOfAWrongForm) {
  for (const char* event : {"data: x\n\n", "data: {\"data\":\"YQ==\",\"offset\":-1,\"stream\":\"stdout\"}\n\n",
                            "data: {\"data\":\"YQ==\",\"offset\":0,\"stream\":\"stdin\"}\n\n",
                            "data: {\"data\":\"!\",\"offset\":0,\"stream\":\"stdout\"}\n\n", "data: {\"data\":1,\"offset\":0,\"stream\":\"stdout\"}\n\n"}) {
    LyingPlane plane({{"GET /v1/runs/run_1/log/stream", {{200, event}}}});
    const auto followed = FollowLog(*plane.Connect(), "run_1", [](const LogPiece&) -> Result<> { return {}; }, Deadline::After(Millis{10'000}));
    ASSERT_FALSE(followed) << event;
    EXPECT_EQ(followed.error().code, Code::kCorrupt) << event;
  }
}

}  // namespace
}  // namespace writ::client
