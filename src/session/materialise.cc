#include "session/materialise.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "crypto/digest.h"
#include "sys/tree.h"
#include "workspace/apart.h"
#include "workspace/git_head.h"
#include "workspace/hash_cache.h"
#include "workspace/warrant_manifest.h"

namespace writ::session {
namespace {

/// Absolute and free of links, as mount tables and the helper name it.
Result<std::string> RealPath(const std::string& path) {
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), ::free);
  if (!real) return FailErrno(path);
  return std::string(real.get());
}

struct Identity {
  dev_t device;
  ino_t inode;
  bool operator==(const Identity&) const = default;
};
Result<Identity> IdentityOf(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return FailErrno(path);
  return Identity{status.st_dev, status.st_ino};
}

/// Whether `directory` is the state directory or lies below it, by identity, so that links do not hide it.
Result<bool> LiesInside(const std::string& directory, const StatePlace& state) {
  const auto state_fd = WRIT_TRY("state directory", sys::OpenDirectory(state.path));
  const Identity target = WRIT_TRY("state directory", IdentityOf(state_fd.get(), state.path));
  sys::UniqueFd at(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at.valid()) return FailErrno(directory);
  Identity here = WRIT_TRY("look at", IdentityOf(at.get(), directory));
  for (;;) {
    if (here == target) return true;
    sys::UniqueFd up(::openat(at.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!up.valid()) return FailErrno("parent of " + directory);
    const Identity above = WRIT_TRY("look at", IdentityOf(up.get(), directory));
    if (above == here) return false;  // the root is its own parent
    here = above;
    at = std::move(up);
  }
}

std::string ParentOf(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<> CheckDirectoryApart(const sys::UniqueFd& directory, const StatePlace& state) {
  if (!state.exists) return {};
  const auto state_fd = WRIT_TRY("state directory", sys::OpenDirectory(state.path));
  return workspace::CheckApart(directory, state_fd);
}

Result<> CheckInputApart(const workspace::InputRequest& input, const StatePlace& state) {
  if (!state.exists) return {};
  const std::string real = WRIT_TRY("input", RealPath(input.path));
  struct stat status{};
  if (::stat(real.c_str(), &status) != 0) return FailErrno(real);
  if (S_ISDIR(status.st_mode)) {
    const auto directory = WRIT_TRY("input", sys::OpenDirectory(real));
    return CheckDirectoryApart(directory, state);
  }
  const bool inside = WRIT_TRY("input", LiesInside(ParentOf(real), state));
  if (inside) return Fail(Code::kDenied, "{} lies in the state directory, which no run may read", real);
  return {};
}

Result<isolation::Layer> Lend(const std::string& path, const sys::UniqueFd& directory) {
  sys::UniqueFd copy(::fcntl(directory.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy.valid()) return FailErrno("lend " + path);
  return isolation::Layer{path, std::move(copy)};
}

/// Root wonders why it may not read a file: the right to read everybody's was given up before anything was opened.
Error WithoutRootsRights(Error error) {
  if (error.code == Code::kDenied && ::geteuid() == 0)
    error.what += "; writ started by root gives up root's right to read other users' files: give it a copy that root owns, "
                  "or start it as the owner";
  return error;
}

/// The cache of one workspace's hashes, which makes the second look at a large one cheap.
std::unique_ptr<workspace::FileHashCache> OpenCache(const sys::UniqueFd& directory, const StatePlace& state) {
  if (!state.exists || state.staging.empty()) return nullptr;
  const auto identity = IdentityOf(directory.get(), "workspace");
  const std::string folder = state.path + "/cache";
  if (!identity || !sys::MakeDirectories(folder, 0700)) return nullptr;
  auto cache = std::make_unique<workspace::FileHashCache>(
      fmt::format("{}/hashes-{:x}-{:x}", folder, identity->device, identity->inode));
  static_cast<void>(cache->Load());  // a damaged cache is an empty one, and Save mends it
  return cache;
}

Result<workspace::Manifest> CaptureWorkspace(const sys::UniqueFd& directory, const StatePlace& state,
                                             const Clock& clock) {
  sys::LocalTreeOpener opener;
  const auto cache = OpenCache(directory, state);
  workspace::CaptureOptions options;
  options.cache = cache.get();
  auto manifest = workspace::Capture(directory, opener, options, clock);
  // Losing the cache costs time, never correctness, and must not fail a run (a full disk, say).
  if (cache && manifest) static_cast<void>(cache->Save());
  return manifest;
}

}  // namespace

Result<Materialised> Materialise(const Sources& sources, const StatePlace& state, std::string_view run_id,
                                 const Clock& clock) {
  Materialised seen;
  std::optional<std::string> base_commit;
  if (!sources.root.empty()) {
    seen.root_path = WRIT_TRY("root", RealPath(sources.root));
    seen.root = WRIT_TRY("root", sys::OpenDirectory(seen.root_path));
    WRIT_TRY(fmt::format("root {}", seen.root_path), CheckDirectoryApart(seen.root, state));
  }
  if (!sources.workspace.empty()) {
    seen.workspace_path = WRIT_TRY("workspace", RealPath(sources.workspace));
    seen.workspace = WRIT_TRY("workspace", sys::OpenDirectory(seen.workspace_path));
    WRIT_TRY(fmt::format("workspace {}", seen.workspace_path), CheckDirectoryApart(seen.workspace, state));
    seen.manifest = WRIT_TRY(fmt::format("workspace {}", seen.workspace_path),
                             CaptureWorkspace(seen.workspace, state, clock));
    base_commit = WRIT_TRY(fmt::format("workspace {}", seen.workspace_path), workspace::ReadGitHead(seen.workspace));
  }
  seen.wire_manifest = workspace::ToWarrantManifest(seen.manifest, base_commit, {});
  const std::string canonical = WRIT_TRY("manifest", canon::Canonical(seen.wire_manifest));
  seen.manifest_hash = crypto::Sha256Hex(canonical);

  if (!sources.inputs.empty()) {
    for (const auto& input : sources.inputs)
      WRIT_TRY(fmt::format("input {}", input.path), CheckInputApart(input, state));
    const std::string parent = state.staging.empty() ? "/tmp" : state.staging;
    auto staging = WRIT_TRY("inputs", sys::TemporaryDirectory::Create(parent, fmt::format("{}.", run_id)));
    seen.staging = std::make_unique<sys::TemporaryDirectory>(std::move(staging));
    auto staged = workspace::StageInputs(sources.inputs, seen.staging->fd());
    if (!staged) return std::unexpected(WithoutRootsRights(std::move(staged).error()).Doing("inputs"));
    seen.inputs = *std::move(staged);
  }
  return seen;
}

Result<> LendLayers(const Materialised& given, isolation::SessionSpec& spec) {
  if (given.root.valid()) spec.root = WRIT_TRY("root", Lend(given.root_path, given.root));
  if (given.workspace.valid()) spec.workspace = WRIT_TRY("workspace", Lend(given.workspace_path, given.workspace));
  if (given.staging) spec.inputs = WRIT_TRY("inputs", Lend(given.staging->path(), given.staging->fd()));
  return {};
}

Result<workspace::Drift> FindDrift(const Materialised& given, const StatePlace& state, const Clock& clock) {
  if (!given.workspace.valid()) return workspace::Drift{};
  const auto again = WRIT_TRY("look at the workspace again", CaptureWorkspace(given.workspace, state, clock));
  return workspace::ChangedBetween(given.manifest, again);
}

Result<> CheckOutside(const std::string& directory, const StatePlace& state) {
  if (directory.empty() || !state.exists) return {};
  std::string existing = directory;
  while (::access(existing.c_str(), F_OK) != 0 && existing != "/" && existing != ".") existing = ParentOf(existing);
  const bool inside = WRIT_TRY("look at " + existing, LiesInside(existing, state));
  if (inside) return Fail(Code::kDenied, "{} lies in the state directory {}", directory, state.path);
  return {};
}

}  // namespace writ::session
