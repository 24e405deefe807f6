#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "egress/limits.h"

namespace writ::egress {

/// Bytes exchanged with one port of a host, as seen from the run: `out` went there, `in` came back.
struct HostBytes {
  std::uint64_t out = 0, in = 0;
  std::uint64_t connections = 0;  ///< connections made to it
  bool operator==(const HostBytes&) const = default;
};
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
  auto operator<=>(const HostPort&) const = default;
};
using HostTotals = std::map<HostPort, HostBytes>;

/// Counts what moves, and says how much may move now: the byte budget and the rate of a run. Not thread-safe.
class Ledger {
 public:
  explicit Ledger(const EgressLimits& limits, MonoTime now);

  /// The account of a host's port; valid as long as the ledger. Those beyond `names_max` share the account kOthers, port 0.
  HostBytes& Account(const HostPort& to);
  /// How many of `want` bytes may move now; 0 when the budget is spent or the rate says wait.
  std::size_t Allow(std::size_t want, MonoTime now);
  void CountOut(HostBytes& account, std::size_t bytes) { account.out += bytes, Spend(bytes); }
  void CountIn(HostBytes& account, std::size_t bytes) { account.in += bytes, Spend(bytes); }

  bool budget_spent() const { return limits_.bytes_max && moved_ >= *limits_.bytes_max; }
  /// Whether so many bytes, read and not counted yet, use up what is left of the budget.
  bool budget_spent_by(std::size_t bytes) const { return limits_.bytes_max && moved_ + bytes >= *limits_.bytes_max; }
  std::uint64_t moved_bytes() const { return moved_; }
  /// When to ask again after Allow said 0 for the rate.
  MonoTime RetryAt(MonoTime now) const { return now + kRetry; }
  const HostTotals& totals() const { return totals_; }

  static constexpr const char* kOthers = "(others)";

 private:
  static constexpr Millis kRetry{10};
  void Spend(std::size_t bytes);

  const EgressLimits limits_;
  HostTotals totals_;
  std::uint64_t moved_ = 0;
  double tokens_ = 0;  ///< bytes that the rate allows now; below 0 after more came than was allowed
  MonoTime refilled_;
};

}  // namespace writ::egress
