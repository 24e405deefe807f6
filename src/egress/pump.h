#pragma once

#include <memory>
#include <string>

#include "egress/core.h"
#include "egress/sockets.h"

namespace writ::egress {

/// Which way a pump goes, seen from the job.
enum class Flow : std::uint8_t { kOut, kIn };

/// Moves the bytes of one direction of a tunnel: small messages by copying, bulk through a pipe. Buffers exist only
/// while the receiver is slower than the sender.
class Pump {
 public:
  enum class State : std::uint8_t {
    kWait,    ///< for the descriptors
    kAgain,   ///< had its fair share; there is more to do
    kRate,    ///< the rate or the budget says no more now
    kDone,    ///< the sender has ended and the receiver knows
    kBroken,  ///< one of the two connections is of no use any more
  };
  Pump(Core& core, HostBytes& account, Flow flow) : core_(core), account_(account), flow_(flow) {}

  /// Bytes to send before anything that is read. Counted now.
  void Preload(std::string_view bytes, bool count);
  /// `ending`: the sender has sent its last (EPOLLRDHUP and worse), so a short read does not mean "no more for now".
  void NowReadable(bool ending) { readable_ = true, ending_ = ending_ || ending; }
  void NowWritable() { writable_ = true; }
  /// Moves what can be moved from one socket to the other. `last`: the other direction is done, so that the receiver
  /// learns of the sender's end by close(2), which must follow kDone.
  State Move(int from, int to, bool last);
  bool moved_anything() const { return moved_; }
  bool holds_bytes() const { return !held_.empty() || pipe_bytes_ > 0; }
  bool done() const { return told_; }

 private:
  enum class Step : std::uint8_t { kGoOn, kWait, kBroken };
  Step Deliver(int to);
  Step Copy(int from, int to, std::size_t bytes_max);
  Step Fill(int from, std::size_t bytes_max);
  void Count(std::size_t bytes);

  Core& core_;
  HostBytes& account_;
  std::string held_;  ///< read, not yet accepted by the receiver
  std::unique_ptr<Pipe> pipe_;
  std::size_t pipe_bytes_ = 0;
  const Flow flow_;
  bool readable_ = false;  ///< until epoll says so; it says so for a new watch, too
  bool writable_ = true;   ///< until the contrary is seen
  bool bulk_ = false, ending_ = false, ended_ = false, told_ = false, moved_ = false;
};

}  // namespace writ::egress
