#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/error.h"
#include "runner/options.h"

namespace writ::api {
struct PlaneOptions;
}

namespace writ::http {

/// What main.cc knows.
struct ServeWiring {
  /// Starts the privileged helper and returns what runs jobs in this directory of a runner. Called at most once, before any thread exists.
  std::function<Result<std::vector<runner::TierBackend>>(const std::string& directory)> start_backends;
  /// Gives up every privilege. Called once the port is taken, before anything listens on it.
  std::function<Result<>()> confine;
  /// What the program knows of this machine for a runner: proxy of the network, mock agent. May be empty.
  std::function<Result<>(runner::Options&)> adjust;
  /// Tests only: another clock, shorter leases, labelled points (api/plane/plane_service.h).
  std::function<void(api::PlaneOptions&)> adjust_plane = {};
};

/// `writ serve`: runs a plane until SIGTERM or SIGINT, and returns the exit status. `arguments` come after the command.
int ServeMain(std::span<const std::string_view> arguments, const EnvLookup& env, const ServeWiring& wiring);

}  // namespace writ::http
