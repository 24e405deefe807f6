#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

/// The id that the guest has inside every cell, as user and as group.
constexpr unsigned kGuestId = 1000;
/// Ids inside a cell that has a whole range.
constexpr unsigned kIdsPerCell = 65536;
constexpr std::uint32_t kIdBaseDefault = 1'879'048'192;  ///< 0x70000000

/// The ids of one cell: what is written to its uid_map and gid_map.
struct CellIds {
  std::string uid_map, gid_map;
  bool whole_range = false;   ///< 0..65535 exist inside; else only kGuestId does
  bool deny_setgroups = false;
  std::uint32_t base = 0;     ///< id outside of id 0 inside (own ranges of root only)
  sys::UniqueFd claim;        ///< holds the range for this cell; closing gives it back
};

/// Where the jail takes ids from, decided once when it starts.
class Identity {
 public:
  enum class Kind : std::uint8_t {
    kOwnRanges,    ///< started by root: a range that belongs to nobody, per cell
    kSubordinate,  ///< rootless with newuidmap/newgidmap: the caller's subordinate range
    kSingle        ///< rootless without: the guest is the caller, supplementary groups may stay
  };

  /// Decides the kind and, when rootless, moves the calling process into a user namespace of its own in which it
  /// holds every capability. Call once, single-threaded, before any other namespace is made.
  /// Errors: kUnavailable naming what is missing (user namespaces off, root without CAP_SYS_ADMIN).
  /// Source: user_namespaces(7), newuidmap(1).
  static Result<Identity> Enter(std::uint32_t id_base);

  Kind kind() const { return kind_; }
  /// "dropped", "none" (there were none) or "kept".
  const std::string& groups() const { return groups_; }

  /// Ids for one more cell. Errors: kExhausted when every range is in use.
  Result<CellIds> Claim() const;

 private:
  Kind kind_ = Kind::kSingle;
  std::string groups_;
  std::uint32_t id_base_ = kIdBaseDefault;
};

}  // namespace writ::isolation::process
