#pragma once

#include <string>

#include "egress/dns_stub.h"

namespace writ::egress {

/// Answers datagrams in batches; an answer that cannot be sent now is lost, as UDP may.
class DnsUdpDoor final : public EventTarget {
 public:
  DnsUdpDoor(Core& core, DnsStub& stub, sys::UniqueFd socket);
  ~DnsUdpDoor() override;
  Result<> Start();

 private:
  struct Batch;
  void OnEvents(Watch& watch, std::uint32_t events) override;
  void OnTimer(Timer& timer) override;
  void Serve();

  Core& core_;
  DnsStub& stub_;
  sys::UniqueFd socket_;
  std::unique_ptr<Batch> batch_;
  Watch watch_;
  Timer again_;
};

/// Answers questions on one TCP connection, one after the other, until the job ends it or is silent for too long.
class DnsTcpConnection final : public Connection {
 public:
  DnsTcpConnection(Core& core, DnsStub& stub, sys::UniqueFd socket);
  void Start();
  void Rejudge() override {}  // every question is judged by itself

  static constexpr Millis kSilenceMax{10'000};

 private:
  void OnReady(Watch& watch, std::uint32_t events) override;
  void OnDue(Timer& timer) override;
  void OnClose() override { watch_.Stop(); }
  void Turn();
  /// Answers what is complete. False: the connection is closed.
  bool AnswerAll();

  DnsStub& stub_;
  sys::UniqueFd socket_;
  std::string in_, out_;
  bool ended_ = false;
  Watch watch_;
  Timer silence_, again_;
};

}  // namespace writ::egress
