#include "egress/event_loop.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

namespace writ::egress {
namespace {
constexpr std::size_t kEventsPerRound = 256;
constexpr std::uint32_t kEverything = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
constexpr Millis kForever = Millis::max();
}  // namespace

Result<> Watch::Start(EventLoop& loop, int fd, EventTarget& target) {
  Stop();
  epoll_event event{};
  event.events = kEverything;
  event.data.ptr = this;
  if (::epoll_ctl(loop.epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return FailErrno("epoll_ctl add");
  loop_ = &loop, target_ = &target, fd_ = fd;
  return {};
}

Result<> Watch::TakeOver(Watch& other, EventTarget& target) {
  Stop();
  if (!other.active()) return Fail(Code::kInternal, "a watch that is not active cannot be taken over");
  EventLoop& loop = *other.loop_;
  epoll_event event{};
  event.events = kEverything;
  event.data.ptr = this;
  if (::epoll_ctl(loop.epoll_.get(), EPOLL_CTL_MOD, other.fd_, &event) != 0) return FailErrno("epoll_ctl mod");
  loop_ = &loop, target_ = &target, fd_ = other.fd_;
  std::ranges::replace(loop.round_, &other, static_cast<Watch*>(nullptr));
  other.loop_ = nullptr, other.fd_ = -1;
  return {};
}

void Watch::Stop() {
  if (loop_ == nullptr) return;
  ::epoll_ctl(loop_->epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  std::ranges::replace(loop_->round_, this, static_cast<Watch*>(nullptr));
  loop_ = nullptr, fd_ = -1;
}

void Timer::Arm(EventLoop& loop, MonoTime when) {
  Disarm();
  if (spare_.empty()) {
    place_ = loop.timers_.emplace(when, this);
  } else {
    spare_.key() = when;
    place_ = loop.timers_.insert(std::move(spare_));
  }
  loop_ = &loop;
}

void Timer::ArmNow(EventLoop& loop) { Arm(loop, loop.now()); }

void Timer::Disarm() {
  if (loop_ == nullptr) return;
  spare_ = loop_->timers_.extract(place_);
  loop_ = nullptr;
}

EventLoop::EventLoop(sys::UniqueFd epoll, sys::UniqueFd letters)
    : epoll_(std::move(epoll)), letters_(std::move(letters)), now_(std::chrono::steady_clock::now()) {}

Result<std::unique_ptr<EventLoop>> EventLoop::Create() {
  sys::UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return FailErrno("epoll_create1");
  sys::UniqueFd letters(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!letters.valid()) return FailErrno("eventfd");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, letters.get(), &event) != 0) return FailErrno("epoll_ctl add eventfd");
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(letters)));
}

void EventLoop::Post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  posted_.push_back(std::move(work));
  const std::uint64_t one = 1;
  // The counter cannot overflow, and a counter above zero wakes the loop already.
  static_cast<void>(!::write(letters_.get(), &one, sizeof one));
}

void EventLoop::Stop() {
  Post([this] {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  });
}

void EventLoop::ReadLetters() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(letters_.get(), &count, sizeof count));
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (auto& item : work) item();
}

int EventLoop::WaitMs(Millis wait_max) const {
  if (timers_.empty()) return wait_max == kForever ? -1 : static_cast<int>(wait_max.count());
  const auto left = std::chrono::ceil<Millis>(timers_.begin()->first - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<long long>(std::min(left, wait_max).count(), 0, std::numeric_limits<int>::max()));
}

void EventLoop::FireTimers() {
  // A timer that fires may arm itself for now again: only as many as were due at the beginning fire in one round.
  std::size_t due = 0;
  for (auto timer = timers_.begin(); timer != timers_.end() && timer->first <= now_; ++timer) ++due;
  while (due-- > 0 && !timers_.empty() && timers_.begin()->first <= now_) {
    Timer& timer = *timers_.begin()->second;
    timer.Disarm();
    timer.target_.OnTimer(timer);
  }
}

Result<> EventLoop::RunOnce(Millis wait) {
  std::array<epoll_event, kEventsPerRound> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), WaitMs(wait));
  if (count < 0 && errno != EINTR) return FailErrno("epoll_wait");
  now_ = std::chrono::steady_clock::now();
  bool letters = false;
  round_.clear();
  for (int i = 0; i < count; ++i) round_.push_back(static_cast<Watch*>(events[i].data.ptr));
  for (int i = 0; i < count; ++i) {
    if (events[i].data.ptr == nullptr) {
      letters = true;
    } else if (Watch* watch = round_[i]; watch != nullptr) {
      watch->target_->OnEvents(*watch, events[i].events);
    }
  }
  round_.clear();
  FireTimers();
  if (letters) ReadLetters();
  while (!graveyard_.empty()) {
    auto dead = std::exchange(graveyard_, {});
  }
  return {};
}

Result<> EventLoop::Run() {
  for (;;) {
    WRIT_TRY("event loop", RunOnce(kForever));
    if (Stopped()) return {};
  }
}

void EventLoop::RunPostedOnly() {
  while (!Stopped()) {
    pollfd item{letters_.get(), POLLIN, 0};
    ::poll(&item, 1, -1);
    ReadLetters();
    graveyard_.clear();
  }
}

bool EventLoop::Stopped() {
  const std::lock_guard lock(mutex_);
  return stop_ && posted_.empty();
}

}  // namespace writ::egress
