#include "egress/ledger.h"

#include <algorithm>

namespace writ::egress {
namespace {
/// What may burst after silence: a tenth of a second, but never less than this.
constexpr double kBurstBytesMin = 64U << 10;
double Burst(std::uint64_t rate) { return std::max(static_cast<double>(rate) / 10, kBurstBytesMin); }
}  // namespace

Ledger::Ledger(const EgressLimits& limits, MonoTime now) : limits_(limits), refilled_(now) {
  if (limits_.rate_bytes_per_s) tokens_ = Burst(*limits_.rate_bytes_per_s);
}

HostBytes& Ledger::Account(const HostPort& to) {
  if (const auto found = totals_.find(to); found != totals_.end()) return found->second;
  return totals_[totals_.size() < limits_.names_max ? to : HostPort{kOthers, 0}];
}

std::size_t Ledger::Allow(std::size_t want, MonoTime now) {
  if (limits_.bytes_max) {
    want = static_cast<std::size_t>(
        std::min<std::uint64_t>(want, *limits_.bytes_max - std::min(moved_, *limits_.bytes_max)));
  }
  if (!limits_.rate_bytes_per_s) return want;
  const double rate = static_cast<double>(*limits_.rate_bytes_per_s);
  tokens_ = std::min(tokens_ + rate * std::chrono::duration<double>(now - refilled_).count(),
                     Burst(*limits_.rate_bytes_per_s));
  refilled_ = now;
  return tokens_ < 1 ? 0 : std::min(want, static_cast<std::size_t>(tokens_));
}

void Ledger::Spend(std::size_t bytes) {
  moved_ += bytes;
  if (limits_.rate_bytes_per_s) tokens_ -= static_cast<double>(bytes);
}

}  // namespace writ::egress
