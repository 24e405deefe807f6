// A runner with a backend of its own: it says what it was asked to execute and executes nothing.
#include <cstdio>
#include <memory>
#include <string>

#include "isolation/backend.h"
#include "runner/runner.h"
#include "sys/file.h"

namespace {

using namespace writ;
using isolation::GuestTree;
using isolation::Outcome;
using isolation::OutputSink;
using isolation::Place;
using isolation::SessionSpec;
using isolation::Termination;

/// A guest that repeats its command line.
class EchoSession final : public isolation::Session {
 public:
  EchoSession(SessionSpec spec, OutputSink& sink, sys::TemporaryDirectory folder)
      : spec_(std::move(spec)), sink_(sink), folder_(std::move(folder)) {
    guarantees_.tier = "process";
    guarantees_.backend = "echo/1";
    guarantees_.enforced = {{"everything", "nothing-is-executed"}};
  }

  Result<Outcome> Wait(Deadline) override {
    Outcome outcome;
    if (killed_) {
      outcome.how = Termination::kCancelled;
      return outcome;
    }
    std::string line;
    for (const auto& word : spec_.argv) line += (line.empty() ? "" : " ") + word;
    if (auto written = sink_.Write(isolation::Stream::kStdout, AsBytes(line + "\n")); !written) return std::unexpected(written.error());
    outcome.how = Termination::kExited;
    outcome.use.stdout_bytes = line.size() + 1;
    return outcome;
  }
  void Kill(Termination) noexcept override { killed_ = true; }
  void Resize(SessionSpec::Terminal) noexcept override {}
  const isolation::Guarantees& guarantees() const noexcept override { return guarantees_; }
  /// What the guest left: nothing, as the upper layer of an overlay.
  Result<GuestTree> Tree(Place place) override {
    const std::string path = folder_.path() + (place == Place::kOut ? "/out" : "/work");
    WRIT_TRY("tree", sys::MakeDirectories(path, 0700));
    return GuestTree{WRIT_TRY("tree", sys::OpenDirectory(path)), &opener_, false};
  }

 private:
  SessionSpec spec_;
  OutputSink& sink_;
  sys::TemporaryDirectory folder_;
  sys::LocalTreeOpener opener_;
  isolation::Guarantees guarantees_;
  bool killed_ = false;
};

class EchoBackend final : public isolation::Backend {
 public:
  std::string_view tier() const noexcept override { return "process"; }
  Result<> Accepts(const SessionSpec&) const override { return {}; }
  Result<std::unique_ptr<isolation::Session>> Start(SessionSpec spec, OutputSink& sink) override {
    // The way out is a promise of the tier: without listeners a guest has none, and a run that needs it must not start.
    auto folder = WRIT_TRY("echo", sys::TemporaryDirectory::Create("/tmp", "echo"));
    return std::make_unique<EchoSession>(std::move(spec), sink, std::move(folder));
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: %s PLANE-URL TOKEN-FILE DIRECTORY\n", argv[0]), 2;
  auto token = sys::ReadFile(argv[2], 4096);
  if (!token) return std::fprintf(stderr, "%s\n", token.error().what.c_str()), 1;
  while (!token->empty() && token->back() == '\n') token->pop_back();

  runner::Options options;
  options.plane_url = argv[1];
  options.enroll_token = *token;
  options.dir = argv[3];
  options.backends.push_back({.backend = std::make_unique<EchoBackend>(), .can_run = [](const contract::ExecutionSpec&) { return true; }});
  auto runner = Runner::Create(std::move(options));
  if (!runner) return std::fprintf(stderr, "%s\n", runner.error().what.c_str()), 1;
  const auto ran = (*runner)->RunOnce();
  if (!ran) return std::fprintf(stderr, "%s\n", ran.error().what.c_str()), 1;
  std::puts(*ran ? "one run carried out" : "no run waits");
  return 0;
}
