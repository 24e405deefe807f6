#include <algorithm>

#include "base/escape.h"
#include "net/dns_message.h"
#include "net/dns_wire.h"

namespace writ::net {
namespace {

using dns::Reader;

struct Record {
  std::string owner;
  std::uint16_t type = 0;
  std::uint32_t ttl_s = 0;
  std::string alias;  // kDnsCname
  IpAddress address;  // the type that was asked
};

std::unexpected<Error> Corrupt(std::string_view why) { return Fail(Code::kCorrupt, "DNS answer: {}", why); }

DnsRcode RcodeOf(std::uint16_t flags) {
  switch (flags & dns::kRcodeMask) {
    case 0:
      return DnsRcode::kNoError;
    case 1:
      return DnsRcode::kFormErr;
    case 3:
      return DnsRcode::kNxDomain;
    case 4:
      return DnsRcode::kNotImp;
    case 5:
      return DnsRcode::kRefused;
    default:
      return DnsRcode::kServFail;
  }
}

/// One record of the answer section; those of other types and classes come back with an empty owner.
Result<Record> ReadRecord(Reader& reader, std::uint16_t type) {
  Record record;
  auto owner = reader.Name(dns::Compression::kAllowed);
  const auto record_type = reader.U16();
  const auto record_class = reader.U16();
  const auto ttl_s = reader.U32();
  const auto length = reader.U16();
  if (!owner || !record_type || !record_class || !ttl_s || !length) return Corrupt("a record is cut off");
  const std::size_t end = reader.at() + *length;
  const bool wanted = *record_class == dns::kClassIn && (*record_type == type || *record_type == kDnsCname);
  if (wanted && *record_type == kDnsCname) {
    auto alias = reader.Name(dns::Compression::kAllowed);
    if (!alias || reader.at() != end) return Corrupt("an alias is malformed");
    record.alias = *std::move(alias);
  } else {
    const auto data = reader.Bytes(*length);
    if (!data) return Corrupt("a record is cut off");
    if (!wanted) return record;
    if (data->size() != (type == kDnsA ? 4U : 16U)) return Corrupt("an address has the wrong length");
    record.address = WRIT_TRY("DNS answer", IpAddress::FromBytes(*data));
  }
  record.owner = *std::move(owner);
  record.type = *record_type;
  record.ttl_s = *ttl_s > 0x7FFFFFFF ? 0 : *ttl_s;  // RFC 2181 section 8
  return record;
}

/// Follows aliases from `name` and takes the addresses at the end.
Result<> Follow(const std::vector<Record>& records, std::string name, std::uint16_t type, DnsLookup& lookup) {
  std::uint32_t ttl_s = 0x7FFFFFFF;
  for (std::size_t aliases = 0;; ++aliases) {
    const Record* alias = nullptr;
    for (const Record& record : records) {
      if (!dns::NameIs(record.owner, name)) continue;
      if (record.type == type) {
        ttl_s = std::min(ttl_s, record.ttl_s);
        const bool known = std::ranges::find(lookup.addresses, record.address) != lookup.addresses.end();
        if (!known && lookup.addresses.size() < DnsLookup::kAddressesMax) lookup.addresses.push_back(record.address);
      } else if (alias != nullptr && !dns::NameIs(alias->alias, record.alias)) {
        return Corrupt("a name has two aliases");
      } else {
        alias = &record;
      }
    }
    if (alias != nullptr && !lookup.addresses.empty()) return Corrupt("a name has an alias and an address");
    if (alias == nullptr) break;
    if (aliases == DnsLookup::kAliasesMax) return Corrupt("the chain of aliases is too long");
    ttl_s = std::min(ttl_s, alias->ttl_s);
    name = alias->alias;
  }
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  lookup.canonical = std::move(name);
  lookup.ttl_s = lookup.addresses.empty() ? 0 : ttl_s;
  return {};
}

}  // namespace

Result<std::string> BuildDnsLookup(std::uint16_t id, std::string_view name, std::uint16_t type) {
  std::string out;
  dns::PutU16(out, id);
  dns::PutU16(out, dns::kFlagRecursionDesired);
  for (const std::uint16_t count : {1, 0, 0, 1}) dns::PutU16(out, count);
  if (name.empty() || name.size() > 253)
    return Fail(Code::kInvalid, "a name of {} bytes cannot be looked up", name.size());
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t dot = std::min(name.find('.', start), name.size());
    const std::string_view label = name.substr(start, dot - start);
    if (label.empty() || label.size() > 63) {
      return Fail(Code::kInvalid, "name \"{}\": a label has 1..63 bytes", EscapeVisible(name, 80));
    }
    out += static_cast<char>(label.size());
    out += label;
    start = dot + 1;
  }
  out += '\0';
  dns::PutU16(out, type);
  dns::PutU16(out, dns::kClassIn);
  dns::PutOpt(out, 0);
  return out;
}

Result<DnsLookup> ParseDnsLookup(ByteView message, std::uint16_t id, std::string_view name, std::uint16_t type) {
  if (message.size() < dns::kHeaderBytes || message.size() > kDnsMessageMax) return Corrupt("its size");
  Reader reader(message);
  const std::uint16_t its_id = *reader.U16();
  const std::uint16_t flags = *reader.U16();
  const std::uint16_t questions = *reader.U16();
  const std::uint16_t answers = *reader.U16();
  [[maybe_unused]] const auto others = reader.U32();
  if (its_id != id) return Corrupt("another id");
  if ((flags & dns::kFlagAnswer) == 0 || (flags & dns::kOpcodeMask) != 0 || questions != 1)
    return Corrupt("its header");
  const auto asked = reader.Name(dns::Compression::kRefused);
  if (!asked || !dns::NameIs(*asked, name) || reader.U16() != type || reader.U16() != dns::kClassIn) {
    return Corrupt("another question");
  }
  DnsLookup lookup;
  lookup.rcode = RcodeOf(flags);
  lookup.truncated = (flags & dns::kFlagTruncated) != 0;
  if (lookup.truncated || lookup.rcode != DnsRcode::kNoError) return lookup;
  std::vector<Record> records;
  for (std::uint16_t i = 0; i < answers; ++i) {
    Record record = WRIT_TRY("answer section", ReadRecord(reader, type));
    if (!record.owner.empty()) records.push_back(std::move(record));
  }
  if (auto followed = Follow(records, std::string(name), type, lookup); !followed) {
    return std::unexpected(std::move(followed).error());
  }
  return lookup;
}

}  // namespace writ::net
