#include "egress/pump.h"

#include <sys/socket.h>

namespace writ::egress {
namespace {
constexpr std::size_t kCopyBytes = 64U << 10;      // one read; a full one means bulk
constexpr std::size_t kFairShareBytes = 2U << 20;  // then the others have their turn
constexpr std::size_t kBulkEndsBelowBytes = 8U << 10;
}  // namespace

void Pump::Count(std::size_t bytes) {
  moved_ = true;
  if (flow_ == Flow::kOut) {
    core_.ledger.CountOut(account_, bytes);
  } else {
    core_.ledger.CountIn(account_, bytes);
  }
}

void Pump::Preload(std::string_view bytes, bool count) {
  held_ += bytes;
  if (count && !bytes.empty()) Count(bytes.size());
}

Pump::Step Pump::Deliver(int to) {
  while (!held_.empty() || pipe_bytes_ > 0) {
    if (!writable_) return Step::kWait;
    const Io io = !held_.empty() ? Send(to, held_.data(), held_.size()) : Splice(pipe_->read.get(), to, pipe_bytes_);
    if (io.end == IoEnd::kBlocked) {
      writable_ = false;
      return Step::kWait;
    }
    if (io.end != IoEnd::kMoved) return Step::kBroken;
    if (held_.empty()) {
      pipe_bytes_ -= io.bytes;
    } else if (held_.erase(0, io.bytes); held_.empty()) {
      held_ = std::string();  // an idle tunnel keeps no buffer
    }
  }
  return Step::kGoOn;
}

Pump::Step Pump::Copy(int from, int to, std::size_t bytes_max) {
  const Io in = Receive(from, core_.scratch.data(), bytes_max);
  if (in.end == IoEnd::kBroken) return Step::kBroken;
  if (in.end == IoEnd::kEnd) {
    ended_ = true;
    return Step::kGoOn;
  }
  if (in.end == IoEnd::kBlocked) {
    readable_ = false;
    return Step::kGoOn;
  }
  Count(in.bytes);
  if (in.bytes == kCopyBytes) bulk_ = true;
  if (in.bytes < bytes_max && !ending_) readable_ = false;  // epoll(7): a short read of a stream has emptied it
  std::size_t sent = 0;
  if (writable_) {
    const Io out = Send(to, core_.scratch.data(), in.bytes);
    if (out.end == IoEnd::kBroken) return Step::kBroken;
    if (out.end == IoEnd::kBlocked) writable_ = false;
    sent = out.bytes;
  }
  if (sent < in.bytes) held_.assign(core_.scratch.data() + sent, in.bytes - sent);
  return Step::kGoOn;
}

Pump::Step Pump::Fill(int from, std::size_t bytes_max) {
  if (!pipe_) {
    auto pipe = core_.pipes.Take();
    if (!pipe) {  // no descriptors left: copying needs none
      bulk_ = false;
      return Step::kGoOn;
    }
    pipe_ = *std::move(pipe);
  }
  const Io io = Splice(from, pipe_->write.get(), bytes_max);
  if (io.end == IoEnd::kBroken) return Step::kBroken;
  if (io.end == IoEnd::kEnd) ended_ = true;
  if (io.end == IoEnd::kBlocked) readable_ = false;
  if (io.end == IoEnd::kMoved) Count(io.bytes);
  pipe_bytes_ = io.bytes;
  if (io.end == IoEnd::kMoved && io.bytes < kBulkEndsBelowBytes) bulk_ = false;
  return Step::kGoOn;
}

Pump::State Pump::Move(int from, int to, bool last) {
  for (std::size_t rounds = 0;; ++rounds) {
    if (told_) return State::kDone;
    if (const Step step = Deliver(to); step != Step::kGoOn) {
      return step == Step::kWait ? State::kWait : State::kBroken;
    }
    if (pipe_ && (!bulk_ || !readable_ || ended_)) core_.pipes.GiveBack(std::move(pipe_));
    if (ended_) {
      told_ = true;
      return last || ::shutdown(to, SHUT_WR) == 0 ? State::kDone : State::kBroken;
    }
    if (!readable_) return State::kWait;
    if (rounds * kCopyBytes >= kFairShareBytes) return State::kAgain;
    const std::size_t allowed = core_.ledger.Allow(bulk_ ? PipePool::kPipeBytes : kCopyBytes, core_.loop.now());
    if (allowed == 0) return State::kRate;
    if ((bulk_ ? Fill(from, allowed) : Copy(from, to, allowed)) == Step::kBroken) return State::kBroken;
  }
}

}  // namespace writ::egress
