#include "egress/core.h"

#include <algorithm>

namespace writ::egress {

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  OnClose();
  core_.Remove(*this);
}

Core::Core(EventLoop& event_loop, CoreSettings core_settings, policy::EgressRules rules, Resolver& name_resolver,
           EgressObserver& observer)
    : loop(event_loop),
      settings(std::move(core_settings)),
      resolver(name_resolver),
      ledger(settings.limits, event_loop.now()),
      observer_(observer),
      rules_(std::move(rules)) {}

Core::~Core() { CutAll(); }

void Core::Insert(std::unique_ptr<Connection> connection) {
  Connection& added = *connection;
  connections_.push_back(std::move(connection));
  added.place_ = std::prev(connections_.end());
  if (!accepts()) added.Close();
}

void Core::Remove(Connection& connection) {
  loop.Bury(std::move(*connection.place_));
  connections_.erase(connection.place_);
}

void Core::SetRules(policy::EgressRules rules) {
  rules_ = std::move(rules);
  std::vector<Connection*> open;  // a connection that is judged may close, itself or all
  for (const auto& connection : connections_) open.push_back(connection.get());
  for (Connection* connection : open) {
    if (!connection->closed()) connection->Rejudge();  // closed ones are buried, not yet destroyed
  }
}

bool Core::Record(const Attempt& attempt) {
  if (failure_) return false;
  auto recorded = observer_.OnAttempt(attempt);
  if (recorded) return true;
  Fail(std::move(recorded).error().Doing("record network attempt"));
  return false;
}

bool Core::RecordInterception(const std::string& host, std::uint16_t port, std::string_view protocol) {
  if (failure_) return false;
  auto recorded = observer_.OnIntercepted(host, port, protocol);
  if (recorded) return true;
  Fail(std::move(recorded).error().Doing("record interception"));
  return false;
}

void Core::CheckBudget() {
  if (!ledger.budget_spent() || budget_told_) return;
  budget_told_ = true;
  CutAll();
  observer_.OnBudget(ledger.moved_bytes());
}

void Core::Fail(Error error) {
  if (!failure_) failure_ = std::move(error);
  failed_ = true;
  CutAll();
}

void Core::CutAll() {
  while (!connections_.empty()) connections_.front()->Close();
}

bool Core::IsOwnListener(const Endpoint& endpoint) const {
  return std::ranges::any_of(settings.own_listeners, [&](const Endpoint& own) {
    if (own.port != endpoint.port) return false;
    return own.address == endpoint.address || net::Classify(own.address) == net::AddressClass::kUnspecified;
  });
}

}  // namespace writ::egress
