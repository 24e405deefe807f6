// Sessions of the original runner, executed again: request in, event list, log, diff and receipt out. Events named `writ.*`
// and members named `writ` are our own and are left out before comparing.
#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "base/bytes.h"
#include "canon/vectors_for_test.h"
#include "served_plane.h"

namespace writ {
namespace {

using canon::Json;

/// Sessions whose recorded texts are superseded, and why (docs/decisions/0007-the-longest-secret-is-redacted-first.md for the first).
const std::map<std::string, std::pair<std::string, std::string>> kOtherLog = {
    {"secret redaction", {"[REDACTED:TOK]\npre-[REDACTED:TOK]-longer-post\n", "[REDACTED:TOK]\npre-[REDACTED:TOKEN2]-post\n"}},
    {"argv with cwd", {"{{SESSION}}/repo/src\n", "/work/src\n"}},  // where the workspace is
};
/// The true name of a file, not the one that git quotes, and its true digest.
const std::string kQuotedName = "\"caf/303/251.txt\"", kTrueName = "caf\u00e9.txt";

class WarrantSessions : public RunnerE2e, public testing::WithParamInterface<test::VectorCase> {
 protected:
  std::string AddRecorded(const Json& recorded) {
    const Json& request = *recorded.Find("request");
    contract::Contract draft = Draft(*recorded.Find("contractExecution"), *request.FindString("agentKind"));
    draft.prompt = *request.FindString("prompt");
    draft.network = *contract::DecodeNetwork(*request.Find("network"));
    draft.budget = *contract::DecodeBudget(*request.Find("budget"));
    for (const Json& claim : recorded.Find("secretsClaims")->array()) draft.secrets.push_back(*contract::DecodeSecretClaim(claim));
    const Json workspace = test::VectorFile("workspace.json");
    draft.workspace = *workspace.Find("manifest");
    for (const Json& blob : workspace.Find("blobs")->array()) plane_->PutBlob(*Base64DecodeLenient(*blob.FindString("base64")));
    return plane_->AddRun(std::move(draft));
  }
  /// Events without what is ours.
  static Json::Array Plain(const Json::Array& entries) {
    Json::Array plain;
    for (const Json& entry : entries) {
      Json event = *entry.Find("event");
      if (event.FindString("type")->starts_with("writ.")) continue;
      event.Remove("writ");
      plain.push_back(std::move(event));
    }
    return plain;
  }
  /// Whether a value is what was recorded; `{{...}}` stands for anything.
  static bool Matches(const Json& recorded, const Json& found) {
    if (recorded.is_string() && recorded.string().starts_with("{{")) return found.is_string();
    if (recorded.is_object() && found.is_object()) {
      if (recorded.object().size() != found.object().size()) return false;
      for (const auto& [name, value] : recorded.object()) {
        const Json* other = found.Find(name);
        if (other == nullptr || !Matches(value, *other)) return false;
      }
      return true;
    }
    return recorded == found;
  }
  static std::string Text(const Json& json, const char* name) { return json.FindString(name) ? *json.FindString(name) : ""; }
};

TEST_P(WarrantSessions, SameEventsLogDiffAndReceipt) {
  ASSERT_EQ(GetParam().problem, "");
  const Json all = test::VectorFile("sessions.json");
  const Json& recorded = GetParam().value;
  const std::string name = Text(recorded, "name");
  SCOPED_TRACE(name);
  std::map<std::string, std::string> secrets;
  for (const auto& [secret, value] : all.Find("secrets")->object()) secrets[secret] = value.string();
  if (Text(*recorded.Find("contractExecution"), "script").find("node -e") != std::string::npos && ::access("/usr/bin/node", X_OK) != 0)
    GTEST_SKIP() << "there is no node here";
  options_.mock = runner::MockAgent{.directory = WRIT_BIN_DIR, .program = "writ"};
  Serve(secrets);
  const std::string id = AddRecorded(recorded);
  RunOnce();
  if (HasFatalFailure()) return;

  const auto kept = plane_->Get(id);
  EXPECT_EQ(kept.status, Text(recorded, "status"));
  EXPECT_EQ(plane_->Problems(id, RunnerPem()), std::vector<std::string>());
  const auto other_log = kOtherLog.find(name);
  std::string log = Text(recorded, "logUtf8");
  if (other_log != kOtherLog.end()) {
    EXPECT_EQ(log, other_log->second.first) << "the recording changed";
    log = other_log->second.second;
  }
  EXPECT_EQ(LogOf(id), log);

  const auto plain = Plain(kept.events);
  Json::Array expected = recorded.Find("events")->array();
  std::string listed;
  for (const Json& event : plain) listed += canon::Compact(event) + "\n";
  ASSERT_EQ(plain.size(), expected.size()) << listed;
  // A log or file of another content has another digest.
  const auto masked = [&](Json event) {
    const std::string type = Text(event, "type");
    const bool of_log = Text(event, "kind") == "log" || Text(event, "dataClass") == "session-log";
    const bool of_diff = Text(event, "kind") == "diff" || Text(event, "dataClass") == "code-diff";
    if (other_log != kOtherLog.end() && of_log) event.Set(type == "boundary.crossed" ? "contentHash" : "hash", "{{LOG}}");
    if (of_diff) event.Set(type == "boundary.crossed" ? "contentHash" : "hash", "{{DIFF}}");  // the diff itself is compared below
    if (Text(event, "path") == kQuotedName) event.Set("path", kTrueName).Set("contentHash", "{{TRUE}}");
    return event;
  };
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_TRUE(Matches(masked(expected[i]), plain[i])) << canon::Compact(expected[i]) << "\n" << canon::Compact(plain[i]);

  const std::string diff_hash = Text(*kept.receipt.Find("workspaceOut"), "diffHash");
  if (recorded.FindString("diff") != nullptr) {
    EXPECT_EQ(diff_hash.empty() ? "" : plane_->Blob(diff_hash), Text(recorded, "diff"));
  }
  const Json& fields = *recorded.Find("receiptFields");
  for (const char* field : {"networkAccessed", "runner"}) EXPECT_TRUE(Matches(*fields.Find(field), *kept.receipt.Find(field))) << field;
  Json::Array released;
  for (const Json& secret : kept.receipt.Find("secretsReleased")->array()) {
    Json without = secret;
    without.Remove("ts");
    released.push_back(std::move(without));
  }
  EXPECT_EQ(Json(released), *fields.Find("secretsReleased"));
}

INSTANTIATE_TEST_SUITE_P(Recorded, WarrantSessions, testing::ValuesIn(test::VectorCases("sessions.json", "cases")),
                         [](const auto& vector) { return vector.param.name; });

}  // namespace
}  // namespace writ
