#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "net/ip_address.h"

namespace writ::net {

// DNS messages of both sides: the stub that answers a guest, and the lookups that are made for it outside. Over TCP a
// message has two bytes of length in front, which are not part of what these functions see.
// Source: RFC 1035 section 4, RFC 6891 (EDNS), RFC 3596 (AAAA), RFC 2308 (negative answers), RFC 5452 (forged answers).

inline constexpr std::uint16_t kDnsA = 1;
inline constexpr std::uint16_t kDnsCname = 5;
inline constexpr std::uint16_t kDnsAaaa = 28;
inline constexpr std::uint16_t kDnsOpt = 41;
inline constexpr std::size_t kDnsMessageMax = 65535;

enum class DnsRcode : std::uint8_t {
  kNoError = 0,
  kFormErr = 1,
  kServFail = 2,
  kNxDomain = 3,
  kNotImp = 4,
  kRefused = 5,
  kBadVers = 16  ///< needs EDNS in the answer, which BuildDnsAnswer adds
};

/// One message of a guest.
struct DnsQuery {
  enum class Kind : std::uint8_t {
    kDrop,    ///< no header, or itself an answer: nothing may be sent back
    kRefuse,  ///< answer it with `refusal`
    kAsk      ///< one question for class IN
  };
  Kind kind = Kind::kDrop;
  DnsRcode refusal = DnsRcode::kFormErr;
  std::uint16_t id = 0;
  std::uint16_t flags = 0;  ///< as received
  /// As text with a dot between labels, case as received, no dot at the end; the root is ".". Bytes that host names do
  /// not have, also a dot inside a label, are `\DDD`, so NormaliseHost refuses them.
  std::string name;
  std::uint16_t type = 0;
  std::string question;  ///< the bytes of the question, echoed in the answer; empty if there was no readable one
  bool edns = false;
  std::size_t udp_bytes_max = 512;  ///< what the asker takes over UDP: 512..4096
};

/// Never fails: what cannot be answered is kDrop or kRefuse. Refused are other opcodes (NOTIMP), several questions,
/// compression in a question, records where a query has none, more than one OPT, bytes that follow (FORMERR), other
/// classes (REFUSED), other EDNS versions (BADVERS).
DnsQuery ParseDnsQuery(ByteView message);

/// What the stub says.
struct DnsAnswer {
  DnsRcode rcode = DnsRcode::kRefused;  ///< kNoError without addresses is NODATA
  std::vector<IpAddress> addresses;     ///< those of the type that was asked are written
  std::uint32_t ttl_s = 0;
};
/// The bytes of an answer, of at most `bytes_max` (at least 512): without addresses and with TC set if they do not fit.
/// Precondition: the query is not kDrop. For kRefuse give `{query.refusal}`.
std::string BuildDnsAnswer(const DnsQuery& query, const DnsAnswer& answer, std::size_t bytes_max);

/// A recursive query with EDNS for a normalised name. Errors: kInvalid for a name that no message can carry.
Result<std::string> BuildDnsLookup(std::uint16_t id, std::string_view name, std::uint16_t type);

/// What a name server said.
struct DnsLookup {
  DnsRcode rcode = DnsRcode::kServFail;  ///< codes without a name here are kServFail
  bool truncated = false;                ///< ask again over TCP; there are no addresses
  std::vector<IpAddress> addresses;  ///< of the type asked, at the end of the chain of aliases; at most kAddressesMax
  std::string canonical;             ///< the name at that end, lower case
  std::uint32_t ttl_s = 0;           ///< the least of the chain; 0 without addresses
  static constexpr std::size_t kAddressesMax = 64;
  static constexpr std::size_t kAliasesMax = 8;
};
/// Reads the answer to BuildDnsLookup(id, name, type). Only the answer section counts, and in it only records that the
/// question leads to. Errors: kCorrupt for everything that is not the well-formed answer to this very question; over
/// UDP ignore it and go on waiting, since anybody can send such a thing.
Result<DnsLookup> ParseDnsLookup(ByteView message, std::uint16_t id, std::string_view name, std::uint16_t type);

}  // namespace writ::net
