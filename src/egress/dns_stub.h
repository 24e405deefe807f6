#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "egress/core.h"
#include "net/dns_message.h"

namespace writ::egress {

/// Answers the questions of a cell: a granted name gets the addresses that stand for it (name_pool.h), every other name
/// does not exist. Nothing is ever asked of anybody. The first question for each refused name is told to the observer.
class DnsStub {
 public:
  explicit DnsStub(Core& core) : core_(core) {}

  /// The answer to one message, at most `bytes_max` (UDP: 0 takes what the question allows). Empty: send nothing.
  std::string Answer(ByteView message, std::size_t bytes_max);
  /// Refused names with how often they were asked for; names beyond `names_max` are together under Ledger::kOthers.
  const std::map<std::string, std::uint64_t>& refused_names() const { return refused_; }

  /// How long an answer may be kept, in seconds. Short: rules change.
  static constexpr std::uint32_t kTtlSeconds = 5;

 private:
  net::DnsAnswer Decide(const net::DnsQuery& query);
  /// False: it could not be recorded, everything was cut.
  bool RecordRefused(const std::string& name, policy::EgressVerdict verdict);

  Core& core_;
  std::map<std::string, std::uint64_t> refused_;
};

}  // namespace writ::egress
