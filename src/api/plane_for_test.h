#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/local_plane.h"
#include "isolation/fake/fake_backend.h"
#include "sys/file.h"

namespace writ::api {

/// Keeps a guest's output.
struct KeepOutput final : isolation::OutputSink {
  Result<> Write(isolation::Stream stream, ByteView bytes) override {
    (stream == isolation::Stream::kStdout ? out : err) += AsText(bytes);
    return {};
  }
  Result<> Truncated(isolation::Stream) override {
    ++cuts;
    return {};
  }
  std::string out, err;
  int cuts = 0;
};

/// A plane over a state directory of its own, with scripted guests. Tests play several processes by making several
/// planes over the one directory.
class PlaneTest : public testing::Test {
 protected:
  explicit PlaneTest(const std::string& parent = testing::TempDir())
      : temporary_(*sys::TemporaryDirectory::Create(parent, "plane")) {
    EXPECT_TRUE(sys::MakeDirectories(home(), 0700));
    EXPECT_TRUE(sys::MakeDirectories(scratch(), 0700));
  }

  std::string home() const { return temporary_.path() + "/home"; }
  std::string scratch() const { return temporary_.path() + "/scratch"; }
  std::string state() const { return temporary_.path() + "/state"; }
  std::string path(const std::string& name) const { return temporary_.path() + "/" + name; }

  /// Options every plane of a test starts from.
  LocalPlaneOptions Options() {
    LocalPlaneOptions options;
    options.state_dir = state();
    options.clock = clock_;
    options.env = [home = home()](std::string_view name) -> std::optional<std::string> {
      if (name == "HOME" || name == "XDG_CONFIG_HOME") return home;
      return std::nullopt;
    };
    options.backends.push_back(std::make_unique<isolation::fake::FakeBackend>(
        scratch(), [this](const isolation::SessionSpec& spec) {
          last_env_ = spec.env;
          return script_;
        }));
    return options;
  }
  std::unique_ptr<LocalPlane> NewPlane() { return LocalPlane::Create(Options()); }
  LocalPlane& plane() {
    if (!plane_) plane_ = NewPlane();
    return *plane_;
  }

  CreateRun Request(std::vector<std::string> argv = {"job"}) {
    CreateRun request;
    request.argv = std::move(argv);
    request.policy_file = policy_file_;
    request.caller = {1000, "ada"};
    return request;
  }
  RunResult Run(CreateRun request) {
    auto result = plane().Run(std::move(request), sink_, control_);
    EXPECT_TRUE(result) << result.error().what;
    return result ? *std::move(result) : RunResult{};
  }
  RunResult Run() { return Run(Request()); }

  void Put(const std::string& path, std::string_view content) {
    const auto written = sys::WriteFileAtomic(path, content, 0600);
    ASSERT_TRUE(written) << written.error().what;
  }
  std::string Read(const std::string& path) {
    auto text = sys::ReadFile(path, 1 << 20);
    return text ? *text : "(" + text.error().what + ")";
  }

  /// Types of the events of a run, in order.
  std::vector<std::string> EventTypes(std::string_view run) {
    std::vector<std::string> types;
    const auto events = plane().Events(run);
    EXPECT_TRUE(events) << events.error().what;
    if (!events) return types;
    for (const auto& entry : *events) types.push_back(*entry.Find("event")->FindString("type"));
    return types;
  }
  /// `receipt.writ.termination.how`
  static std::string HowEnded(const canon::Json& receipt) {
    const auto* how = receipt.Find("writ")->Find("termination")->FindString("how");
    return how == nullptr ? "" : *how;
  }
  /// The run's evidence holds, by the verifier and by the store.
  void ExpectVerified(std::string_view run) {
    const auto report = plane().Verify(run);
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_TRUE(report->pinned);
    EXPECT_TRUE(report->ok);
    EXPECT_EQ(report->problems, std::vector<std::string>());
  }

  sys::TemporaryDirectory temporary_;
  const Clock* clock_ = nullptr;
  std::string policy_file_;
  isolation::fake::Script script_;
  std::vector<std::string> last_env_;
  KeepOutput sink_;
  RunControl control_;
  std::unique_ptr<LocalPlane> plane_;
};

}  // namespace writ::api
