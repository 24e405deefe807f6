#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/error.h"
#include "contract/extension.h"
#include "egress/proxy.h"
#include "isolation/backend.h"
#include "session/egress_order.h"
#include "session/event_log.h"
#include "session/redaction.h"

namespace writ::session {

/// The way out of one run: serves the doors of its guest and writes every attempt to the chain before it is decided.
/// While it is open, only it may use the log.
class EgressSession final : egress::EgressObserver {
 public:
  /// Attempts that a run may make; the one beyond ends it, because the chain must not grow without bound.
  static constexpr std::uint64_t kAttemptsMax = 20'000;

  /// Everything but `doors` and `order` is borrowed. Errors: kExhausted when no thread or descriptor is to be had, those
  /// of reading the host's resolver files.
  static Result<std::unique_ptr<EgressSession>> Open(isolation::NetworkDoors doors, const EgressOrder& order, EventLog& log,
                                                     isolation::Session& guest, const Redaction& redaction);
  ~EgressSession() override { Cut(); }

  /// Records a change of rules, then makes it. Connections that are no longer granted are cut. Errors: it could not be
  /// recorded; the guest must end.
  Result<> Change(RuleUpdate update);
  /// Errors: an attempt could not be recorded; everything is closed, and the guest must end.
  Result<> Health();
  /// Errors: the proxy has closed everything by itself, though the log is whole; the guest must end, and its run say why.
  Result<> Served();
  /// Cuts everything, and writes what was used (writ.network.used). Nothing is served afterwards. Errors: those of the log.
  Result<> Close();

 private:
  EgressSession(EventLog& log, isolation::Session& guest, Redaction redaction)
      : log_(log), guest_(guest), redaction_(std::move(redaction)) {}
  Result<> OnAttempt(const egress::Attempt& attempt) override;
  Result<> OnIntercepted(const std::string& host, std::uint16_t port, std::string_view protocol) override;
  void OnBudget(std::uint64_t moved_bytes) override;
  Result<> Append(canon::Json event);
  void Cut();
  canon::Json UsedFacts();

  EventLog& log_;
  isolation::Session& guest_;
  const Redaction redaction_;
  std::string authority_;  ///< SHA-256 of the certificate that interception works under
  std::unique_ptr<egress::Resolver> resolver_;
  std::unique_ptr<egress::Proxy> proxy_;
  std::mutex mutex_;  ///< guards the members below, and the log
  std::map<egress::HostPort, contract::HostUse> uses_;
  std::uint64_t attempts_ = 0;
  std::optional<Error> broken_;
};

}  // namespace writ::session
