// What isolation/backend.h promises, held against every implementation.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <ostream>
#include <thread>

#include "isolation/fake/fake_backend.h"
#include "isolation/process/process_backend.h"
#include "isolation/test_user_for_test.h"

namespace writ::isolation {
namespace {

namespace fs = std::filesystem;

/// Collects output; fails on demand.
class RecordingSink final : public OutputSink {
 public:
  Result<> Write(Stream stream, ByteView bytes) override {
    if (fail_) return Fail(Code::kExhausted, "the sink is full");
    text[stream == Stream::kStderr] += AsText(bytes);
    return {};
  }
  Result<> Truncated(Stream stream) override {
    ++truncated[stream == Stream::kStderr];
    return {};
  }
  void FailWrites() { fail_ = true; }
  std::string text[2];
  int truncated[2] = {};

 private:
  bool fail_ = false;
};

/// One behaviour, as a command for a real tier and as a script for the fake.
struct Guest {
  std::string command;
  fake::Script script;
};

fake::Script Exiting(int code) {
  fake::Script script;
  script.end.code = code;
  return script;
}

struct Subject {
  const char* name;
  bool scripted;
};
void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }

class BackendConformance : public testing::TestWithParam<Subject> {
 protected:
  void SetUp() override {
    BecomeTestUser();
    scratch_ = fs::temp_directory_path() / fmt::format("writ-conformance-{}", ::getpid());
    fs::create_directories(scratch_ / "workspace");
    std::ofstream(scratch_ / "workspace" / "kept.txt") << "as it was\n";
    std::ofstream(scratch_ / "workspace" / "gone.txt") << "will go\n";
  }
  void TearDown() override { fs::remove_all(scratch_); }

  /// Makes the backend that will play `guest`.
  Backend& Make(const Guest& guest) {
    if (GetParam().scripted) {
      backend_ = std::make_unique<fake::FakeBackend>(scratch_, guest.script);
    } else {
      auto made = process::ProcessBackend::Create({.path = WRIT_BIN_DIR "/writ-jail", .warm_cells = 0, .delegated_cgroup = ""});
      EXPECT_TRUE(made) << made.error().what;
      backend_ = std::move(*made);
    }
    return *backend_;
  }

  SessionSpec Spec(const Guest& guest) {
    SessionSpec spec;
    spec.argv = {"/bin/sh", "-c", guest.command};
    spec.env = {"PATH=/usr/bin:/bin", "HOME=/tmp/home"};
    spec.limits.wall_time = Millis{20'000};
    if (::geteuid() != 0)
      spec.accepted = {{"memory", "rlimit"}, {"pids", "rlimit"}, {"cpus", "affinity"}, {"cpu-time", "rlimit"}, {"groups", "kept"}};
    return spec;
  }

  Result<Outcome> Run(const Guest& guest, std::function<void(SessionSpec&)> change = {}) {
    Backend& backend = Make(guest);
    SessionSpec spec = Spec(guest);
    if (change) change(spec);
    session_ = WRIT_TRY("start", backend.Start(std::move(spec), sink_));
    return session_->Wait(Deadline::After(Millis{30'000}));
  }

  std::string ReadLeft(const GuestTree& tree, std::string_view name) {
    auto entry = tree.opener->Open(tree.root, name);
    if (!entry) return "<" + entry.error().what + ">";
    char bytes[256];
    const ssize_t got = ::pread(entry->fd.get(), bytes, sizeof bytes, 0);
    return std::string(bytes, got > 0 ? static_cast<std::size_t>(got) : 0);
  }

  fs::path scratch_;
  RecordingSink sink_;
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Session> session_;
};

#define ASSERT_OUTCOME(outcome) ASSERT_TRUE(outcome) << (outcome).error().what

TEST_P(BackendConformance, ExitCodeIsTheGuests) {
  const auto outcome = Run({"exit 7", Exiting(7)});
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->how, Termination::kExited);
  EXPECT_EQ(outcome->code, 7);
}

TEST_P(BackendConformance, SignalIsReported) {
  fake::Script script;
  script.end.how = Termination::kSignal;
  script.end.code = 15;
  const auto outcome = Run({"kill -TERM $$", script});
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->how, Termination::kSignal);
  EXPECT_EQ(outcome->code, 15);
}

TEST_P(BackendConformance, StreamsArriveApartAndWhole) {
  fake::Script script;
  script.steps = {fake::Print{Stream::kStdout, "out\n"}, fake::Print{Stream::kStderr, "err\n"}, fake::Print{Stream::kStdout, "end\n"}};
  const auto outcome = Run({"echo out; echo err >&2; echo end", script});
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(sink_.text[0], "out\nend\n");
  EXPECT_EQ(sink_.text[1], "err\n");
  EXPECT_EQ(outcome->use.stdout_bytes, 8u);
  EXPECT_EQ(outcome->use.stderr_bytes, 4u);
  EXPECT_FALSE(outcome->stdout_truncated);
}

TEST_P(BackendConformance, OutputOverTheLimitIsCutAndMarkedOnce) {
  fake::Script script = Exiting(3);
  script.steps = {fake::Flood{Stream::kStdout, 100'000}};
  const auto outcome = Run({"head -c 100000 /dev/zero; exit 3", script}, [](SessionSpec& spec) { spec.limits.stdout_bytes = 1000; });
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->how, Termination::kExited);
  EXPECT_EQ(outcome->code, 3);
  EXPECT_EQ(sink_.text[0].size(), 1000u);
  EXPECT_EQ(sink_.truncated[0], 1);
  EXPECT_TRUE(outcome->stdout_truncated);
  EXPECT_EQ(outcome->use.stdout_bytes, 100'000u);
}

TEST_P(BackendConformance, OutputLimitEndsTheRunWhenAsked) {
  fake::Script script;
  script.steps = {fake::Flood{Stream::kStdout, 1'000'000}, fake::Sleep{Millis{15'000}}};
  const auto outcome = Run({"head -c 1000000 /dev/zero; sleep 15", script}, [](SessionSpec& spec) {
    spec.limits.stdout_bytes = 1000;
    spec.kill_on_output_limit = true;
  });
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->how, Termination::kOutputLimit);
}

TEST_P(BackendConformance, WallTimeEndsTheRun) {
  fake::Script script;
  script.steps = {fake::Sleep{Millis{15'000}}};
  const auto outcome = Run({"sleep 15", script}, [](SessionSpec& spec) { spec.limits.wall_time = Millis{200}; });
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->how, Termination::kTimeLimit);
  EXPECT_GE(outcome->use.wall_us, 200'000);
}

TEST_P(BackendConformance, WaitHasADeadlineAndCanBeRepeated) {
  fake::Script script = Exiting(4);
  script.steps = {fake::Sleep{Millis{400}}};
  const Guest guest{"sleep 0.4; exit 4", script};
  auto session = Make(guest).Start(Spec(guest), sink_);
  ASSERT_TRUE(session) << session.error().what;
  const auto early = (*session)->Wait(Deadline::After(Millis{20}));
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code, Code::kDeadline);
  const auto outcome = (*session)->Wait(Deadline::After(Millis{20'000}));
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->code, 4);
}

TEST_P(BackendConformance, KillFromAnotherThreadEndsItAsAsked) {
  fake::Script script;
  script.steps = {fake::Sleep{Millis{15'000}}};
  const Guest guest{"sleep 15", script};
  auto session = Make(guest).Start(Spec(guest), sink_);
  ASSERT_TRUE(session) << session.error().what;
  std::thread killer([&] {
    (*session)->Kill(Termination::kCancelled);
    (*session)->Kill(Termination::kTimeLimit);  // the first reason stays
  });
  const auto outcome = (*session)->Wait(Deadline::After(Millis{10'000}));
  killer.join();
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->how, Termination::kCancelled);
}

TEST_P(BackendConformance, DestroyingARunningSessionEndsIt) {
  fake::Script script;
  script.steps = {fake::Sleep{Millis{15'000}}};
  const Guest guest{"trap '' TERM; sleep 15", script};
  auto session = Make(guest).Start(Spec(guest), sink_);
  ASSERT_TRUE(session) << session.error().what;
  const auto before = std::chrono::steady_clock::now();
  session->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

TEST_P(BackendConformance, WhatIsLeftUnderOutCanBeRead) {
  fake::Script script;
  script.steps = {fake::WriteFile{Place::kOut, "result.txt", "42\n"}};
  const auto outcome = Run({"umask 077; echo 42 > /out/result.txt", script});
  ASSERT_OUTCOME(outcome);
  const auto tree = session_->Tree(Place::kOut);
  ASSERT_TRUE(tree) << tree.error().what;
  EXPECT_TRUE(tree->complete);
  EXPECT_EQ(ReadLeft(*tree, "result.txt"), "42\n");
}

TEST_P(BackendConformance, WorkspaceIsCopyOnWrite) {
  fake::Script script;
  script.steps = {fake::WriteFile{Place::kWorkspace, "kept.txt", "changed\n"}, fake::WriteFile{Place::kWorkspace, "new.txt", "new\n"},
                  fake::Delete{"gone.txt"}};
  const auto outcome = Run({"cat kept.txt >/dev/null && echo changed > kept.txt && echo new > new.txt && rm gone.txt", script},
                           [&](SessionSpec& spec) {
                             Layer layer{scratch_ / "workspace", sys::UniqueFd{::open((scratch_ / "workspace").c_str(),
                                                                                      O_RDONLY | O_DIRECTORY | O_CLOEXEC)}};
                             spec.workspace = std::move(layer);
                           });
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(outcome->code, 0) << sink_.text[1];
  const auto tree = session_->Tree(Place::kWorkspace);
  ASSERT_TRUE(tree) << tree.error().what;
  EXPECT_EQ(ReadLeft(*tree, "kept.txt"), "changed\n");
  EXPECT_EQ(ReadLeft(*tree, "new.txt"), "new\n");
  const auto gone = tree->opener->Open(tree->root, "gone.txt");
  if (tree->complete) {
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Code::kNotFound);
  } else {
    ASSERT_TRUE(gone) << gone.error().what;
    EXPECT_EQ(gone->meta.type, sys::FileType::kWhiteout);
  }
  std::string original;
  std::getline(std::ifstream(scratch_ / "workspace" / "kept.txt"), original);
  EXPECT_EQ(original, "as it was");
  EXPECT_TRUE(fs::exists(scratch_ / "workspace" / "gone.txt"));
}

TEST_P(BackendConformance, StandardInputIsWhatWasGiven) {
  const fs::path file = scratch_ / "stdin";
  std::ofstream(file) << "typed\n";
  fake::Script script;
  script.steps = {fake::CopyStdin{}};
  const auto outcome = Run({"cat", script}, [&](SessionSpec& spec) {
    spec.stdin_fd = sys::UniqueFd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  });
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(sink_.text[0], "typed\n");
}

TEST_P(BackendConformance, StandardInputIsEmptyByDefault) {
  fake::Script script;
  script.steps = {fake::CopyStdin{}};
  const auto outcome = Run({"cat", script});
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(sink_.text[0], "");
  EXPECT_EQ(outcome->code, 0);
}

TEST_P(BackendConformance, ASinkThatFailsStopsTheRun) {
  fake::Script script;
  script.steps = {fake::Print{Stream::kStdout, "x\n"}, fake::Sleep{Millis{15'000}}};
  sink_.FailWrites();
  const auto outcome = Run({"echo x; sleep 15", script});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::kExhausted);
}

TEST_P(BackendConformance, GuaranteesNameTheTier) {
  const auto outcome = Run({"true", {}});
  ASSERT_OUTCOME(outcome);
  EXPECT_EQ(session_->guarantees().tier, "process");
  EXPECT_FALSE(session_->guarantees().backend.empty());
}

TEST_P(BackendConformance, ACommandIsNeeded) {
  Backend& backend = Make(Guest{"", fake::Script{}});
  SessionSpec empty;
  const auto accepted = backend.Accepts(empty);
  ASSERT_FALSE(accepted);
  EXPECT_EQ(accepted.error().code, Code::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(Fake, BackendConformance, testing::Values(Subject{"fake", true}),
                         [](const auto& subject) { return std::string(subject.param.name); });
INSTANTIATE_TEST_SUITE_P(Process, BackendConformance, testing::Values(Subject{"process", false}),
                         [](const auto& subject) { return std::string(subject.param.name); });

}  // namespace
}  // namespace writ::isolation
