// Runs that are given secrets, with scripted guests.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "api/plane_for_test.h"

namespace writ::api {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
namespace fake = isolation::fake;

constexpr std::string_view kValue = "hunter2/hunter2+";

class RunSecretsTest : public PlaneTest {
 protected:
  void Set(const std::string& name, std::string_view value, const std::string& host = "", const std::string& source = "") {
    std::vector<SecretDraft> drafts(1);
    drafts[0].name = name;
    if (source.empty()) drafts[0].value = crypto::SecretBytes::CopyOf(AsBytes(value));
    drafts[0].source = source;
    drafts[0].host = host;
    const auto set = plane().SetSecrets(std::move(drafts));
    ASSERT_TRUE(set) << set.error().what;
  }
  CreateRun With(std::vector<SecretRequest> secrets) {
    CreateRun request = Request();
    request.secrets = std::move(secrets);
    return request;
  }
  std::string Everything(std::string_view run) {
    std::string all;
    const auto bundle = plane().Bundle(run);
    if (bundle) all += canon::Compact(*bundle);
    const auto artifacts = plane().Artifacts(run);
    EXPECT_TRUE(artifacts);
    for (const auto& artifact : *artifacts) {
      EXPECT_TRUE(plane().ReadArtifact(artifact, [&](ByteView bytes) -> Result<> {
        all += AsText(bytes);
        return {};
      }));
    }
    return all;
  }
};

TEST_F(RunSecretsTest, AreReleasedByNameBeforeAnythingIsMaterialised) {
  Set("TOKEN", kValue);
  Set("OTHER", "other-value");
  const RunResult result = Run(With({{"TOKEN", ""}, {"OTHER", "API_KEY"}}));
  EXPECT_EQ(result.exit_code, 0) << result.problem;
  EXPECT_THAT(last_env_, Contains("TOKEN=" + std::string(kValue)));
  EXPECT_THAT(last_env_, Contains("API_KEY=other-value"));
  EXPECT_THAT(last_env_, Contains("OTHER=other-value"));
  const auto types = EventTypes(result.run_id);
  ASSERT_GE(types.size(), 6u);
  EXPECT_THAT(std::vector(types.begin(), types.begin() + 6),
              ElementsAre("run.created", "policy.evaluated", "run.claimed", "secret.released", "secret.released", "workspace.materialized"));
  const auto& secrets = result.contract.Find("secrets")->array();
  ASSERT_EQ(secrets.size(), 2u);
  EXPECT_EQ(canon::Compact(secrets[0]), R"({"name":"TOKEN","scope":"own"})");
  EXPECT_EQ(result.receipt.Find("secretsReleased")->array().size(), 2u);
  EXPECT_NE(result.receipt.Find("writ")->Find("enforced")->FindString("redaction"), nullptr);
  EXPECT_EQ(canon::Compact(*result.contract.Find("execution")->Find("env")->Find("secrets")),
            R"([{"env":"API_KEY","secretName":"OTHER"}])");
  ExpectVerified(result.run_id);
}

TEST_F(RunSecretsTest, NothingThatLeavesHoldsTheValue) {
  Set("TOKEN", kValue);
  const std::string value(kValue);
  std::filesystem::create_directories(path("ws"));
  Put(path("ws") + "/kept.txt", "old\n");
  script_.steps = {fake::Print{isolation::Stream::kStdout, "out " + value.substr(0, 5)},
                   fake::Print{isolation::Stream::kStdout, value.substr(5) + "\n"},
                   fake::Print{isolation::Stream::kStderr, Base64Encode(AsBytes("user:" + value)) + "\n"},
                   fake::WriteFile{isolation::Place::kOut, "result.txt", "key=" + value + "\n"},
                   fake::WriteFile{isolation::Place::kOut, "binary", std::string("\0\xff", 2) + value + "\xfe"},
                   fake::WriteFile{isolation::Place::kOut, "undeclared-hunter2hunter2", "x"},
                   fake::WriteFile{isolation::Place::kWorkspace, "kept.txt", "old\nurl=hunter2%2Fhunter2%2B\n"},
                   fake::MakeLink{isolation::Place::kWorkspace, "link", value}};
  CreateRun request = With({{"TOKEN", ""}});
  request.workspace = path("ws");
  request.outputs = {{"result.txt", false}, {"binary", false}};
  const RunResult result = Run(std::move(request));
  EXPECT_EQ(result.exit_code, 0) << result.problem;
  EXPECT_EQ(sink_.out, "out [redacted:TOKEN]\n");
  EXPECT_THAT(sink_.err, HasSubstr("[redacted:TOKEN]"));
  const std::string all = Everything(result.run_id);
  for (const std::string& form : {value, std::string("hunter2%2Fhunter2%2B"), Base64Encode(AsBytes("user:" + value)).substr(9, 10)}) {
    EXPECT_EQ(all.find(form), std::string::npos) << form;
  }
  EXPECT_THAT(all, HasSubstr("key=[redacted:TOKEN]\n"));
  EXPECT_THAT(all, HasSubstr(std::string("\0\xff[redacted:TOKEN]\xfe", 19)));
  EXPECT_THAT(all, HasSubstr("+url=[redacted:TOKEN]"));
  EXPECT_THAT(EventTypes(result.run_id), Contains("writ.output.redacted"));
  ExpectVerified(result.run_id);
  // Nobody writes the replacement over a file that has the value, unless they say so.
  const auto applied = plane().Apply({.run = result.run_id, .directory = path("ws")});
  ASSERT_TRUE(applied) << applied.error().what;
  EXPECT_THAT(applied->held_back, Contains(HasSubstr("redacted")));
  EXPECT_EQ(Read(path("ws") + "/kept.txt"), "old\n");
}

TEST_F(RunSecretsTest, NamesOfFilesHoldNoValue) {
  Set("TOKEN", "hunter2hunter2");
  script_.steps = {fake::WriteFile{isolation::Place::kOut, "report/page.html", "x"},
                   fake::WriteFile{isolation::Place::kOut, "report/cache-hunter2hunter2", "y"},
                   fake::WriteFile{isolation::Place::kOut, "tmp-hunter2hunter2", "z"}};
  CreateRun request = With({{"TOKEN", ""}});
  request.outputs = {{"report", false}};
  const RunResult result = Run(std::move(request));
  EXPECT_EQ(result.exit_code, 0) << result.problem;
  EXPECT_THAT(result.undeclared, testing::UnorderedElementsAre("tmp-[redacted:TOKEN]", "report/cache-[redacted:TOKEN]"));
  EXPECT_EQ(Everything(result.run_id).find("hunter2hunter2"), std::string::npos);
  const auto artifacts = plane().Artifacts(result.run_id);
  ASSERT_TRUE(artifacts);
  EXPECT_THAT(*artifacts, Contains(testing::Field(&ArtifactRow::name, "report/page.html")));
  for (const auto& artifact : *artifacts) EXPECT_THAT(artifact.name, Not(HasSubstr("cache-")));
  ExpectVerified(result.run_id);
}

TEST_F(RunSecretsTest, AMissingOneIsRefusedBeforeAnything) {
  const auto refused = plane().Run(With({{"NOPE", ""}}), sink_, control_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kNotFound);
  EXPECT_THAT(refused.error().what, HasSubstr("writ secret set NOPE"));
  EXPECT_TRUE(plane().List(10, false).value().empty());
  EXPECT_THAT(canon::Compact(plane().Decisions(1).value().at(0)), HasSubstr("NOPE"));
  EXPECT_FALSE(plane().DryRun(With({{"NOPE", ""}})));
  Set("NOPE", kValue);
  EXPECT_TRUE(plane().DryRun(With({{"NOPE", ""}})));
}

TEST_F(RunSecretsTest, PolicyDecidesWhichMayBeNamed) {
  Set("TOKEN", kValue);
  policy_file_ = path("policy.yaml");
  Put(policy_file_, "version: 1\nrunners: {allowPools: [local]}\nagents: {allow: [command]}\ntiers: {allow: [process]}\n");
  const RunResult denied = Run(With({{"TOKEN", ""}}));
  EXPECT_EQ(denied.exit_code, 122);
  EXPECT_THAT(denied.problem, HasSubstr("secret \"TOKEN\" is not releasable"));
}

TEST_F(RunSecretsTest, AValueInTheCommandLineIsRefused) {
  Set("TOKEN", kValue);
  CreateRun request = With({{"TOKEN", ""}});
  request.argv = {"curl", "-H", "Authorization: " + std::string(kValue)};
  auto refused = plane().Run(std::move(request), sink_, control_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, Not(HasSubstr("hunter2")));
  request = With({{"TOKEN", ""}});
  request.env = {{"X", "a" + std::string(kValue), EnvSource::kLiteral}};
  refused = plane().Run(std::move(request), sink_, control_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("--secret TOKEN=X"));
}

TEST_F(RunSecretsTest, OneThatIsBoundToAHostDoesNotReachTheEnvironment) {
  Set("TOKEN", kValue, "api.example.org");
  const auto refused = plane().Run(With({{"TOKEN", ""}}), sink_, control_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("api.example.org"));
}

TEST_F(RunSecretsTest, ALinkIsReadAnewByEachRun) {
  Put(path("token"), "first-value\n");
  Set("TOKEN", "", "", "file:" + path("token"));
  Run(With({{"TOKEN", ""}}));
  EXPECT_THAT(last_env_, Contains("TOKEN=first-value"));
  Put(path("token"), "second-value");
  Run(With({{"TOKEN", ""}}));
  EXPECT_THAT(last_env_, Contains("TOKEN=second-value"));
  Put(path("token"), "abc");
  EXPECT_EQ(plane().Run(With({{"TOKEN", ""}}), sink_, control_).error().code, Code::kInvalid);
}

TEST_F(RunSecretsTest, WithoutSecretsNothingIsOpenedOrSaid) {
  Put(path("rest"), "");
  const RunResult result = Run();
  EXPECT_EQ(result.receipt.Find("writ")->Find("enforced")->FindString("redaction"), nullptr);
  EXPECT_FALSE(std::filesystem::exists(state() + "/secrets.sealed"));
  EXPECT_FALSE(std::filesystem::exists(state() + "/master.key"));
}

TEST_F(RunSecretsTest, TheStoreListsNamesAndRemoves) {
  Set("B_TOKEN", kValue, "API.Example.org.");
  Set("A_TOKEN", kValue);
  const auto views = plane().Secrets().value();
  ASSERT_EQ(views.size(), 2u);
  EXPECT_EQ(views[0].name, "A_TOKEN");
  EXPECT_EQ(views[1].host, "api.example.org");
  EXPECT_TRUE(plane().RemoveSecret("A_TOKEN"));
  EXPECT_EQ(plane().RemoveSecret("A_TOKEN").error().code, Code::kNotFound);
  EXPECT_EQ(plane().Secrets().value().size(), 1u);
  for (const char* name : {"WRIT_X", "9A", "A-B", ""}) {
    std::vector<SecretDraft> drafts(1);
    drafts[0].name = name;
    drafts[0].value = crypto::SecretBytes::CopyOf(AsBytes(kValue));
    EXPECT_EQ(plane().SetSecrets(std::move(drafts)).error().code, Code::kInvalid) << name;
  }
}

}  // namespace
}  // namespace writ::api
