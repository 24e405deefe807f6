// The programs behind `writ serve` and `writ runner`, apart from `writ` so that this stays lean.
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "api/upstream_proxy.h"
#include "cli/host_probe.h"
#include "http/serve/serve_main.h"
#include "isolation/process/process_backend.h"
#include "runner/command.h"
#include "sys/file.h"

namespace {

using writ::Result;
using Backends = std::vector<writ::runner::TierBackend>;

/// What is known of this machine by the time a runner is made.
struct Host {
  std::string probe_digest;
};

Result<Backends> StartBackends(const std::string& directory, Host& host) {
  Backends backends;
  auto process = writ::isolation::process::ProcessBackend::Create(
      {.path = "", .warm_cells = 2, .refill = true, .one_run = false, .delegated_cgroup = ""});
  if (!process) return std::unexpected(std::move(process).error().Doing("start writ-jail"));
  backends.push_back({.backend = *std::move(process)});
  host.probe_digest = WRIT_TRY("probe the host", writ::cli::HostProbeDigestIn(directory));  // while it may start processes
  return backends;
}

/// The probe report, the proxy that jobs must use, and the mock agent, which is `writ mock-agent` of the same installation.
Result<> Adjust(writ::runner::Options& options, const Host& host) {
  options.probe_digest = host.probe_digest;
  options.upstream_proxy = WRIT_TRY("proxy", writ::api::UpstreamProxyOf(options.env));
  char self[4096];
  const ssize_t length = ::readlink("/proc/self/exe", self, sizeof self);
  if (length <= 0) return {};
  std::string directory(self, static_cast<std::size_t>(length));
  directory.resize(directory.rfind('/'));
  for (const std::string& place : {directory, directory + "/../../bin"}) {  // beside it, or seen from ../libexec/writ
    if (::access((place + "/writ").c_str(), X_OK) != 0) continue;
    options.mock = writ::runner::MockAgent{.directory = place, .program = "writ"};
    return {};
  }
  return {};
}

Result<> Confine() { return writ::isolation::process::ConfineClient(writ::isolation::process::ClientNetwork::kOut); }

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const std::string_view command = arguments.empty() ? "" : arguments.front();
  const auto rest = std::span(arguments).subspan(arguments.empty() ? 0 : 1);
  Host host;
  const auto start_backends = [&host](const std::string& directory) { return StartBackends(directory, host); };
  const auto adjust = [&host](writ::runner::Options& options) { return Adjust(options, host); };
  if (command == "serve") {
    return writ::http::ServeMain(rest, writ::ProcessEnv(), {.start_backends = start_backends, .confine = Confine, .adjust = adjust});
  }
  if (command == "runner") {
    return writ::runner::CommandMain(rest, writ::ProcessEnv(), {.start_backends = start_backends, .confine = Confine, .adjust = adjust});
  }
  static_cast<void>(writ::sys::WriteAll(2, "writ-server: the first argument is serve or runner; start it as `writ serve` or `writ runner`\n"));
  return 2;
}
