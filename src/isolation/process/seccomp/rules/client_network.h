#pragma once

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "isolation/process/seccomp/rule.h"
#include "isolation/process/seccomp/rules/calls.h"

namespace writ::seccomp {

/// What `writ` needs besides client.h, and read before it, when a run lets it open connections: to name servers, to
/// Vault, and to what policy granted.
inline constexpr Rule kClientNetwork[] = {
    {"socket", kAllow, {Int(0).Is(AF_INET), Int(1).Under(kSocketTypeMask).Is(SOCK_STREAM)}, "TCP out"},
    {"socket", kAllow, {Int(0).Is(AF_INET6), Int(1).Under(kSocketTypeMask).Is(SOCK_STREAM)}, "TCP out"},
    {"socket", kAllow, {Int(0).Is(AF_INET), Int(1).Under(kSocketTypeMask).Is(SOCK_DGRAM)}, "name servers"},
    {"socket", kAllow, {Int(0).Is(AF_INET6), Int(1).Under(kSocketTypeMask).Is(SOCK_DGRAM)}, "name servers"},
    {"setsockopt", kAllow, {Int(1).Is(IPPROTO_TCP), Int(2).Is(TCP_NODELAY)}, "small messages at once"},
    {"setsockopt", kAllow, {Int(1).Is(IPPROTO_IP), Int(2).Is(IP_RECVERR)}, "the resolver hears of unreachable servers"},
    {"setsockopt", kAllow, {Int(1).Is(IPPROTO_IPV6), Int(2).Is(IPV6_RECVERR)}, "the resolver hears of unreachable servers"},
    {"sendmmsg", kAllow, Always(), "the resolver asks for both kinds of address at once, the DNS stub answers many"},
    {"recvmmsg", kAllow, Always(), "the DNS stub takes many questions at once"},
};

}  // namespace writ::seccomp
