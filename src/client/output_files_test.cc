// Outputs of a run elsewhere: what a plane says of them is compared with the evidence before anything is written.
#include "client/output_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "contract/extension.h"
#include "crypto/digest.h"
#include "net/http_server_for_test.h"
#include "session/output_record.h"
#include "sys/file.h"
#include "workspace/listing.h"

namespace writ::client {
namespace {

using canon::Json;
using testing::HasSubstr;
using workspace::CollectedOutput;
using workspace::EntryType;

/// Answers with blobs, whatever their names say.
class BlobPlane {
 public:
  BlobPlane() : server_([this](net::ServerPeer& peer) { Serve(peer); }) {}
  std::string Put(const std::string& content) {
    const std::string hash = crypto::Sha256Hex(content);
    blobs["/v1/blobs/" + hash] = content;
    return hash;
  }
  std::unique_ptr<remote::PlaneConnection> Connect() { return remote::PlaneConnection::Open(server_.url(), "tok").value(); }

  std::map<std::string, std::string> blobs;

 private:
  void Serve(net::ServerPeer& peer) {
    for (std::string request; !(request = peer.ReadRequest()).empty();) {
      const std::size_t from = request.find(' ') + 1;
      const auto found = blobs.find(request.substr(from, request.find(' ', from) - from));
      const bool known = found != blobs.end();
      const std::string body = known ? found->second : R"({"error":"blob not found"})";
      peer.Write(fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", known ? 200 : 404, body.size(), body));
    }
  }
  net::ScriptedServer server_;
};

/// One file and one directory that a run released, and its evidence.
class OutputFiles : public testing::Test {
 protected:
  OutputFiles() {
    CollectedOutput file{.name = "report.txt", .type = EntryType::kFile, .sha256 = plane_.Put("a report\n"), .bytes = 9, .mode = 0755, .files = {}};
    CollectedOutput tree{.name = "site", .type = EntryType::kDirectory, .sha256 = {}, .bytes = 4, .mode = 0755, .files = {}};
    tree.files.entries.push_back({"css", {.type = EntryType::kDirectory, .mode = 0755, .links = 1, .bytes = 0, .sha256 = {}, .target = {}}});
    tree.files.entries.push_back({"css/a", {.type = EntryType::kFile, .mode = 0644, .links = 1, .bytes = 4, .sha256 = plane_.Put("body"), .target = {}}});
    tree.sha256 = workspace::DigestOf(tree.files);
    outputs_ = {file, tree};
  }

  Json Bundle() { return Bundle(plane_.Put(canon::Canonical(session::EncodeOutputs(outputs_)).value())); }
  Json Bundle(const std::string& record) const {
    contract::ContractExtension asked;
    asked.outputs = declared_;
    asked.decision = std::string(64, '0');
    asked.nonce = std::string(32, '0');
    contract::ReceiptExtension got;
    got.probe = std::string(64, '0');
    for (const auto& output : stated_.empty() ? outputs_ : stated_) got.outputs.push_back({output.name, output.sha256, output.bytes});
    const Json claimed = Json::Of({{"event", Json::Of({{"type", "run.claimed"}})}});
    Json facts = Json::Of({{"v", 1}, {"sha256", record}});
    const Json recorded = Json::Of({{"event", Json::Of({{"type", "writ.outputs.recorded"}, {"writ", std::move(facts)}})}});
    return Json::Of({{"contract", Json::Of({{"writ", contract::ToJson(asked)}})},
                     {"receipt", Json::Of({{"writ", contract::ToJson(got)}})},
                     {"events", Json(Json::Array{recorded_before_ ? recorded : claimed, recorded_before_ ? claimed : recorded})}});
  }
  std::string Refused(const Json& bundle) {
    const auto outputs = OutputsOf(*connection_, bundle);
    return outputs ? "taken" : outputs.error().what;
  }
  std::string Path(const std::string& name) const { return place_.path() + "/" + name; }

  BlobPlane plane_;
  std::unique_ptr<remote::PlaneConnection> connection_ = plane_.Connect();
  sys::TemporaryDirectory place_ = *sys::TemporaryDirectory::Create(testing::TempDir(), "output-files");
  std::vector<CollectedOutput> outputs_, stated_;
  std::vector<contract::DeclaredOutput> declared_ = {{"report.txt"}, {"site", true}};
  bool recorded_before_ = false;
};

TEST_F(OutputFiles, AreWrittenAsALocalRunWritesThem) {
  const auto outputs = OutputsOf(*connection_, Bundle());
  ASSERT_TRUE(outputs) << outputs.error().what;
  const auto written = WriteOutputs(*connection_, *outputs, Path("results"));
  ASSERT_TRUE(written) << written.error().what;
  EXPECT_EQ(*sys::ReadFile(Path("results/report.txt"), 100), "a report\n");
  EXPECT_EQ(::access(Path("results/report.txt").c_str(), X_OK), 0);
  EXPECT_EQ(*sys::ReadFile(Path("results/site/css/a"), 100), "body");
  ASSERT_TRUE(WriteOutputs(*connection_, *outputs, Path("one"), "site"));
  EXPECT_NE(::access(Path("one/report.txt").c_str(), F_OK), 0);
  EXPECT_EQ(WriteOutputs(*connection_, *outputs, Path("one"), "nothing").error().code, Code::kNotFound);
}

TEST_F(OutputFiles, Attack28_NothingIsWrittenThroughALink) {
  const auto outputs = OutputsOf(*connection_, Bundle());
  ASSERT_TRUE(outputs) << outputs.error().what;
  ASSERT_TRUE(sys::MakeDirectories(Path("elsewhere"), 0755));
  ASSERT_TRUE(sys::MakeDirectories(Path("results"), 0755));
  ASSERT_EQ(::symlink(Path("elsewhere").c_str(), Path("results/site").c_str()), 0);
  ASSERT_EQ(::symlink(Path("elsewhere/file").c_str(), Path("results/report.txt").c_str()), 0);
  EXPECT_FALSE(WriteOutputs(*connection_, *outputs, Path("results"), "site"));
  EXPECT_FALSE(WriteOutputs(*connection_, *outputs, Path("results"), "report.txt"));
  EXPECT_NE(::access(Path("elsewhere/css").c_str(), F_OK), 0);
  EXPECT_NE(::access(Path("elsewhere/file").c_str(), F_OK), 0);
}

TEST_F(OutputFiles, Attack30_WhatToolsMightExecuteIsTold) {
  const auto paths = [&](std::string_view only = {}) {
    std::vector<std::string> found;
    for (const auto& danger : DangersIn(outputs_, only)) {
      EXPECT_NE(danger.why, "") << danger.path;
      found.push_back(danger.path);
    }
    return found;
  };
  EXPECT_THAT(paths(), testing::IsEmpty());
  outputs_[0].name = ".git/hooks/post-checkout";
  outputs_[1].files.entries.push_back({"x/.envrc", {.type = EntryType::kFile, .mode = 0644, .links = 1, .bytes = 1, .sha256 = {}, .target = {}}});
  EXPECT_THAT(paths(), testing::ElementsAre(".git/hooks/post-checkout", "site/x/.envrc"));
  EXPECT_THAT(paths("site"), testing::ElementsAre("site/x/.envrc"));
  EXPECT_THAT(paths(".git/hooks/post-checkout"), testing::IsEmpty()) << "the caller named it";
}

TEST_F(OutputFiles, Attack35_OtherContentIsNotTaken) {
  const auto outputs = OutputsOf(*connection_, Bundle());
  ASSERT_TRUE(outputs) << outputs.error().what;
  plane_.blobs["/v1/blobs/" + outputs_[0].sha256] = "another\n";
  EXPECT_FALSE(WriteOutputs(*connection_, *outputs, Path("results")));
  plane_.blobs["/v1/blobs/" + outputs_[0].sha256] = std::string(1 << 20, 'x');
  EXPECT_FALSE(WriteOutputs(*connection_, *outputs, Path("results"))) << "more than the record says is not even read";
  EXPECT_NE(::access(Path("results/report.txt").c_str(), F_OK), 0);
}

TEST_F(OutputFiles, Attack35_ARecordThatIsNotTheReceiptsIsRefused) {
  const Json bundle = Bundle();
  for (auto& [path, content] : plane_.blobs) {
    if (content.find("writ.outputs.v1") != content.npos) content += " ";
  }
  EXPECT_NE(Refused(bundle), "taken") << "the record itself";
  stated_ = {outputs_[0]};
  EXPECT_THAT(Refused(Bundle()), HasSubstr("not what the receipt lists")) << "more than the receipt";
  stated_ = outputs_;
  stated_[0].sha256 = std::string(64, '1');
  EXPECT_THAT(Refused(Bundle()), HasSubstr("not what the receipt lists"));
  stated_.clear();
  recorded_before_ = true;
  EXPECT_THAT(Refused(Bundle()), HasSubstr("no record of them")) << "of an earlier holder of the run";
}

TEST_F(OutputFiles, Attack35_OnlyWhatWasAskedForIsTaken) {
  declared_ = {{"site", true}};
  EXPECT_THAT(Refused(Bundle()), HasSubstr("was not asked for"));
  declared_ = {{"report.txt"}, {"site"}};
  outputs_.push_back(outputs_[0]);
  EXPECT_THAT(Refused(Bundle()), HasSubstr("there twice"));
  outputs_.pop_back();
  outputs_[0].name = "../.bashrc";
  declared_.push_back({"../.bashrc"});
  const auto outputs = OutputsOf(*connection_, Bundle());
  EXPECT_TRUE(!outputs || !WriteOutputs(*connection_, *outputs, Path("results"))) << "not even then";
}

}  // namespace
}  // namespace writ::client
