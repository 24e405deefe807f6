#include "egress/listener.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "egress/sockets.h"

namespace writ::egress {
namespace {
constexpr Millis kNoDescriptorsPause{50};
}  // namespace

Listener::Listener(Core& core, sys::UniqueFd door, Serve serve)
    : core_(core), door_(std::move(door)), serve_(std::move(serve)), again_(*this) {}

Result<> Listener::Start() {
  const int flags = ::fcntl(door_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(door_.get(), F_SETFL, flags | O_NONBLOCK) != 0) return FailErrno("fcntl O_NONBLOCK");
  ServeThisHost(door_.get());
  return watch_.Start(core_.loop, door_.get(), *this);
}

void Listener::OnEvents(Watch&, std::uint32_t) { Accept(); }
void Listener::OnTimer(Timer&) { Accept(); }

void Listener::Accept() {
  for (int turn = 0; turn < kPerTurn; ++turn) {
    sys::UniqueFd socket(::accept4(door_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) {
      if (errno == EAGAIN) return;
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        return again_.Arm(core_.loop, core_.loop.now() + kNoDescriptorsPause);
      }
      if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK || errno == EOPNOTSUPP) return;  // no listener
      continue;  // that one connection failed: accept(2)
    }
    if (!core_.accepts() || core_.connection_count() >= core_.settings.limits.connections_max) continue;
    serve_(std::move(socket));
  }
  again_.ArmNow(core_.loop);
}

}  // namespace writ::egress
