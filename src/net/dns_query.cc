#include <algorithm>

#include "net/dns_message.h"
#include "net/dns_wire.h"

namespace writ::net {
namespace {

using dns::Reader;

constexpr std::size_t kUdpBytesMin = 512;
constexpr std::size_t kUdpBytesMax = 4096;

/// Reads the records behind the question: at most one OPT. Returns the code to refuse with, or kNoError.
DnsRcode ReadAdditional(Reader& reader, std::uint16_t count, DnsQuery& query) {
  if (count > 1) return DnsRcode::kFormErr;
  if (count == 1) {
    const auto name = reader.Name(dns::Compression::kRefused);
    const auto type = reader.U16();
    const auto udp_bytes = reader.U16();
    const auto extended = reader.U32();
    const auto length = reader.U16();
    if (!name || *name != "." || type != kDnsOpt || !udp_bytes || !extended || !length || !reader.Bytes(*length)) {
      return DnsRcode::kFormErr;
    }
    query.edns = true;
    query.udp_bytes_max = std::clamp<std::size_t>(*udp_bytes, kUdpBytesMin, kUdpBytesMax);
    if ((*extended >> 16 & 0xFF) != 0) return DnsRcode::kBadVers;
  }
  return reader.at_end() ? DnsRcode::kNoError : DnsRcode::kFormErr;
}

DnsRcode ReadQuestion(Reader& reader, ByteView message, DnsQuery& query) {
  const auto questions = reader.U16();
  const auto answers = reader.U16();
  const auto authorities = reader.U16();
  const auto additional = reader.U16();
  if ((query.flags & dns::kOpcodeMask) != 0) return DnsRcode::kNotImp;
  if (questions != 1 || answers != 0 || authorities != 0 || (query.flags & dns::kFlagTruncated) != 0) {
    return DnsRcode::kFormErr;
  }
  auto name = reader.Name(dns::Compression::kRefused);
  const auto type = reader.U16();
  const auto question_class = reader.U16();
  if (!name || !type || !question_class) return DnsRcode::kFormErr;
  query.name = *std::move(name);
  query.type = *type;
  query.question = AsText(message.subspan(dns::kHeaderBytes, reader.at() - dns::kHeaderBytes));
  if (const DnsRcode rcode = ReadAdditional(reader, *additional, query); rcode != DnsRcode::kNoError) return rcode;
  return *question_class == dns::kClassIn ? DnsRcode::kNoError : DnsRcode::kRefused;
}

}  // namespace

DnsQuery ParseDnsQuery(ByteView message) {
  DnsQuery query;
  if (message.size() < dns::kHeaderBytes) return query;
  Reader reader(message);
  query.id = *reader.U16();
  query.flags = *reader.U16();
  if ((query.flags & dns::kFlagAnswer) != 0) return query;
  query.refusal = ReadQuestion(reader, message, query);
  query.kind = query.refusal == DnsRcode::kNoError ? DnsQuery::Kind::kAsk : DnsQuery::Kind::kRefuse;
  return query;
}

std::string BuildDnsAnswer(const DnsQuery& query, const DnsAnswer& answer, std::size_t bytes_max) {
  const auto rcode = static_cast<std::uint8_t>(answer.rcode);
  const bool edns = query.edns || rcode > dns::kRcodeMask;
  constexpr std::size_t kOptBytes = 11;
  std::string records;
  std::uint16_t count = 0;
  for (const IpAddress& address : answer.addresses) {
    if (query.type != (address.is_v4() ? kDnsA : kDnsAaaa) || count == 0xFFFF) continue;
    dns::PutU16(records, 0xC000 | dns::kHeaderBytes);  // the name of the question
    dns::PutU16(records, query.type);
    dns::PutU16(records, dns::kClassIn);
    dns::PutU32(records, answer.ttl_s);
    dns::PutU16(records, static_cast<std::uint16_t>(address.bytes().size()));
    records += AsText(address.bytes());
    ++count;
  }
  const std::size_t size = dns::kHeaderBytes + query.question.size() + records.size() + (edns ? kOptBytes : 0);
  const bool fits = size <= std::clamp(bytes_max, kUdpBytesMin, kDnsMessageMax);
  if (!fits || query.question.empty()) {
    records.clear();
    count = 0;
  }
  std::string out;
  out.reserve(size);
  dns::PutU16(out, query.id);
  dns::PutU16(out, static_cast<std::uint16_t>(
                       dns::kFlagAnswer | dns::kFlagRecursionAvailable | (fits ? 0 : dns::kFlagTruncated) |
                       (query.flags & (dns::kOpcodeMask | dns::kFlagRecursionDesired)) | (rcode & dns::kRcodeMask)));
  dns::PutU16(out, query.question.empty() ? 0 : 1);
  dns::PutU16(out, count);
  dns::PutU16(out, 0);
  dns::PutU16(out, edns ? 1 : 0);
  out += query.question;
  out += records;
  if (edns) dns::PutOpt(out, static_cast<std::uint8_t>(rcode >> 4));
  return out;
}

}  // namespace writ::net
