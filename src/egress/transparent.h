#pragma once

#include <memory>

#include "egress/dial.h"

namespace writ::egress {

/// A connection of a program that knows nothing of a proxy, redirected here by netfilter: judged by where it was going.
/// An address that the DNS stub handed out stands for its name. Refused and failed ones are reset.
class TransparentConnection final : public Connection, public DialOwner {
 public:
  TransparentConnection(Core& core, sys::UniqueFd client);
  void Start();
  void Rejudge() override;

 private:
  void OnReady(Watch& watch, std::uint32_t events) override;
  void OnDue(Timer& timer) override;
  void OnClose() override { client_watch_.Stop(); }
  void OnDialed(Result<Dialed> dialed) override;
  /// The verdict on where it was going; fills destination_.
  policy::EgressVerdict Judge(const Endpoint& to);
  void Reset();

  sys::UniqueFd client_;
  Destination destination_;
  bool by_request_ = false;
  Watch client_watch_;
  std::unique_ptr<Dial> dial_;
};

}  // namespace writ::egress
