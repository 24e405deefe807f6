#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "isolation/fake/fake_backend.h"
#include "runner/runner.h"
#include "runner/scripted_plane_for_test.h"
#include "sys/file.h"

namespace writ::runner {

/// A runner over a directory of its own, a scripted plane and scripted guests.
class RunnerTest : public testing::Test {
 protected:
  RunnerTest() : temporary_(*sys::TemporaryDirectory::Create(testing::TempDir(), "runner")) {
    EXPECT_TRUE(sys::MakeDirectories(temporary_.path() + "/guests", 0700));
  }

  Options MakeOptions() {
    Options options;
    options.plane_url = plane_->url();
    options.enroll_token = "enroll-me";
    options.dir = temporary_.path() + "/state";
    options.poll_interval = Millis{20};
    options.poll_wait = Millis{200};
    options.enroll_retry = Millis{20};
    options.enroll_patience = Millis{2000};
    options.first_backoff = Millis{10};
    options.fault = fault_;
    options.say = [this](const std::string& line) {
      const std::lock_guard hold(said_mutex_);
      said_.push_back(line);
    };
    options.env = [this](std::string_view name) -> std::optional<std::string> {
      const auto found = env_.find(name);
      return found == env_.end() ? std::nullopt : std::optional(found->second);
    };
    if (with_backend_)
      options.backends.push_back({std::make_unique<isolation::fake::FakeBackend>(
          temporary_.path() + "/guests", [this](const isolation::SessionSpec& spec) {
            const std::lock_guard hold(said_mutex_);
            seen_argv_ = spec.argv;
            seen_env_ = spec.env;
            seen_cwd_ = spec.cwd;
            seen_limits_ = spec.limits;
            return script_;
          })});
    return options;
  }
  std::unique_ptr<Runner> Make() { return Make(MakeOptions()); }
  std::unique_ptr<Runner> Make(Options options) {
    auto runner = Runner::Create(std::move(options));
    EXPECT_TRUE(runner) << runner.error().what;
    return runner ? *std::move(runner) : nullptr;
  }
  /// Runs what waits. Returns the error's text; "" when a run was carried out, "(none)" when none waited.
  std::string RunOnce(Runner& runner) {
    const auto ran = runner.RunOnce();
    return !ran ? ran.error().what : *ran ? "" : "(none)";
  }
  std::string RunOnce() {
    auto runner = Make();
    return RunOnce(*runner);
  }

  struct Failure {
    std::string failure, message;
    bool operator==(const Failure&) const = default;
  };
  /// Of the last event.
  Failure FailureOf(const std::string& id) {
    const auto run = plane_->Get(id);
    const auto* event = run.events.back().Find("event");
    const auto text = [&](const char* name) { return event->FindString(name) ? *event->FindString(name) : ""; };
    return {text("failure"), text("message")};
  }
  std::string LogOf(const std::string& id) {
    for (const auto& entry : plane_->Get(id).events) {
      const auto* event = entry.Find("event");
      if (*event->FindString("type") == "artifact.created" && *event->FindString("kind") == "log") return plane_->Blob(*event->FindString("hash"));
    }
    return "";
  }
  bool Said(std::string_view part) {
    const std::lock_guard hold(said_mutex_);
    return std::ranges::any_of(said_, [&](const std::string& line) { return line.find(part) != line.npos; });
  }

  sys::TemporaryDirectory temporary_;
  std::unique_ptr<ScriptedPlane> plane_ = std::make_unique<ScriptedPlane>();
  std::map<std::string, std::string, std::less<>> env_;
  session::FaultHook fault_;
  bool with_backend_ = true;
  isolation::fake::Script script_;
  std::mutex said_mutex_;
  std::vector<std::string> said_, seen_argv_, seen_env_;
  std::string seen_cwd_;
  Limits seen_limits_;
};

}  // namespace writ::runner
