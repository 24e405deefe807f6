#include "cli/plane_workspace.h"

#include <algorithm>

#include "base/escape.h"
#include "client/capture.h"

namespace writ::cli {
namespace {

constexpr Millis kCaptureMax{600'000};
constexpr std::size_t kPathsShown = 5;

std::string Listed(const std::vector<std::string>& paths) {
  std::string text;
  for (std::size_t i = 0; i < std::min(paths.size(), kPathsShown); ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", paths[i]);
  if (paths.size() > kPathsShown) text += fmt::format(" and {} more", paths.size() - kPathsShown);
  return text;
}

}  // namespace

Result<std::vector<client::Upload>> CaptureWorkspace(AskOptions& options, const std::string& state_directory) {
  if (options.repository.empty()) return std::vector<client::Upload>{};
  client::CaptureRequest request;
  request.repository = options.repository;
  request.bundles = state_directory + "/bundles";
  request.allow_untracked = options.allow_untracked;
  request.deny = options.deny;
  request.deny_tracked = options.deny_tracked ? client::DenyTracked::kRefuse : client::DenyTracked::kAllow;
  auto captured = WRIT_TRY("capture", client::Capture(request, Deadline::After(kCaptureMax)));
  if (!captured.tracked_denied.empty()) {
    options.warnings.push_back(fmt::format("these files are tracked, so they go along although they look like secrets: {}; --deny-tracked refuses that",
                                           Listed(captured.tracked_denied)));
  }
  for (const auto& skipped : captured.skipped) {
    options.warnings.push_back(fmt::format("{} does not go along: {}", skipped.path, skipped.reason));
  }
  options.ask.workspace = std::move(captured.manifest);
  return std::move(captured.uploads);
}

}  // namespace writ::cli
