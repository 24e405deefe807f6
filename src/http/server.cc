#include "http/server.h"

#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <future>
#include <thread>
#include <utility>

#include "http/connection.h"
#include "http/core.h"
#include "http/event_queue.h"
#include "http/tls.h"
#include "sys/unique_fd.h"

namespace writ::http {

using asio::ip::tcp;

namespace {

constexpr Millis kAcceptPause{50};
constexpr int kAcceptBatch = 64;

}  // namespace

void ServerCore::Admit(tcp::socket socket, const std::string& address) {
  const Limits& limits = options.limits;
  const auto of_address = by_address.find(address);
  if (stopping || (of_address != by_address.end() && of_address->second >= limits.address_connections_max)) {
    ++counters.connections_refused;
    return;  // the socket closes here
  }
  if (open.size() >= limits.connections_max && !CloseOldestIdle()) {
    ++counters.connections_refused;
    return;
  }
  ++counters.connections_taken;
  ++by_address[address];
  const std::uint64_t id = next_id++;
  const auto connection = std::make_shared<Connection>(*this, id, std::move(socket), address);
  open.emplace(id, connection);
  counters.connections_open = open.size();
  connection->Start();
}

void ServerCore::Forget(Connection& connection) {
  const auto counted = by_address.find(connection.peer());
  if (counted != by_address.end() && --counted->second == 0) by_address.erase(counted);
  open.erase(connection.id());
  counters.connections_open = open.size();
  if (stopping && open.empty()) io.stop();
}

bool ServerCore::CloseOldestIdle() {
  if (idle.empty()) return false;
  const auto found = open.find(idle.front());
  const std::shared_ptr<Connection> oldest = found->second;
  oldest->Close();
  return true;
}

struct Server::Impl {
  std::shared_ptr<ServerCore> core;
  tcp::acceptor acceptor;
  tcp protocol = tcp::v4();
  asio::steady_timer pause;
  asio::executor_work_guard<asio::io_context::executor_type> working;  // a connection that waits for the service has no work
  std::thread thread;
  bool stopped = false;
  std::uint16_t port = 0;

  explicit Impl(std::shared_ptr<ServerCore> shared) : core(std::move(shared)), acceptor(core->io), pause(core->io), working(core->io.get_executor()) {}

  void Accept() {
    acceptor.async_wait(tcp::acceptor::wait_read, [this](ErrorCode error) {
      if (error || !acceptor.is_open()) return;
      if (TakeAll()) return Accept();
      // Out of descriptors: an idle connection gives way; then a moment later again.
      core->CloseOldestIdle();
      pause.expires_after(kAcceptPause);
      pause.async_wait([this](ErrorCode cancelled) {
        if (!cancelled && acceptor.is_open()) Accept();
      });
    });
  }

  /// Admits who waits. False when connections wait that this process cannot take now. accept4(2) and not Asio's accept:
  /// descriptors are closed on exec, and it is the call that the process's filter allows.
  bool TakeAll() {
    for (int taken = 0; taken < kAcceptBatch; ++taken) {
      sys::UniqueFd fd(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd.valid()) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
      ErrorCode gone;
      tcp::socket socket(core->io);
      socket.assign(protocol, fd.get(), gone);
      if (gone) continue;
      static_cast<void>(fd.Release());
      const auto peer = socket.remote_endpoint(gone);
      if (gone) continue;
      const bool mapped = peer.address().is_v6() && peer.address().to_v6().is_v4_mapped();
      core->Admit(std::move(socket), mapped ? asio::ip::make_address_v4(asio::ip::v4_mapped, peer.address().to_v6()).to_string()
                                            : peer.address().to_string());
    }
    return true;
  }

  Result<> Listen(Listener listener) {
    ErrorCode error;
    protocol = listener.ipv6 ? tcp::v6() : tcp::v4();
    acceptor.assign(protocol, listener.fd.get(), error);
    if (!error) static_cast<void>(listener.fd.Release());
    if (!error) acceptor.listen(1024, error);
    if (!error) acceptor.native_non_blocking(true, error);
    if (error) {
      const Error failed = ErrnoError(error.value(), fmt::format("listen on port {}", listener.port));
      return std::unexpected(Error{failed.code == Code::kDenied ? Code::kDenied : Code::kUnavailable, failed.what});
    }
    port = listener.port;
    core->gate = {.tls = core->options.tls.has_value(), .loopback = listener.loopback, .names = core->options.names};
    return {};
  }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { Stop(Deadline::After(Millis(0))); }

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Service& service) {
  auto listener = WRIT_TRY("server", BindListener(options.host, options.port));
  return Start(std::move(options), service, std::move(listener));
}

Result<std::unique_ptr<Server>> Server::Start(ServerOptions options, Service& service, Listener listener) {
  std::shared_ptr<asio::ssl::context> tls;
  if (options.tls) tls = WRIT_TRY("TLS", MakeTls(*options.tls));
  auto core = std::make_shared<ServerCore>(std::move(options), service);
  core->tls = std::move(tls);
  auto impl = std::make_unique<Impl>(std::move(core));
  WRIT_TRY("server", impl->Listen(std::move(listener)));
  impl->Accept();
  impl->thread = std::thread([core = impl->core.get()] { core->io.run(); });
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const { return impl_->port; }

Result<> Server::ReloadTls() {
  if (!impl_->core->options.tls) return Fail(Code::kInvalid, "this server has no certificate");
  auto tls = WRIT_TRY("TLS", MakeTls(*impl_->core->options.tls));
  asio::post(impl_->core->io, [core = impl_->core.get(), tls = std::move(tls)]() mutable { core->tls = std::move(tls); });
  return {};
}

void Server::Stop(Deadline deadline) {
  if (std::exchange(impl_->stopped, true)) return;
  ServerCore& core = *impl_->core;
  asio::post(core.io, [this, &core] {
    core.stopping = true;
    ErrorCode ignored;
    impl_->acceptor.close(ignored);
    impl_->pause.cancel();
    auto all = core.open;
    for (auto& [id, connection] : all) connection->Drain();
    if (core.open.empty()) core.io.stop();  // else with the last connection
  });
  asio::steady_timer limit(core.io);
  if (!deadline.never()) {
    asio::post(core.io, [&core, &limit, deadline] {
      limit.expires_at(deadline.when());
      limit.async_wait([&core](ErrorCode) {
        auto all = core.open;
        for (auto& [id, connection] : all) connection->Close();
        core.io.stop();
      });
    });
  }
  impl_->thread.join();
  core.disk.join();
}

Counters Server::counters() const {
  if (impl_->stopped) return impl_->core->counters;
  std::promise<Counters> taken;
  asio::post(impl_->core->io, [&] { taken.set_value(impl_->core->counters); });
  return taken.get_future().get();
}

}  // namespace writ::http
