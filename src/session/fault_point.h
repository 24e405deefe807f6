#pragma once

#include <functional>
#include <string_view>

namespace writ::session {

/// Called at labelled points of a run's life. Tests stop the process there, as kill -9 or a power cut would, and
/// then look at what a later command makes of it. Absent outside of tests.
using FaultHook = std::function<void(std::string_view label)>;

namespace fault {
// Every point at which what is on disk has just changed or is about to, in order.
inline constexpr std::string_view kContracted = "contracted";  ///< contract and claim are durable
inline constexpr std::string_view kStarted = "started";        ///< the guest runs, its first event is written
inline constexpr std::string_view kGuestEnded = "guest-ended"; ///< dead, nothing of its end written yet
inline constexpr std::string_view kEndRecorded = "end-recorded";  ///< how it ended is in the chain, nothing collected
inline constexpr std::string_view kCollected = "collected";    ///< results are blobs that nobody names yet
inline constexpr std::string_view kSigned = "signed";          ///< receipt signed twice, not yet stored
inline constexpr std::string_view kEnded = "ended";            ///< receipt durable, not yet shown
inline constexpr std::string_view kAll[] = {kContracted, kStarted, kGuestEnded,
                                           kEndRecorded, kCollected, kSigned, kEnded};
}  // namespace fault

inline void Reach(const FaultHook& hook, std::string_view label) {
  if (hook) hook(label);
}

}  // namespace writ::session
