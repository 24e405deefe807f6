#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "egress/attempt.h"
#include "egress/closer.h"
#include "egress/event_loop.h"
#include "egress/ledger.h"
#include "egress/limits.h"
#include "egress/name_pool.h"
#include "egress/pipe_pool.h"
#include "egress/upstream_proxy.h"
#include "net/ip_address.h"
#include "policy/egress.h"

namespace writ::egress {

class Core;
class Interceptor;
class Resolver;

/// An address with its port.
struct Endpoint {
  net::IpAddress address;
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};

/// Where a redirected connection was going. Injected, because only a redirect of netfilter can answer it.
using OriginalDestination = std::function<Result<Endpoint>(int socket)>;

struct CoreSettings {
  EgressLimits limits;
  std::optional<UpstreamProxy> upstream;
  /// The rules came from a plain Warrant contract: refusals say no more than the protocol fixes, and hosts are recorded
  /// as the protocol compares them.
  bool warrant_exact = false;
  OriginalDestination original_destination;
  std::vector<Endpoint> own_listeners;  ///< never connected to
  std::shared_ptr<const Interceptor> interceptor;  ///< null: TLS is never read
};

/// Something the job has open. Owned by the core.
class Connection : public EventTarget {
 public:
  explicit Connection(Core& core) : core_(core) {}
  /// The rules are new: closes itself when they would refuse it.
  virtual void Rejudge() = 0;
  /// Closes at once; the object lives until the end of the loop's round and hears nothing more.
  void Close();
  bool closed() const { return closed_; }

  void OnEvents(Watch& watch, std::uint32_t events) final {
    if (!closed_) OnReady(watch, events);
  }
  void OnTimer(Timer& timer) final {
    if (!closed_) OnDue(timer);
  }

 protected:
  virtual void OnReady(Watch& watch, std::uint32_t events) = 0;
  virtual void OnDue(Timer& timer) = 0;
  /// Just before it closes: whatever must be given back while the core is whole.
  virtual void OnClose() {}
  Core& core_;

 private:
  friend class Core;
  std::list<std::unique_ptr<Connection>>::iterator place_;
  bool closed_ = false;
};

/// What all connections of one run share, on the loop's thread: rules, records, accounts, limits.
/// Any member that records or counts may cut every connection: look at closed() after it.
class Core {
 public:
  Core(EventLoop& loop, CoreSettings settings, policy::EgressRules rules, Resolver& resolver, EgressObserver& observer);
  ~Core();

  const policy::EgressRules& rules() const { return rules_; }
  void SetRules(policy::EgressRules rules);

  /// Tells the observer. False: it could not be recorded, everything was cut, nothing more may happen.
  bool Record(const Attempt& attempt);
  /// Tells it of an interception; false as above.
  bool RecordInterception(const std::string& host, std::uint16_t port, std::string_view protocol);
  /// After bytes were counted: cuts everything when the budget is spent.
  void CheckBudget();
  /// Cuts everything for good.
  void Fail(Error error);
  void CutAll();
  bool failed() const { return failed_; }  ///< from any thread
  const std::optional<Error>& failure() const { return failure_; }
  bool accepts() const { return !failure_ && !ledger.budget_spent(); }

  /// Takes a connection in. The returned reference lives until its Close.
  template <class T>
  T& Adopt(std::unique_ptr<T> connection) {
    T& result = *connection;
    Insert(std::move(connection));
    return result;
  }
  std::size_t connection_count() const { return connections_.size(); }
  bool IsOwnListener(const Endpoint& endpoint) const;

  EventLoop& loop;
  const CoreSettings settings;
  Resolver& resolver;
  Ledger ledger;
  NamePool names;
  PipePool pipes;
  Closer closer{loop};
  std::array<char, 128U << 10> scratch;  ///< for reading; never kept from one call to the next

 private:
  friend class Connection;
  void Insert(std::unique_ptr<Connection> connection);
  void Remove(Connection& connection);

  EgressObserver& observer_;
  policy::EgressRules rules_;
  std::list<std::unique_ptr<Connection>> connections_;
  std::optional<Error> failure_;
  std::atomic<bool> failed_ = false;  ///< whether there is a failure_
  bool budget_told_ = false;
};

}  // namespace writ::egress
