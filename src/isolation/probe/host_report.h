#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "canon/json.h"

namespace writ::isolation {

/// One thing a host may offer, and whether it did when it was tried.
struct Probe {
  std::string name;    ///< stable, listed in docs/formats/doctor.md: "namespace.net", "cgroup2.memory", ...
  bool ok = false;     ///< true only after the feature was used and did what it should
  std::string detail;  ///< what was seen; for a missing one the errno text. Same host, same text: no pids, no times
  std::string fix;     ///< the exact command or setting, and what works without; empty when ok
  bool operator==(const Probe&) const = default;
};

/// What a host offers to one caller. Nothing is inferred from version numbers.
struct HostReport {
  std::string kernel;         ///< release and machine, "6.18.44 x86_64"
  std::string caller;         ///< "root" or "user"; which probes apply depends on it
  std::vector<Probe> probes;  ///< in the order of docs/formats/doctor.md
  std::int64_t elapsed_us = 0;  ///< volatile: how long probing took; not part of the digest

  /// nullptr when the probe does not apply to this caller or was not made.
  const Probe* Find(std::string_view name) const;
  /// True only for a probe that was made and succeeded.
  bool Has(std::string_view name) const;
};

/// {"v":1,"kernel":..,"caller":..,"probes":[{"name","ok","detail","fix"}...],"volatile":{"elapsedUs":..}}
canon::Json ToJson(const HostReport& report);
/// Inverse of ToJson; `volatile` may be absent. Errors: kInvalid naming the member that is wrong.
Result<HostReport> ReportFromJson(const canon::Json& json);

/// Canonical bytes of ToJson without `volatile`: what the digest is taken over.
Result<std::string> StableBytes(const HostReport& report);
/// SHA-256 of StableBytes, 64 hex characters. Receipts name it.
Result<std::string> ReportDigest(const HostReport& report);

}  // namespace writ::isolation
