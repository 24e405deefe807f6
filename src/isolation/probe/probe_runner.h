#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/error.h"
#include "isolation/probe/host_report.h"

namespace writ::isolation {

/// What a probe found out. Ok() only after the feature did what it should.
struct Finding {
  bool ok = false;
  std::string detail, fix;

  static Finding Ok(std::string detail) { return {true, std::move(detail), {}}; }
  static Finding Missing(std::string detail, std::string fix) {
    return {false, std::move(detail), std::move(fix)};
  }
};

/// Collects the findings of one child. Details are cut to 512 bytes, at most 16 findings are taken.
class Findings {
 public:
  void Add(std::string_view name, Finding finding);
  const std::vector<Probe>& probes() const { return probes_; }

 private:
  std::vector<Probe> probes_;
};

/// A probe as data. One child may answer several names when finding one gives the others.
struct ProbeSpec {
  std::vector<std::string> names;
  /// Runs in a forked child with no descriptors but 0-2 and its answer socket; the child then exits.
  std::function<void(Findings&)> body;
  /// Runs in the parent after the child is dead, whatever happened: removes what a killed child left.
  std::function<void()> clean_up;

  ProbeSpec(std::string name, std::function<Finding()> single);
  ProbeSpec(std::vector<std::string> names_in, std::function<void(Findings&)> body_in,
            std::function<void()> clean_up_in = nullptr);
};

/// Runs all specs at once, each in a child of its own process group; a child that has not answered and ended after
/// `each` is killed with its group. Every name of every spec is in the result, in order: a child that
/// crashed, hung, could not be started or forgot a name gives a missing probe that says so.
/// Errors: kInternal from poll.
Result<std::vector<Probe>> RunProbes(const std::vector<ProbeSpec>& specs, Millis each);

/// For bodies: runs `step` in a child of the child and returns its exit status, 128+n for signal n, or -1 with
/// errno set when it could not be started. The child dies with its parent.
int RunStep(const std::function<int()>& step);

/// For bodies: strerror, without the thread-unsafe buffer: "Operation not permitted".
std::string ErrnoText(int errno_value);

}  // namespace writ::isolation
