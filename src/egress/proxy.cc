#include "egress/proxy.h"

#include <pthread.h>
#include <signal.h>

#include <functional>
#include <future>
#include <system_error>
#include <thread>

#include "egress/dns_door.h"
#include "egress/dns_stub.h"
#include "egress/event_loop.h"
#include "egress/http_relay.h"
#include "egress/interceptor.h"
#include "egress/listener.h"
#include "egress/transparent.h"

namespace writ::egress {

struct Proxy::Parts {
  Parts(std::unique_ptr<EventLoop> event_loop, CoreSettings settings, policy::EgressRules rules, Resolver& resolver,
        EgressObserver& observer)
      : loop(std::move(event_loop)),
        core(*loop, std::move(settings), std::move(rules), resolver, observer),
        stub(core) {}

  Result<> Open(Doors doors);
  Result<> Listen(sys::UniqueFd door, Listener::Serve serve);
  Result<> ServeDatagrams(sys::UniqueFd door);
  Result<> StartThread();
  /// Runs `work` where the core may be touched, and waits for it.
  void Call(const std::function<void()>& work);

  std::unique_ptr<EventLoop> loop;
  Core core;
  DnsStub stub;
  std::vector<std::unique_ptr<EventTarget>> doors;
  std::thread thread;
};

namespace {

Result<> CheckLimits(const EgressLimits& limits) {
  const bool zero = limits.connections_max == 0 || limits.bytes_max == 0U || limits.rate_bytes_per_s == 0U ||
                    limits.head_bytes_max == 0 || limits.head_timeout <= Millis(0) ||
                    limits.connect_timeout <= Millis(0) || limits.idle_timeout <= Millis(0) || limits.names_max == 0;
  if (zero) return Fail(Code::kInvalid, "egress limits must not be zero");
  if (limits.head_bytes_max > sizeof(Core::scratch)) {
    return Fail(Code::kInvalid, "egress head_bytes_max must not be over {}", sizeof(Core::scratch));
  }
  return {};
}

}  // namespace

Result<> Proxy::Parts::Listen(sys::UniqueFd door, Listener::Serve serve) {
  if (!door.valid()) return {};
  auto listener = std::make_unique<Listener>(core, std::move(door), std::move(serve));
  WRIT_TRY("listener", listener->Start());
  doors.push_back(std::move(listener));
  return {};
}

Result<> Proxy::Parts::ServeDatagrams(sys::UniqueFd door) {
  if (!door.valid()) return {};
  auto served = std::make_unique<DnsUdpDoor>(core, stub, std::move(door));
  WRIT_TRY("dns door", served->Start());
  doors.push_back(std::move(served));
  return {};
}

Result<> Proxy::Parts::Open(Doors given) {
  const auto http = [this](sys::UniqueFd socket) { ServeHttpProxy(core, std::move(socket)); };
  const auto transparent = [this](sys::UniqueFd socket) {
    auto& connection = core.Adopt(std::make_unique<TransparentConnection>(core, std::move(socket)));
    if (!connection.closed()) connection.Start();
  };
  const auto dns = [this](sys::UniqueFd socket) {
    auto& connection = core.Adopt(std::make_unique<DnsTcpConnection>(core, stub, std::move(socket)));
    if (!connection.closed()) connection.Start();
  };
  WRIT_TRY("http proxy", Listen(std::move(given.http_proxy), http));
  WRIT_TRY("transparent", Listen(std::move(given.transparent4), transparent));
  WRIT_TRY("transparent", Listen(std::move(given.transparent6), transparent));
  WRIT_TRY("dns", Listen(std::move(given.dns_tcp4), dns));
  WRIT_TRY("dns", Listen(std::move(given.dns_tcp6), dns));
  WRIT_TRY("dns", ServeDatagrams(std::move(given.dns_udp4)));
  return ServeDatagrams(std::move(given.dns_udp6));
}

Result<> Proxy::Parts::StartThread() {
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread = std::thread([this] {
      if (auto ran = loop->Run(); !ran) {
        core.Fail(std::move(ran).error());
        doors.clear();
        loop->RunPostedOnly();
      }
    });
  } catch (const std::system_error& error) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return Fail(Code::kExhausted, "start the proxy's thread: {}", error.what());
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

void Proxy::Parts::Call(const std::function<void()>& work) {
  if (!thread.joinable()) return work();
  std::promise<void> done;
  loop->Post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

Proxy::Proxy(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Proxy::~Proxy() { Close(); }

Result<std::unique_ptr<Proxy>> Proxy::Start(Doors doors, ProxyOptions options, Resolver& resolver,
                                            EgressObserver& observer) {
  WRIT_TRY("egress proxy", CheckLimits(options.limits));
  CoreSettings settings{
      options.limits, std::move(options.upstream), options.warrant_exact, std::move(options.original_destination), {}, {}};
  if (options.interception) {
    settings.interceptor = WRIT_TRY("egress proxy", Interceptor::Make(std::move(options.interception)));
  }
  for (const sys::UniqueFd* door :
       {&doors.http_proxy, &doors.transparent4, &doors.transparent6, &doors.dns_tcp4, &doors.dns_tcp6}) {
    if (door->valid()) settings.own_listeners.push_back(WRIT_TRY("egress door", LocalEndpoint(door->get())));
  }
  auto loop = WRIT_TRY("egress proxy", EventLoop::Create());
  auto parts =
      std::make_unique<Parts>(std::move(loop), std::move(settings), std::move(options.rules), resolver, observer);
  WRIT_TRY("egress proxy", parts->Open(std::move(doors)));
  WRIT_TRY("egress proxy", parts->StartThread());
  return std::unique_ptr<Proxy>(new Proxy(std::move(parts)));
}

Result<> Proxy::ChangeRules(policy::EgressRules rules) {
  parts_->Call([&] { parts_->core.SetRules(std::move(rules)); });
  return Health();
}

HostTotals Proxy::Totals() {
  HostTotals totals;
  parts_->Call([&] { totals = parts_->core.ledger.totals(); });
  return totals;
}

std::map<std::string, std::uint64_t> Proxy::RefusedNames() {
  std::map<std::string, std::uint64_t> names;
  parts_->Call([&] { names = parts_->stub.refused_names(); });
  return names;
}

std::size_t Proxy::ConnectionCount() {
  std::size_t count = 0;
  parts_->Call([&] { count = parts_->core.connection_count(); });
  return count;
}

Result<> Proxy::Health() {
  if (!parts_->core.failed()) return {};
  Result<> health;
  parts_->Call([&] {
    if (const auto& failure = parts_->core.failure()) health = std::unexpected(*failure);
  });
  return health;
}

void Proxy::Close() {
  if (!parts_->thread.joinable()) return;
  parts_->loop->Post([this] {
    parts_->doors.clear();
    parts_->core.CutAll();
  });
  parts_->loop->Stop();
  parts_->thread.join();
  parts_->core.closer.Finish();
}

}  // namespace writ::egress
