#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "isolation/process/seccomp/rule.h"
#include "isolation/process/seccomp/rules/calls.h"

namespace writ::seccomp {

inline constexpr std::uint32_t kNetlinkRoute = 0;

/// Sockets and System V communication. The families are those that are confined by the cell's network namespace
/// and file tree; vsock, for one, would reach the host past both.
inline constexpr Rule kGuestNetwork[] = {
    {"socket", kAllow, {Int(0).Is(AF_UNIX), Int(1).Under(kSocketTypeMask).Is(SOCK_STREAM)}, "local sockets"},
    {"socket", kAllow, {Int(0).Is(AF_UNIX), Int(1).Under(kSocketTypeMask).Is(SOCK_DGRAM)}, "local sockets"},
    {"socket", kAllow, {Int(0).Is(AF_UNIX), Int(1).Under(kSocketTypeMask).Is(SOCK_SEQPACKET)}, "local sockets"},
    {"socket", kAllow, {Int(0).Is(AF_INET), Int(1).Under(kSocketTypeMask).Is(SOCK_STREAM), Int(2).Is(0)}, "TCP"},
    {"socket", kAllow, {Int(0).Is(AF_INET), Int(1).Under(kSocketTypeMask).Is(SOCK_STREAM), Int(2).Is(IPPROTO_TCP)}, "TCP"},
    {"socket", kAllow, {Int(0).Is(AF_INET), Int(1).Under(kSocketTypeMask).Is(SOCK_DGRAM), Int(2).Is(0)}, "UDP"},
    {"socket", kAllow, {Int(0).Is(AF_INET), Int(1).Under(kSocketTypeMask).Is(SOCK_DGRAM), Int(2).Is(IPPROTO_UDP)}, "UDP"},
    {"socket", kAllow, {Int(0).Is(AF_INET6), Int(1).Under(kSocketTypeMask).Is(SOCK_STREAM), Int(2).Is(0)}, "TCP"},
    {"socket", kAllow, {Int(0).Is(AF_INET6), Int(1).Under(kSocketTypeMask).Is(SOCK_STREAM), Int(2).Is(IPPROTO_TCP)}, "TCP"},
    {"socket", kAllow, {Int(0).Is(AF_INET6), Int(1).Under(kSocketTypeMask).Is(SOCK_DGRAM), Int(2).Is(0)}, "UDP"},
    {"socket", kAllow, {Int(0).Is(AF_INET6), Int(1).Under(kSocketTypeMask).Is(SOCK_DGRAM), Int(2).Is(IPPROTO_UDP)}, "UDP"},
    {"socket", kAllow, {Int(0).Is(AF_NETLINK), Int(2).Is(kNetlinkRoute)}, "getaddrinfo and getifaddrs read addresses"},
    {"socket", Answer(EPERM), {Int(0).Is(AF_INET), Int(1).Under(kSocketTypeMask).Is(SOCK_RAW)}, "forges packets"},
    {"socket", Answer(EPERM), {Int(0).Is(AF_INET6), Int(1).Under(kSocketTypeMask).Is(SOCK_RAW)}, "forges packets"},
    {"socket", Answer(EPROTONOSUPPORT), Int(0).Is(AF_INET), "SCTP, MPTCP, DCCP and others: kernel code few programs need"},
    {"socket", Answer(EPROTONOSUPPORT), Int(0).Is(AF_INET6), "SCTP, MPTCP, DCCP and others: kernel code few programs need"},
    {"socket", Answer(EPROTONOSUPPORT), Int(0).Is(AF_NETLINK), "nf_tables, audit, xfrm and others configure the kernel"},
    {"socket", Answer(ESOCKTNOSUPPORT), Int(0).Is(AF_UNIX), "local sockets have three types"},
    {"socket", Answer(EAFNOSUPPORT), Always(), "vsock, packet, alg, bluetooth and others lead out or into rare kernel code"},
    {"socketpair", kAllow, Int(0).Is(AF_UNIX), "local sockets"},
    {"socketpair", Answer(EOPNOTSUPP), Always(), "only local sockets come in pairs"},
    {"setsockopt", Answer(ENOPROTOOPT), {Int(1).Is(IPPROTO_TCP), Int(2).Is(TCP_ULP)}, "loads protocols below TCP into the kernel"},
    {"setsockopt", Answer(ENOPROTOOPT), {Int(1).Is(IPPROTO_UDP), Int(2).Is(100)}, "UDP_ENCAP: tunnels inside the kernel"},
    {"setsockopt", kAllow, Always(), "options of an open socket"},
    {"getsockopt", kAllow, Always(), "options of an open socket"},
    {"getsockname", kAllow, Always(), "an open socket"},
    {"getpeername", kAllow, Always(), "an open socket"},
    {"bind", kAllow, Always(), "addresses of the cell's network and names of its files"},
    {"listen", kAllow, Always(), "an open socket"},
    {"accept", kAllow, Always(), "an open socket"},
    {"accept4", kAllow, Always(), "an open socket"},
    {"connect", kAllow, Always(), "the network namespace decides what there is to reach"},
    {"shutdown", kAllow, Always(), "an open socket"},
    {"sendto", kAllow, Always(), "an open socket"},
    {"sendmsg", kAllow, Always(), "an open socket"},
    {"sendmmsg", kAllow, Always(), "an open socket"},
    {"recvfrom", kAllow, Always(), "an open socket"},
    {"recvmsg", kAllow, Always(), "an open socket"},
    {"recvmmsg", kAllow, Always(), "an open socket"},
    // System V and POSIX communication: the cell has an ipc namespace of its own, its pages count as memory.
    {"shmget", kAllow, Always(), "shared memory of the cell"},
    {"shmat", kAllow, Always(), "shared memory of the cell"},
    {"shmdt", kAllow, Always(), "shared memory of the cell"},
    {"shmctl", kAllow, Always(), "shared memory of the cell"},
    {"semget", kAllow, Always(), "semaphores of the cell"},
    {"semop", kAllow, Always(), "semaphores of the cell"},
    {"semtimedop", kAllow, Always(), "semaphores of the cell"},
    {"semctl", kAllow, Always(), "semaphores of the cell"},
    {"msgget", kAllow, Always(), "message queues of the cell"},
    {"msgsnd", kAllow, Always(), "message queues of the cell"},
    {"msgrcv", kAllow, Always(), "message queues of the cell"},
    {"msgctl", kAllow, Always(), "message queues of the cell"},
    {"mq_open", kAllow, Always(), "message queues of the cell"},
    {"mq_unlink", kAllow, Always(), "message queues of the cell"},
    {"mq_timedsend", kAllow, Always(), "message queues of the cell"},
    {"mq_timedreceive", kAllow, Always(), "message queues of the cell"},
    {"mq_notify", kAllow, Always(), "message queues of the cell"},
    {"mq_getsetattr", kAllow, Always(), "message queues of the cell"},
};

}  // namespace writ::seccomp
