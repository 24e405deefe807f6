#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "isolation/process/identity.h"
#include "sys/unique_fd.h"

// Steps of a cell's PID 1 that concern itself and its namespaces, not the root file system or the guest.
namespace writ::isolation::process {

/// Brings up `lo`, the only interface of the namespace. Source: netdevice(7).
Result<> RaiseLoopback();

/// A time namespace whose clocks begin at zero, entered by the guest's process when it is forked. False: the kernel has
/// none. Call while /proc/self still belongs to this process's user. Source: time_namespaces(7).
bool EnterTimeNamespace();

/// Becomes id 0 of the cell where the cell has a whole range of ids.
Result<> BecomeSetupUser(const CellIds& ids);

/// Closes every descriptor from 3 on that is not listed; negative ones are ignored. Errors: kUnavailable and others, and
/// then some may be open. Source: close_range(2).
Result<> CloseAllBut(std::vector<int> kept);

/// Moves the calling process, which has one thread, into the groups whose `tasks` files these are (none: it was born in its
/// group), and hides what is above them. Source: cgroups(7), cgroup_namespaces(7).
Result<> EnterControlGroup(std::span<const sys::UniqueFd> tasks);

/// From the launch on PID 1 ends processes and reads what they left, nothing else.
Result<> KeepOnlyWhatIsNeeded();

/// Makes the guest the kernel's first choice when the cell's memory is used up, so that PID 1 lives to tell: processes
/// forked between Raise and Restore are preferred. Open while /proc/self still belongs to this process's user.
class OutOfMemoryPreference {
 public:
  Result<> Open();
  Result<> Raise() { return Write("900"); }
  Result<> Restore() { return Write(own_); }

 private:
  Result<> Write(std::string_view text);
  sys::UniqueFd fd_;
  std::string own_;
};

}  // namespace writ::isolation::process
