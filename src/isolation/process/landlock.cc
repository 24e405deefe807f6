#include "isolation/process/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace writ::isolation::process {
namespace {

// Rights that the oldest supported kernel headers do not name.
constexpr std::uint64_t kFsTruncate = 1ull << 14;      // ABI 3
constexpr std::uint64_t kFsDeviceControl = 1ull << 15; // ABI 5
constexpr std::uint64_t kScopeAbstractSocket = 1ull << 0, kScopeSignal = 1ull << 1;  // ABI 6

/// struct landlock_ruleset_attr as of ABI 6; older kernels take it as long as the members they lack are zero.
struct RulesetAttributes {
  std::uint64_t handled_fs = 0, handled_net = 0, scoped = 0;
};

constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kMakeDevice = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK;

/// Every right that exists in version `abi`.
constexpr std::uint64_t AllRights(int abi) {
  std::uint64_t rights = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // ABI 1: the first thirteen
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= kFsTruncate;
  if (abi >= 5) rights |= kFsDeviceControl;
  return rights;
}
static_assert(AllRights(1) == 0x1fff && AllRights(7) == 0xffff);

constexpr std::uint64_t RightsFor(LandlockPlace::Use use, int abi) {
  std::uint64_t rights = kRead;
  if (use == LandlockPlace::Use::kDevices) rights |= LANDLOCK_ACCESS_FS_WRITE_FILE | kFsTruncate | kFsDeviceControl;
  if (use == LandlockPlace::Use::kWrite) rights = ~kMakeDevice;
  return rights & AllRights(abi);
}

constexpr LandlockPlace kCell[] = {
    {"/", LandlockPlace::Use::kRead},     {"/dev", LandlockPlace::Use::kDevices}, {"/dev/shm", LandlockPlace::Use::kWrite},
    {"/work", LandlockPlace::Use::kWrite}, {"/tmp", LandlockPlace::Use::kWrite},  {"/out", LandlockPlace::Use::kWrite},
};

Result<> Grant(const sys::UniqueFd& ruleset, const LandlockPlace& place, int abi) {
  const sys::UniqueFd directory{::open(place.path, O_PATH | O_DIRECTORY | O_CLOEXEC)};
  if (!directory.valid()) {
    if (errno == ENOENT) return {};
    return FailErrno(place.path);
  }
  const landlock_path_beneath_attr rule{.allowed_access = RightsFor(place.use, abi), .parent_fd = directory.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return FailErrno(fmt::format("landlock_add_rule {}", place.path));
  return {};
}

}  // namespace

Result<int> LandlockAbi() {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0UL, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi >= 1) return static_cast<int>(abi);
  // ENOSYS: not built; EOPNOTSUPP: not among the lsm= of this boot; EPERM: a filter around us hides it.
  return Fail(Code::kUnavailable, "this kernel offers no Landlock: {}", ::strerrordesc_np(errno) ?: "unknown error");
}

std::span<const LandlockPlace> CellPlaces() { return kCell; }

Result<Landlock> PrepareLandlock(std::span<const LandlockPlace> places) {
  const int abi = std::min(WRIT_TRY("Landlock", LandlockAbi()), kLandlockAbiKnown);
  RulesetAttributes attributes{.handled_fs = AllRights(abi)};
  if (abi >= 6) attributes.scoped = kScopeAbstractSocket | kScopeSignal;
  Landlock made{sys::UniqueFd{static_cast<int>(
                    ::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0))},
                abi};
  if (!made.ruleset.valid()) return FailErrno("landlock_create_ruleset");
  for (const LandlockPlace& place : places) WRIT_TRY("Landlock", Grant(made.ruleset, place, abi));
  return made;
}

Result<> EnforceLandlock(const Landlock& landlock) {
  if (::syscall(SYS_landlock_restrict_self, landlock.ruleset.get(), 0) != 0) return FailErrno("landlock_restrict_self");
  return {};
}

}  // namespace writ::isolation::process
