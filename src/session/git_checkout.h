#pragma once

#include <cstdint>
#include <string>

#include "base/deadline.h"
#include "base/error.h"
#include "contract/manifest.h"
#include "isolation/backend.h"
#include "session/git_cell.h"
#include "sys/file.h"
#include "workspace/blobs.h"

namespace writ::session {

/// Whether a manifest can be checked out here. Errors: kInvalid for a base that is no full commit id, for an untracked
/// file inside a repository's own directory (`.git`, however it is written), for two of one path.
Result<> CheckManifest(const contract::WorkspaceManifest& manifest);

/// Names what MakeCheckout would make: SHA-256 over bundle, commit, dirty diff and untracked files.
std::string CheckoutKey(const contract::WorkspaceManifest& manifest);

/// What was made.
struct MadeCheckout {
  std::uint64_t bytes = 0;  ///< of files
  std::size_t entries = 0;
};

/// Name of the work tree inside the directory given to MakeCheckout.
inline constexpr char kCheckoutTree[] = "tree";

/// Makes the work tree `kCheckoutTree` in an empty directory of the caller: in a cell the bundle is cloned, the commit
/// checked out (detached) and the dirty diff applied, unstaged; then the tree is taken out of the cell and untracked
/// files are written into it. Every content is hashed on its way. The repository keeps its `.git`, with empty hooks.
/// Errors: kCorrupt `blob hash mismatch for PATH`, or what git says of a bundle or diff that is not right; kInvalid for
///         a path that leads through a link or is there already as something else than a file; those of `blobs` and
///         of RunGit. What was made until then stays for the caller to remove.
Result<MadeCheckout> MakeCheckout(const contract::WorkspaceManifest& manifest, workspace::BlobSource& blobs,
                                  const sys::TemporaryDirectory& place, const GitLimits& limits,
                                  isolation::Backend& backend, Deadline deadline);

}  // namespace writ::session
