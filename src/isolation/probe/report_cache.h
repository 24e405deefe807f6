#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "isolation/probe/probe_host.h"

namespace writ::isolation {

/// Where one text is kept between runs, for example a file in the state directory.
class ReportStore {
 public:
  virtual ~ReportStore() = default;
  /// nullopt when nothing was put yet. Errors: the text exists but cannot be read.
  virtual Result<std::optional<std::string>> Get() = 0;
  /// Replaces the text atomically.
  virtual Result<> Put(std::string_view text) = 0;
};

/// Keeps the text in a file (0600), replaced by rename.
class FileReportStore final : public ReportStore {
 public:
  explicit FileReportStore(std::string path) : path_(std::move(path)) {}
  Result<std::optional<std::string>> Get() override;
  Result<> Put(std::string_view text) override;

 private:
  std::string path_;
};

/// Everything that makes a report outdated, as one digest: boot id, uid, cgroup, capabilities, seccomp and
/// no_new_privs state, security label, namespaces, resource limits, the sysctls that restrict namespaces,
/// `writ_version` and the options. Costs a few small reads of /proc.
std::string HostKey(const ProbeOptions& options, std::string_view writ_version);

struct CachedReport {
  HostReport report;
  std::string digest;
  bool fresh = false;  ///< probed by this call
};
enum class Refresh : bool { kIfOutdated, kAlways };

/// The kept report when its key still holds and its bytes match its digest, else a fresh one, which is kept. A
/// store that fails does not hide the report: the error of Put is returned in `*store_problem` when not null.
Result<CachedReport> CachedProbeHost(const ProbeOptions& options, std::string_view writ_version, ReportStore& store,
                                     Refresh refresh, std::optional<Error>* store_problem = nullptr);

/// Only the digest, without decoding the report: what every run needs for its receipt. Probes when outdated.
Result<std::string> CachedReportDigest(const ProbeOptions& options, std::string_view writ_version,
                                       ReportStore& store);

}  // namespace writ::isolation
