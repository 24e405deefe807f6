#pragma once

#include <functional>

#include "egress/core.h"

namespace writ::egress {

/// Accepts the connections of one door, at most kPerTurn before others have their turn. A connection more than the
/// limit of the run is closed unseen. Closes the door's descriptor when destroyed.
class Listener final : public EventTarget {
 public:
  /// Makes what serves one accepted socket and adopts it.
  using Serve = std::function<void(sys::UniqueFd socket)>;
  Listener(Core& core, sys::UniqueFd door, Serve serve);
  /// Errors: what listen(2)'s descriptor refuses.
  Result<> Start();

  static constexpr int kPerTurn = 64;

 private:
  void OnEvents(Watch& watch, std::uint32_t events) override;
  void OnTimer(Timer& timer) override;
  void Accept();

  Core& core_;
  sys::UniqueFd door_;
  const Serve serve_;
  Watch watch_;
  Timer again_;
};

}  // namespace writ::egress
