#include "runner/job.h"

#include <gmock/gmock.h>

#include "runner/claim.h"
#include "runner/runner_fixture_for_test.h"

namespace writ::runner {
namespace {

using canon::Json;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class JobTest : public RunnerTest {
 protected:
  static Json Shell() { return Json::Of({{"kind", "shell"}, {"script", "true"}}); }
};

TEST_F(JobTest, ASecretThatIsBoundToAHostIsKeptFromTheJob) {
  const Options options = MakeOptions();
  contract::Contract contract;
  contract.execution = Shell();
  contract.secrets = {{"OPEN", "x"}, {"BOUND", "x"}};
  const auto job = PrepareJob(contract, {{"OPEN", "open value"}, {"BOUND", "bound value"}}, {{"BOUND", "api.example.org"}}, options);
  ASSERT_TRUE(job) << job.error().what;
  EXPECT_THAT(job->spec.env, Contains("OPEN=open value"));
  EXPECT_THAT(job->spec.env, Contains(StartsWith("BOUND=writ-secret-BOUND-")));
  EXPECT_THAT(job->spec.env, Not(Contains(HasSubstr("bound value"))));
  ASSERT_EQ(job->edge.size(), 1u);
  EXPECT_EQ(job->edge[0].host, "api.example.org");
  EXPECT_EQ(job->edge[0].value.text(), "bound value");
  EXPECT_EQ(session::Redact(job->redaction, "it is bound value"), "it is [REDACTED:BOUND]") << "what a host says back is not the job's either";
}

TEST_F(JobTest, ABoundSecretNeedsAWayToItsHost) {
  plane_->after = [](const std::string& path, ScriptedReply& reply) {
    const std::string plain = R"("value":"bound value")";
    if (const auto at = reply.body.find(plain); path == "/v1/claims" && at != reply.body.npos)
      reply.body.insert(at + plain.size(), R"(,"writ":{"v":1,"host":"api.example.org"})");
  };
  ScriptedPlane::RunSpec spec;
  spec.secrets = {{"BOUND", "bound value"}};
  const std::string id = plane_->AddRun(spec);
  EXPECT_EQ(RunOnce(), "");
  EXPECT_THAT(FailureOf(id).message, HasSubstr("BOUND is only put into requests to api.example.org"));
  EXPECT_THAT(plane_->EventTypes(id), Not(Contains("writ.cell.prepared"))) << "it was started";
  EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
}

TEST(ClaimTest, WhereASecretIsBoundToNoHostTheClaimIsRefused) {
  const auto decode = [](const char* bound) {
    return DecodeClaim(*canon::Parse(fmt::format(R"({{"runId":"run_1","claimToken":"t","contract":{{}},"events":[],)"
                                                 R"("secrets":[{{"name":"A","value":"b","writ":{}}}]}})", bound), canon::Mode::kWire));
  };
  const auto good = decode(R"({"v":1,"host":"API.example.org"})");
  ASSERT_TRUE(good && *good);
  EXPECT_EQ((*good)->secret_hosts.at("A"), "api.example.org");
  for (const char* bad : {"{}", "null", "1", R"({"host":""})", R"({"host":"a b"})", R"({"host":7})"}) EXPECT_FALSE(decode(bad)) << bad;
}

}  // namespace
}  // namespace writ::runner
