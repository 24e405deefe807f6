#pragma once

#include <cstdint>
#include <functional>

#include "base/error.h"
#include "sys/tree.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// Owner of a copied entry, from what the original says.
using OwnerOf = std::function<std::pair<std::uint32_t, std::uint32_t>(const sys::FileMeta&)>;

/// Copies everything below `from` into the empty directory `to`: directories, regular files, links, with modes and
/// modification times; sockets, pipes and devices are left out; hard links become files of their own. The owner is
/// changed only where `owner` is set.
/// Errors: kExhausted when the target is full or the tree is deeper than 256 directories; kDenied for what may not be
/// read. The target may be half filled then.
Result<> CopyTree(const sys::UniqueFd& from, const sys::UniqueFd& to, const OwnerOf& owner);

}  // namespace writ::isolation::process
