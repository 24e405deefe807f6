#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "isolation/backend.h"

namespace writ::isolation::fake {

/// What a scripted guest does, in order.
struct Print {
  Stream stream = Stream::kStdout;
  std::string bytes;
};
/// Prints one byte `count` times without ever holding them all.
struct Flood {
  Stream stream = Stream::kStdout;
  std::uint64_t count = 0;
};
struct WriteFile {
  Place place = Place::kOut;
  std::string path;  ///< relative to the place; missing directories are made
  std::string content;
  std::uint32_t mode = 0644;
};
struct MakeLink {
  Place place = Place::kOut;
  std::string path, target;
};
/// A whiteout in the upper layer, as an overlay leaves it: the file of the workspace is gone.
struct Delete {
  std::string path;  ///< relative to /work
};
/// Lets time pass: the wall-time limit and Kill end it early.
struct Sleep {
  Millis duration{0};
};
/// Copies standard input to standard output until it ends.
struct CopyStdin {};
/// Calls the test, at a point of the run that it wants to see or disturb.
struct Call {
  std::function<void()> function;
};
using Step = std::variant<Print, Flood, WriteFile, MakeLink, Delete, Sleep, CopyStdin, Call>;

/// One run. Without steps it exits 0 at once.
struct Script {
  std::vector<Step> steps = {};
  Outcome end{.how = Termination::kExited, .code = 0, .message = {}, .use = {}};
  std::optional<Error> accepts_error = {};  ///< Accepts answers this
  std::optional<Error> start_error = {};    ///< Start answers this
  std::optional<Error> wait_error = {};     ///< Wait answers this after the steps
};

/// A backend that isolates nothing and runs nothing: it plays scripts, deterministically, so that every layer above
/// can be tested without a kernel's help. Never linked into a program.
class FakeBackend final : public Backend {
 public:
  using Author = std::function<Script(const SessionSpec&)>;
  /// Guest trees are made below `scratch`, an existing directory, and removed with their session.
  FakeBackend(std::string scratch, Author author);
  FakeBackend(std::string scratch, Script script);

  std::string_view tier() const noexcept override { return "process"; }
  Result<> Accepts(const SessionSpec& spec) const override;
  Result<std::unique_ptr<Session>> Start(SessionSpec spec, OutputSink& sink) override;

  int started() const { return started_; }

 private:
  std::string scratch_;
  Author author_;
  int started_ = 0;
};

}  // namespace writ::isolation::fake
