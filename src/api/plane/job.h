#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/plane/plane_service.h"
#include "api/plane/route.h"

namespace writ::api {

/// Something for the plane's thread to do.
struct Job {
  enum class Kind : std::uint8_t {
    kCall,
    kAdmit,  ///< a call whose body is read only when its sender is let in; it comes back as `admitted`
    kMayUpload,
    kFollow,
    kWork
  };
  Kind kind = Kind::kCall;
  PlaneCall call{};
  RouteMatch match{};                        ///< views into call.path
  std::optional<Result<canon::Json>> body{};  ///< read before the job got here, where the route's handler wants values
  std::shared_ptr<void> prepared{};
  std::string claim_token{};                 ///< for kAdmit, of a route that a claim token opens
  bool rate_taken = false;                   ///< for kAdmit: the call has been counted
  std::function<void(std::unique_ptr<Job>)> admitted{};  ///< for kAdmit, on the plane's thread
  PlaneService::Reply reply{};
  PlaneService::Refused refused{};
  std::shared_ptr<FollowSink> sink{};
  PlaneService::Work work{};
  std::function<void(plane::Answer<>)> done{};  ///< for kWork

  MonoTime waits_until{};                ///< of a call that waits
  std::string waits_on{}, waiter{};      ///< of a call that waits: Asked::Waiting::what, and the runner whose call it is
  std::function<bool()> wanted{};        ///< of a call that waits: whether asking it again may give an answer
  std::optional<PlaneReply> answer{};    ///< once it is known; sent after the commit
  bool depends = false;                  ///< on what the group has changed: 503 when that cannot be stored

  /// Sends `answer` to who asked.
  void SendAnswer();
};

}  // namespace writ::api
