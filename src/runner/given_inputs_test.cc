// Inputs and stdin of a run elsewhere: what the contract names is what the guest is shown, or nothing starts.
#include "runner/given_inputs.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "contract/extension.h"
#include "runner/runner_fixture_for_test.h"
#include "workspace/listing.h"

namespace writ::runner {
namespace {

using canon::Json;
using testing::HasSubstr;
using workspace::EntryType;
namespace fake = isolation::fake;

class GivenInputs : public RunnerTest {
 protected:
  GivenInputs() {
    workspace::Manifest tree;
    const auto file = [&](const std::string& path, const std::string& text, std::uint32_t mode) {
      tree.entries.push_back({path, {.type = EntryType::kFile, .mode = mode, .links = 1, .bytes = text.size(), .sha256 = plane_->PutBlob(text), .target = {}}});
    };
    tree.entries.push_back({"a", {.type = EntryType::kDirectory, .mode = 0555, .links = 1, .bytes = 0, .sha256 = {}, .target = {}}});
    file("a/tool", "#!/bin/sh", 0555);
    tree.entries.push_back({"link", {.type = EntryType::kSymlink, .mode = 0777, .links = 1, .bytes = 11, .sha256 = {}, .target = "/etc/passwd"}});
    file("z", "last", 0444);
    listing_ = workspace::ListingOf(tree);
  }

  std::string Run(const std::vector<contract::InputDigest>& inputs, std::optional<contract::StdinDigest> said = {}) {
    contract::ContractExtension writ;
    writ.inputs = inputs;
    writ.stdin_content = std::move(said);
    writ.decision = std::string(64, '0');
    writ.nonce = contract::MakeNonce();
    Options options = MakeOptions();
    options.backends.clear();
    auto backend = std::make_unique<fake::FakeBackend>(temporary_.path() + "/guests", [this](const isolation::SessionSpec& spec) {
      ++started_;
      if (spec.inputs) Look(spec.inputs->host_path);
      if (spec.stdin_fd.valid()) said_in_ += sys::ReadAll(spec.stdin_fd.get(), 1 << 20).value_or("unreadable");
      return fake::Script{};
    });
    options.backends.push_back({std::move(backend)});
    const std::string id = plane_->AddRun({.writ = contract::ToJson(writ)});
    auto runner = Make(std::move(options));
    EXPECT_EQ(RunOnce(*runner), "");
    EXPECT_EQ(plane_->Problems(id), std::vector<std::string>());
    return id;
  }
  void Look(const std::string& directory) {
    namespace fs = std::filesystem;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      std::string& what = shown_[entry.path().lexically_relative(directory).string()];
      if (entry.is_symlink()) {
        what = "-> " + fs::read_symlink(entry.path()).string();
      } else {
        what = fmt::format("{:o}", static_cast<unsigned>(entry.status().permissions()));
        if (entry.is_regular_file()) what += " " + sys::ReadFile(entry.path(), 1000).value_or("unreadable");
      }
    }
  }
  contract::InputDigest Directory(const std::string& listing, std::uint64_t bytes = 13) { return {"d", "directory", plane_->PutBlob(listing), bytes}; }
  /// One entry of a listing.
  std::string Line(const std::string& head, const std::string& path) const { return fmt::format("{}{}{}{}{}", head, '\0', path, '\0', '\0'); }

  std::string listing_;
  std::map<std::string, std::string> shown_;
  std::string said_in_;
  int started_ = 0;
};

TEST_F(GivenInputs, FilesAndDirectoriesAreShownAsTheyWereHashed) {
  const std::string script = plane_->PutBlob("#!/bin/sh"), plain = plane_->PutBlob("text");
  const std::string id = Run({{"s", "file", script, 9, true}, {"p", "file", plain, 4}, Directory(listing_), {"e", "directory", plane_->PutBlob(""), 0}},
                             contract::StdinDigest{plain, 4});
  EXPECT_EQ(plane_->Get(id).status, "completed") << FailureOf(id).message;
  const std::map<std::string, std::string> wanted = {{"s", "555 #!/bin/sh"}, {"p", "444 text"},           {"d", "555"},         {"d/a", "555"},
                                                     {"d/a/tool", "555 #!/bin/sh"}, {"d/link", "-> /etc/passwd"}, {"d/z", "444 last"}, {"e", "555"}};
  EXPECT_EQ(shown_, wanted);
  EXPECT_EQ(said_in_, "text");
  for (const auto& left : std::filesystem::directory_iterator(temporary_.path() + "/state/runs")) {
    EXPECT_FALSE(left.is_directory()) << left.path() << ": what was unpacked goes with the run";
  }
}

TEST_F(GivenInputs, Attack31_WhatIsNotWhatTheContractSaysIsNeverStarted) {
  const std::string hash = plane_->PutBlob("text"), spoiled = plane_->PutBlob("honest");
  plane_->SpoilBlob(spoiled, "hostile");
  struct Case {
    const char* why;
    contract::InputDigest input;
    const char* says;
  };
  const std::string file = "file 444 4 " + hash;
  const Case cases[] = {
      {"a size that is wrong", {"p", "file", hash, 5}, "has 4 bytes, not 5"},
      {"content that is another", {"p", "file", spoiled, 6}, ""},
      {"content that is not there", {"p", "file", std::string(64, '1'), 4}, ""},
      {"a name that leads out", {"../p", "file", hash, 4}, "cannot name an input"},
      {"a name that leads out, a directory", {"../d", "directory", plane_->PutBlob(listing_), 13}, "cannot name an input"},
      {"files of another size", Directory(listing_, 14), "not 14"},
      {"a listing that leads out", Directory(Line(file, "../x"), 4), "no path below"},
      {"a listing through a link", Directory("symlink 777 1 -" + std::string("\0a\0/\0", 5) + Line(file, "a/x"), 4), "in no directory"},
      {"a listing that is none", Directory("{}", 0), "ends within an entry"},
      {"modes that no input has", Directory(Line("file 4755 4 " + hash, "x"), 4), "blob hash mismatch"},
      {"content of a directory that is another", Directory(Line("file 444 6 " + spoiled, "x"), 6), ""},
      {"content of another size", Directory(Line("file 444 3 " + hash, "x"), 3), ""},
      {"more than there may be", Directory(Line("file 444 9007199254740991 " + hash, "x"), 9007199254740991), "more than"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const std::string id = Run({c.input});
    EXPECT_EQ(FailureOf(id).failure, "transfer_failed") << FailureOf(id).message;
    EXPECT_THAT(FailureOf(id).message, HasSubstr(c.says));
  }
  for (const auto& said : {contract::StdinDigest{hash, 5}, contract::StdinDigest{spoiled, 6}, contract::StdinDigest{std::string(64, '1'), 1}}) {
    EXPECT_EQ(FailureOf(Run({}, said)).failure, "transfer_failed");
  }
  EXPECT_EQ(started_, 0);
  EXPECT_TRUE(shown_.empty());
}

}  // namespace
}  // namespace writ::runner
