#include "isolation/process/seccomp/rule.h"
#include "isolation/process/seccomp/rules/client.h"
#include "isolation/process/seccomp/rules/client_network.h"
#include "isolation/process/seccomp/rules/common.h"
#include "isolation/process/seccomp/rules/guest_devices.h"
#include "isolation/process/seccomp/rules/guest_network.h"
#include "isolation/process/seccomp/rules/guest_processes.h"
#include "isolation/process/seccomp/rules/refused.h"

namespace writ::seccomp {
namespace {

constexpr std::span<const Rule> kGuest[] = {kOwnProcess,   kDescriptors,  kFiles, kGuestProcesses,
                                            kGuestDevices, kGuestNetwork, kRefused};
constexpr std::span<const Rule> kClient[] = {kOwnProcess, kDescriptors, kFiles, kClientOnly, kRefused};
constexpr std::span<const Rule> kNetworkClient[] = {kOwnProcess, kDescriptors, kFiles, kClientNetwork, kClientOnly, kRefused};

}  // namespace

Policy GuestPolicy() { return kGuest; }
Policy ClientPolicy() { return kClient; }
Policy NetworkClientPolicy() { return kNetworkClient; }

}  // namespace writ::seccomp
