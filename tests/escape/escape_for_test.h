#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "isolation/process/process_backend.h"

namespace writ::escape {

/// What a guest did, as its jailer saw it. The session stays open for what the guest left behind.
struct GuestRun {
  isolation::Outcome outcome;
  isolation::Mechanisms enforced;
  std::string out, err;
  std::unique_ptr<isolation::OutputSink> sink;
  std::unique_ptr<isolation::Session> session;

  /// The line that starts with `name: `, without that; empty when there is none.
  std::string Line(std::string_view name) const;
  std::size_t Count(std::string_view word) const;  ///< lines with `: word` in them
};

using Change = std::function<void(isolation::SessionSpec&)>;

/// Runs hostile guests in the process tier: as the caller or, where WRIT_TEST_UID is set for root, as that user; on a
/// kernel that seems to have no Landlock where WRIT_TEST_WITHOUT=landlock.
class EscapeTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Starts writ-jail on first use.
  isolation::Backend& backend();
  void KeepWarm(std::uint32_t cells) { warm_cells_ = cells; }  ///< before the first use of backend()

  /// True when every limit is enforced for all processes together, without accepting anything weaker. Otherwise the
  /// refusal has been checked to name what would have to be accepted.
  bool FullyEnforced();

  /// A spec for bin/guests/NAME, staged read-only at /in/NAME, with everything accepted that this host needs.
  isolation::SessionSpec Spec(const std::string& name, std::vector<std::string> arguments);
  /// Starts it, waits until its last process is dead, fails the test on an infrastructure error.
  GuestRun Run(const std::string& name, std::vector<std::string> arguments = {}, const Change& change = {});

  /// The guest tried at least `attempts` things, all were refused, and it said so itself.
  static void ExpectAllRefused(const GuestRun& run, std::size_t attempts);

  std::filesystem::path scratch_;  ///< of this test, removed afterwards

 private:
  std::uint32_t warm_cells_ = 0;
  std::unique_ptr<isolation::Backend> backend_;
};

/// True inside the emulated machine of tests/vm, where everything is several times slower.
bool InVirtualMachine();

/// Ids of live host processes whose command line contains `token`.
std::vector<int> ProcessesWith(const std::string& token);

}  // namespace writ::escape
