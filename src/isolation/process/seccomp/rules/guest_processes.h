#pragma once

#include <sys/prctl.h>

#include <cerrno>

#include "isolation/process/seccomp/rule.h"
#include "isolation/process/seccomp/rules/calls.h"

namespace writ::seccomp {

/// Processes, programs, memory with rights, identity and the small multiplexers around them.
inline constexpr Rule kGuestProcesses[] = {
    {"clone", Answer(EPERM), Int(0).HasAny(kCloneNamespaces), "a namespace of one's own gives capabilities inside it"},
    {"clone", kAllow, Always(), "threads and processes; the control group counts them"},
    {"fork", kAllow, Always(), "processes; the control group counts them"},
    {"vfork", kAllow, Always(), "processes; the control group counts them"},
    {"unshare", kAllow, Long(0).HasOnly(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM), "own directory, descriptors, undo list"},
    {"unshare", Answer(EPERM), Always(), "a namespace of one's own gives capabilities inside it"},
    {"execve", kAllow, Always(), "programs; no_new_privs makes set-user-id bits void"},
    {"execveat", kAllow, Always(), "programs; no_new_privs makes set-user-id bits void"},
    {"wait4", kAllow, Always(), "own children"},
    {"waitid", kAllow, Always(), "own children"},
    {"setsid", kAllow, Always(), "sessions; the cell is ended by its namespace, not by its session"},
    {"setpgid", kAllow, Always(), "job control"},
    {"rt_sigqueueinfo", kAllow, Always(), "as kill, with a value"},
    {"rt_tgsigqueueinfo", kAllow, Always(), "as kill, with a value"},
    // Memory with rights: compilers and interpreters write code at run time.
    {"mmap", kAllow, Always(), "memory and files"},
    {"mprotect", kAllow, Always(), "rights of memory"},
    {"pkey_mprotect", kAllow, Always(), "rights of memory"},
    {"memfd_create", kAllow, Always(), "files without a name, counted as the cell's memory"},
    {"mbind", kAllow, Always(), "placement of the caller's own memory"},
    {"set_mempolicy", kAllow, Always(), "placement of the caller's own memory"},
    {"get_mempolicy", kAllow, Always(), "placement of the caller's own memory"},
    // Identity: nothing to gain without capabilities, and shells, sudo-less tools and daemons call these.
    {"setuid", kAllow, Always(), "only to an id the caller already has"},
    {"setgid", kAllow, Always(), "only to an id the caller already has"},
    {"setreuid", kAllow, Always(), "only to an id the caller already has"},
    {"setregid", kAllow, Always(), "only to an id the caller already has"},
    {"setresuid", kAllow, Always(), "only to an id the caller already has"},
    {"setresgid", kAllow, Always(), "only to an id the caller already has"},
    {"setfsuid", kAllow, Always(), "only to an id the caller already has"},
    {"setfsgid", kAllow, Always(), "only to an id the caller already has"},
    {"setgroups", kAllow, Always(), "needs a capability nobody in the cell has"},
    {"capset", kAllow, Always(), "the sets are empty and can only stay so"},
    // Limits and scheduling of the cell's own processes.
    {"setrlimit", kAllow, Always(), "hard limits can only be lowered"},
    {"prlimit64", kAllow, Always(), "hard limits can only be lowered"},
    {"setpriority", kAllow, Always(), "niceness can only grow"},
    {"sched_setparam", kAllow, Always(), "real-time classes are closed by RLIMIT_RTPRIO"},
    {"sched_setscheduler", kAllow, Always(), "real-time classes are closed by RLIMIT_RTPRIO"},
    {"sched_setattr", kAllow, Always(), "real-time classes are closed by RLIMIT_RTPRIO"},
    {"ioprio_get", kAllow, Always(), "reads the priority of input and output"},
    {"ioprio_set", kAllow, Always(), "the real-time class needs a capability nobody in the cell has"},
    // A program may confine itself further.
    {"seccomp", kAllow, Always(), "filters add up; the strictest answer wins"},
    {"landlock_create_ruleset", kAllow, Always(), "rule sets add up"},
    {"landlock_add_rule", kAllow, Always(), "rule sets add up"},
    {"landlock_restrict_self", kAllow, Always(), "rule sets add up"},
    // Execution domains: the values that only change addresses or the reported release.
    {"personality", kAllow, Int(0).Is(0xffffffff), "asks, changes nothing"},
    {"personality", kAllow, Int(0).Is(0), "the default"},
    {"personality", kAllow, Int(0).Is(0x0008), "uname says the 32-bit machine"},
    {"personality", kAllow, Int(0).Is(0x20000), "uname says 2.6"},
    {"personality", kAllow, Int(0).Is(0x20008), "both of them"},
    {"personality", kAllow, Int(0).Is(0x40000), "fixed addresses, which sanitizers and debuggers ask for"},
    {"personality", Answer(EPERM), Always(), "other domains make data executable or map page zero"},
    {"arch_prctl", Answer(EINVAL), Int(0).Under(0xfffff000).Is(0x2000), "maps code for other instruction sets"},
    {"arch_prctl", kAllow, Always(), "thread pointer, vector registers and shadow stack of the caller"},
    // prctl: named operations; the rest gets what an older kernel would say.
    {"prctl", kAllow, Int(0).Is(PR_SET_NAME), "name of a thread"},
    {"prctl", kAllow, Int(0).Is(PR_GET_NAME), "name of a thread"},
    {"prctl", kAllow, Int(0).Is(0x53564d41), "PR_SET_VMA: allocators name their memory"},
    {"prctl", kAllow, Int(0).Is(PR_SET_PDEATHSIG), "signal when the parent ends"},
    {"prctl", kAllow, Int(0).Is(PR_GET_PDEATHSIG), "signal when the parent ends"},
    {"prctl", kAllow, Int(0).Is(PR_GET_DUMPABLE), "whether the caller may be inspected"},
    {"prctl", kAllow, Int(0).Is(PR_SET_DUMPABLE), "the caller's own processes only; core files are off"},
    {"prctl", kAllow, Int(0).Is(PR_GET_KEEPCAPS), "no capabilities to keep"},
    {"prctl", kAllow, Int(0).Is(PR_SET_KEEPCAPS), "no capabilities to keep"},
    {"prctl", kAllow, Int(0).Is(PR_GET_SECCOMP), "asks whether a filter is there"},
    {"prctl", kAllow, Int(0).Is(PR_SET_SECCOMP), "filters add up; the strictest answer wins"},
    {"prctl", kAllow, Int(0).Is(PR_CAPBSET_READ), "reads the (empty) bounding set"},
    {"prctl", kAllow, Int(0).Is(PR_CAPBSET_DROP), "the bounding set can only shrink"},
    {"prctl", kAllow, Int(0).Is(PR_CAP_AMBIENT), "ambient capabilities must be permitted ones, and none is"},
    {"prctl", kAllow, Int(0).Is(PR_GET_SECUREBITS), "reads the secure bits"},
    {"prctl", kAllow, Int(0).Is(PR_GET_TSC), "whether the time stamp counter is readable"},
    {"prctl", kAllow, Int(0).Is(PR_SET_TSC), "whether the time stamp counter is readable"},
    {"prctl", kAllow, Int(0).Is(PR_GET_TIMERSLACK), "precision of own timers"},
    {"prctl", kAllow, Int(0).Is(PR_SET_TIMERSLACK), "precision of own timers"},
    {"prctl", kAllow, Int(0).Is(PR_GET_TIMING), "a constant"},
    {"prctl", kAllow, Int(0).Is(PR_GET_CHILD_SUBREAPER), "supervisors adopt their own descendants"},
    {"prctl", kAllow, Int(0).Is(PR_SET_CHILD_SUBREAPER), "supervisors adopt their own descendants"},
    {"prctl", kAllow, Int(0).Is(PR_GET_NO_NEW_PRIVS), "reads the flag"},
    {"prctl", kAllow, Int(0).Is(PR_SET_NO_NEW_PRIVS), "already set, cannot be cleared"},
    {"prctl", kAllow, Int(0).Is(PR_GET_TID_ADDRESS), "reads the caller's own pointer"},
    {"prctl", kAllow, Int(0).Is(PR_GET_THP_DISABLE), "page size of own memory"},
    {"prctl", kAllow, Int(0).Is(PR_SET_THP_DISABLE), "page size of own memory"},
    {"prctl", kAllow, Int(0).Is(PR_GET_SPECULATION_CTRL), "whether speculation is limited"},
    {"prctl", kAllow, Int(0).Is(PR_SET_SPECULATION_CTRL), "programs limit their own speculation"},
    {"prctl", kAllow, Int(0).Is(PR_SVE_GET_VL), "vector length of the caller"},
    {"prctl", kAllow, Int(0).Is(PR_SVE_SET_VL), "vector length of the caller"},
    {"prctl", kAllow, Int(0).Is(PR_PAC_RESET_KEYS), "pointer authentication of the caller"},
    {"prctl", kAllow, Int(0).Is(PR_GET_TAGGED_ADDR_CTRL), "memory tagging of the caller"},
    {"prctl", kAllow, Int(0).Is(PR_SET_TAGGED_ADDR_CTRL), "memory tagging of the caller"},
    {"prctl", kAllow, Int(0).Is(65), "PR_SET_MDWE: forbids itself writable code"},
    {"prctl", kAllow, Int(0).Is(66), "PR_GET_MDWE: reads the flag"},
    {"prctl", Answer(EPERM), Int(0).Is(PR_SET_MM), "moves the marks that other tools read a process by"},
    {"prctl", Answer(EPERM), Int(0).Is(67), "PR_SET_MEMORY_MERGE: merged pages tell by timing what others hold"},
    {"prctl", Answer(EPERM), Int(0).Is(PR_SET_SECUREBITS), "changes how capabilities are counted"},
    {"prctl", Answer(EINVAL), Always(), "operations not named here do not exist in a cell"},
};

}  // namespace writ::seccomp
