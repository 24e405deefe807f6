#pragma once

#include <cstdint>

namespace writ::session {

/// How many connections so many descriptors are good for, at most `wanted`, at least 1: a tunnel takes two descriptors and
/// two pipes at most, and the rest of this process must never be left without any.
std::uint32_t ConnectionsWithin(std::uint64_t descriptors, std::uint32_t wanted);

/// As many connections as the descriptors of this process are good for, after its soft limit was raised as far as that
/// takes. What was started before keeps its own limit: the jail and its guests.
std::uint32_t ConnectionsFor(std::uint32_t wanted);

}  // namespace writ::session
