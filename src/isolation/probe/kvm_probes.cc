#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "isolation/probe/own_namespaces.h"
#include "isolation/probe/probe_sets.h"

namespace writ::isolation {
namespace {

const char* const kWithout = "; without it the microvm tier is emulated, slow but correct";

Finding Refused(const char* step, int failure) {
  std::string fix = failure == ENOENT   ? "modprobe kvm_intel or kvm_amd, with virtualisation enabled in the firmware, "
                                          "or nested virtualisation by the host"
                    : failure == EACCES ? "usermod -aG kvm USER, then log in again"
                                        : "virtualisation that works: see the host's settings";
  return Finding::Missing(std::string(step) + ": " + ErrnoText(failure), fix + kWithout);
}

/// What a container runtime leaves where its guests see it.
bool InContainer() {
  return ::access("/.dockerenv", F_OK) == 0 || ::access("/run/.containerenv", F_OK) == 0 ||
         ::access("/run/systemd/container", F_OK) == 0;
}

#if defined(__x86_64__)

/// Adds 2 and 3 in real mode and halts. A device that exists but cannot run a guest is seen here.
Finding TryKvm() {
  constexpr std::size_t kPage = 4096;
  constexpr std::uint64_t kStart = 0x1000;
  constexpr unsigned char kCode[] = {0x01, 0xd8,  // add ax, bx
                                     0xf4};       // hlt
  const sys::UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm.valid()) return Refused("open /dev/kvm", errno);
  if (::ioctl(kvm.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION) return Refused("KVM_GET_API_VERSION", EPROTO);
  const sys::UniqueFd machine(::ioctl(kvm.get(), KVM_CREATE_VM, 0));
  if (!machine.valid()) return Refused("KVM_CREATE_VM", errno);
  void* const memory = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Refused("mmap", errno);
  std::memcpy(memory, kCode, sizeof kCode);
  kvm_userspace_memory_region region{};
  region.guest_phys_addr = kStart;
  region.memory_size = kPage;
  region.userspace_addr = reinterpret_cast<std::uintptr_t>(memory);
  if (::ioctl(machine.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0) return Refused("give memory", errno);
  const sys::UniqueFd cpu(::ioctl(machine.get(), KVM_CREATE_VCPU, 0));
  if (!cpu.valid()) return Refused("KVM_CREATE_VCPU", errno);
  const int size = ::ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < static_cast<int>(sizeof(kvm_run))) return Refused("KVM_GET_VCPU_MMAP_SIZE", errno);
  void* const mapped =
      ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, cpu.get(), 0);
  if (mapped == MAP_FAILED) return Refused("map the processor", errno);
  const auto* run = static_cast<const kvm_run*>(mapped);

  kvm_sregs special{};
  if (::ioctl(cpu.get(), KVM_GET_SREGS, &special) != 0) return Refused("KVM_GET_SREGS", errno);
  special.cs.base = 0;
  special.cs.selector = 0;
  if (::ioctl(cpu.get(), KVM_SET_SREGS, &special) != 0) return Refused("KVM_SET_SREGS", errno);
  kvm_regs registers{};
  registers.rip = kStart;
  registers.rax = 2;
  registers.rbx = 3;
  registers.rflags = 2;  // the bit that is always set
  if (::ioctl(cpu.get(), KVM_SET_REGS, &registers) != 0) return Refused("KVM_SET_REGS", errno);
  if (::ioctl(cpu.get(), KVM_RUN, 0) != 0) return Refused("KVM_RUN", errno);
  if (run->exit_reason != KVM_EXIT_HLT)
    return Finding::Missing("the guest did not halt (exit reason " + std::to_string(run->exit_reason) + ")",
                            std::string("virtualisation that works: see the host's settings") + kWithout);
  if (::ioctl(cpu.get(), KVM_GET_REGS, &registers) != 0 || (registers.rax & 0xffff) != 5)
    return Finding::Missing("the guest computed 2 + 3 wrongly", std::string("do not use this machine's KVM") + kWithout);
  Finding finding = Finding::Ok("a guest ran and halted");
  if (InContainer())
    finding.fix = "this is a container: before microVMs are allowed to use KVM here, review that /dev/kvm was passed "
                  "on purpose and who else may open it, because its kernel interface is then reachable from inside";
  return finding;
}

#else

Finding TryKvm() {
  return Finding::Missing("no guest program for this processor, so KVM could not be tried",
                          std::string("an x86-64 machine") + kWithout);
}

#endif

}  // namespace

void AddKvmProbes(std::vector<ProbeSpec>& specs) { specs.emplace_back("kvm", TryKvm); }

}  // namespace writ::isolation
