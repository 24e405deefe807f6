#include "isolation/probe/report_cache.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "isolation/probe/own_namespaces.h"
#include "sys/file.h"

namespace writ::isolation {
namespace {

constexpr std::string_view kMagic = "writ-host-report 1 ";
constexpr std::size_t kCacheBytesMax = 256u << 10;
constexpr std::size_t kHashChars = 64;

/// Lines of /proc/self/status that say what this process may do.
std::string Rights() {
  const std::string status = ReadSmall("/proc/self/status");
  std::string out;
  for (const std::string_view name : {"CapEff:", "CapBnd:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:", "Groups:"}) {
    const std::size_t at = status.find("\n" + std::string(name));
    if (at == std::string::npos) continue;
    out += status.substr(at, status.find('\n', at + 1) - at);
  }
  return out;
}

/// A kept text is one line, magic, key and digest, then the canonical bytes the digest is taken over.
struct Kept {
  std::string_view key, digest, bytes;
};

std::optional<Kept> Split(std::string_view text) {
  const std::size_t head = kMagic.size() + kHashChars + 1 + kHashChars;
  if (!text.starts_with(kMagic) || text.find('\n') != head) return std::nullopt;
  return Kept{text.substr(kMagic.size(), kHashChars), text.substr(kMagic.size() + kHashChars + 1, kHashChars),
              text.substr(head + 1)};
}

/// The kept parts when they belong to `key` and are whole. A damaged text is no report: it is probed again.
std::optional<Kept> Usable(const Result<std::optional<std::string>>& text, std::string_view key) {
  if (!text || !*text) return std::nullopt;
  auto kept = Split(**text);
  if (!kept || kept->key != key || crypto::Sha256Hex(kept->bytes) != kept->digest) return std::nullopt;
  return kept;
}

Result<CachedReport> ProbeAndKeep(const ProbeOptions& options, const std::string& key, ReportStore& store,
                                  std::optional<Error>* store_problem) {
  CachedReport out{.report = WRIT_TRY("probe", ProbeHost(options)), .digest = {}, .fresh = true};
  const std::string bytes = WRIT_TRY("keep host report", StableBytes(out.report));
  out.digest = crypto::Sha256Hex(bytes);
  auto kept = store.Put(fmt::format("{}{} {}\n{}", kMagic, key, out.digest, bytes));
  if (!kept && store_problem != nullptr) *store_problem = std::move(kept).error().Doing("keep host report");
  return out;
}

}  // namespace

Result<std::optional<std::string>> FileReportStore::Get() {
  auto text = sys::ReadFile(path_, kCacheBytesMax);
  if (text) return std::optional(*std::move(text));
  if (text.error().code == Code::kNotFound) return std::nullopt;
  return std::unexpected(std::move(text).error());
}

Result<> FileReportStore::Put(std::string_view text) {
  // Not synced: after a crash an empty or old text is noticed by its key or digest, and probed again.
  return sys::WriteFileAtomic(path_, text, 0600, sys::Durability::kQuick);
}

std::string HostKey(const ProbeOptions& options, std::string_view writ_version) {
  crypto::Sha256 hash;
  const auto add = [&](std::string_view text) {
    hash.Update(AsBytes(text));
    hash.Update(AsBytes(std::string_view("\0", 1)));
  };
  add(writ_version);
  add(fmt::format("{} {} {} {}", ::getuid(), ::geteuid(), ::getgid(), ::getegid()));
  for (const char* path : {"/proc/sys/kernel/random/boot_id", "/proc/self/cgroup", "/proc/self/attr/current",
                           "/proc/sys/kernel/unprivileged_userns_clone",
                           "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
                           "/proc/sys/user/max_user_namespaces", "/proc/sys/user/max_net_namespaces"})
    add(ReadSmall(path));
  add(Rights());
  for (const char* path : {"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/cgroup", "/proc/self/root", "/dev/kvm"}) {
    struct stat info{};
    add(::stat(path, &info) == 0 ? fmt::format("{} {} {:o}", info.st_dev, info.st_ino, info.st_mode) : "none");
  }
  for (int which = 0; which < static_cast<int>(RLIMIT_NLIMITS); ++which) {
    rlimit limit{};
    ::getrlimit(static_cast<__rlimit_resource>(which), &limit);
    add(fmt::format("{} {}", limit.rlim_cur, limit.rlim_max));
  }
  for (const std::string& directory : options.idmap_directories) add(directory);
  add(options.delegate_scope ? "scope" : "no scope");
  return hash.FinishHex();
}

Result<CachedReport> CachedProbeHost(const ProbeOptions& options, std::string_view writ_version, ReportStore& store,
                                     Refresh refresh, std::optional<Error>* store_problem) {
  const std::string key = HostKey(options, writ_version);
  if (refresh == Refresh::kIfOutdated) {
    const auto text = store.Get();
    if (const auto kept = Usable(text, key)) {
      const auto json = canon::Parse(kept->bytes, canon::Mode::kStrict);
      auto report = json ? ReportFromJson(*json) : Result<HostReport>(std::unexpected(json.error()));
      if (report) return CachedReport{*std::move(report), std::string(kept->digest), false};
    }
  }
  return ProbeAndKeep(options, key, store, store_problem);
}

Result<std::string> CachedReportDigest(const ProbeOptions& options, std::string_view writ_version,
                                       ReportStore& store) {
  const std::string key = HostKey(options, writ_version);
  const auto text = store.Get();
  if (const auto kept = Usable(text, key)) return std::string(kept->digest);
  return WRIT_TRY("host report", ProbeAndKeep(options, key, store, nullptr)).digest;
}

}  // namespace writ::isolation
