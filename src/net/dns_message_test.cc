#include "net/dns_message.h"

#include <gtest/gtest.h>

#include <string>

#include "net/addresses_for_test.h"

namespace writ::net {
namespace {

using namespace std::string_literals;

std::string U16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)}; }
std::string Header(unsigned id, unsigned flags, unsigned questions, unsigned answers, unsigned authorities,
                   unsigned additional) {
  return U16(id) + U16(flags) + U16(questions) + U16(answers) + U16(authorities) + U16(additional);
}
std::string Name(std::string_view name) {
  std::string wire;
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t dot = std::min(name.find('.', start), name.size());
    wire += static_cast<char>(dot - start) + std::string(name.substr(start, dot - start));
    start = dot + 1;
  }
  return wire + "\0"s;
}
std::string Question(std::string_view name, unsigned type, unsigned question_class = 1) {
  return Name(name) + U16(type) + U16(question_class);
}
std::string Record(const std::string& owner, unsigned type, unsigned ttl_s, const std::string& data) {
  return owner + U16(type) + U16(1) + U16(ttl_s >> 16) + U16(ttl_s & 0xFFFF) + U16(static_cast<unsigned>(data.size())) +
         data;
}
std::string Opt(unsigned udp_bytes, unsigned version = 0) {
  return "\0"s + U16(kDnsOpt) + U16(udp_bytes) + U16(version) + U16(0) + U16(0);
}

DnsQuery Parse(const std::string& message) { return ParseDnsQuery(AsBytes(message)); }

TEST(DnsQuery, ReadsOneQuestion) {
  const DnsQuery query = Parse(Header(7, 0x0100, 1, 0, 0, 0) + Question("Example.org", kDnsAaaa));
  EXPECT_EQ(query.kind, DnsQuery::Kind::kAsk);
  EXPECT_EQ(query.id, 7);
  EXPECT_EQ(query.name, "Example.org");
  EXPECT_EQ(query.type, kDnsAaaa);
  EXPECT_FALSE(query.edns);
  EXPECT_EQ(query.udp_bytes_max, 512U);
  const DnsQuery edns = Parse(Header(7, 0, 1, 0, 0, 1) + Question("a", kDnsA) + Opt(1232));
  EXPECT_EQ(edns.kind, DnsQuery::Kind::kAsk);
  EXPECT_TRUE(edns.edns);
  EXPECT_EQ(edns.udp_bytes_max, 1232U);
  EXPECT_EQ(Parse(Header(7, 0, 1, 0, 0, 1) + Question("a", kDnsA) + Opt(65535)).udp_bytes_max, 4096U);
  EXPECT_EQ(Parse(Header(7, 0, 1, 0, 0, 1) + Question("a", kDnsA) + Opt(0)).udp_bytes_max, 512U);
  EXPECT_EQ(Parse(Header(7, 0, 1, 0, 0, 0) + "\0"s + U16(kDnsA) + U16(1)).name, ".");
}

TEST(DnsQuery, NeverAnswersAnAnswerOrNoise) {
  EXPECT_EQ(Parse("").kind, DnsQuery::Kind::kDrop);
  EXPECT_EQ(Parse(std::string(11, 'x')).kind, DnsQuery::Kind::kDrop);
  EXPECT_EQ(Parse(Header(7, 0x8000, 1, 0, 0, 0) + Question("a", kDnsA)).kind, DnsQuery::Kind::kDrop);
}

TEST(DnsQuery, RefusesWhatIsNotOneQuestion) {
  const std::string question = Question("example.org", kDnsA);
  const std::string long_name =
      Name(std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(63, 'a') + "." + std::string(62, 'a'));
  const std::pair<std::string, DnsRcode> cases[] = {
      {Header(7, 0, 0, 0, 0, 0), DnsRcode::kFormErr},
      {Header(7, 0, 2, 0, 0, 0) + question + question, DnsRcode::kFormErr},
      {Header(7, 0, 65535, 0, 0, 0) + question, DnsRcode::kFormErr},
      {Header(7, 0, 1, 1, 0, 0) + question, DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 1, 0) + question, DnsRcode::kFormErr},
      {Header(7, 0x0200, 1, 0, 0, 0) + question, DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 0) + question + "x", DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 0) + question.substr(0, question.size() - 1), DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 0) + "\x07"
                                  "exam",
       DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 0) +
           "\x40"
           "exam" +
           std::string(70, 'x'),
       DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 0) + "\xC0\x0C"s + U16(1) + U16(1), DnsRcode::kFormErr},  // points to itself
      {Header(7, 0, 1, 0, 0, 0) +
           "\x01"
           "a"
           "\xC0\x0C"s +
           U16(1) + U16(1),
       DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 0) + long_name + U16(1) + U16(1), DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 1) + question + Record("\0"s, 250, 0, "x"), DnsRcode::kFormErr},  // TSIG
      {Header(7, 0, 1, 0, 0, 1) + question + Record(Name("a"), kDnsOpt, 0, ""), DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 2) + question + Opt(512) + Opt(512), DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 1) + question, DnsRcode::kFormErr},
      {Header(7, 0, 1, 0, 0, 1) + question + Opt(512, 1), DnsRcode::kBadVers},
      {Header(7, 0x2800, 1, 0, 0, 0) + question, DnsRcode::kNotImp},  // update
      {Header(7, 0x1000, 1, 0, 0, 0) + question, DnsRcode::kNotImp},  // status
      {Header(7, 0, 1, 0, 0, 0) + Question("version.bind", 16, 3), DnsRcode::kRefused},
      {Header(7, 0, 1, 0, 0, 0) + Question("example.org", kDnsA, 255), DnsRcode::kRefused},
  };
  for (const auto& [message, rcode] : cases) {
    SCOPED_TRACE(HexEncode(AsBytes(message)));
    const DnsQuery query = Parse(message);
    EXPECT_EQ(query.kind, DnsQuery::Kind::kRefuse);
    EXPECT_EQ(query.refusal, rcode);
    const std::string answer = BuildDnsAnswer(query, {query.refusal, {}, 0}, 512);
    EXPECT_EQ(answer.substr(0, 2), U16(7));
    EXPECT_EQ(static_cast<unsigned>(answer[3] & 0x0F), static_cast<unsigned>(rcode) & 0x0F);
    EXPECT_NE(answer[2] & 0x80, 0);
  }
}

TEST(Attack22_DnsNames, BytesThatNoHostHasNeverLookLikeOne) {
  const std::string message = Header(7, 0, 1, 0, 0, 0) +
                              "\x0B"
                              "evil.test\0x"s +
                              "\x07"
                              "example"
                              "\x03"
                              "org"
                              "\0"s +
                              U16(1) + U16(1);
  const DnsQuery query = Parse(message);
  EXPECT_EQ(query.kind, DnsQuery::Kind::kAsk);
  EXPECT_EQ(query.name, "evil\\046test\\000x.example.org");
}

TEST(DnsAnswer, CarriesAddressesOfTheTypeAsked) {
  const DnsQuery query = Parse(Header(7, 0x0100, 1, 0, 0, 0) + Question("Example.org", kDnsA));
  const std::string answer = BuildDnsAnswer(query, {DnsRcode::kNoError, {Ip("198.18.0.1"), Ip("fd00::1")}, 60}, 512);
  EXPECT_EQ(HexEncode(AsBytes(answer)),
            "000781800001000100000000"
            "074578616d706c65036f726700"
            "00010001"
            "c00c000100010000003c0004c6120001");
  const auto read = ParseDnsLookup(AsBytes(answer), 7, "example.org", kDnsA).value();
  EXPECT_EQ(read.addresses, std::vector{Ip("198.18.0.1")});
  EXPECT_EQ(read.ttl_s, 60U);
}

TEST(DnsAnswer, SaysNoInEveryWay) {
  const DnsQuery query = Parse(Header(7, 0x0100, 1, 0, 0, 1) + Question("a.org", kDnsAaaa) + Opt(1232));
  for (const DnsRcode rcode :
       {DnsRcode::kNoError, DnsRcode::kNxDomain, DnsRcode::kRefused, DnsRcode::kNotImp, DnsRcode::kServFail}) {
    const std::string answer = BuildDnsAnswer(query, {rcode, {}, 0}, 512);
    const auto read = ParseDnsLookup(AsBytes(answer), 7, "a.org", kDnsAaaa);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->rcode, rcode);
    EXPECT_TRUE(read->addresses.empty());
    EXPECT_EQ(answer.size(), 12 + 11 + 11U);  // header, question, OPT
  }
}

TEST(DnsAnswer, IsTruncatedWhenItDoesNotFit) {
  const DnsQuery query = Parse(Header(7, 0, 1, 0, 0, 0) + Question("a.org", kDnsA));
  const std::vector<IpAddress> many(100, Ip("198.18.0.1"));
  const std::string answer = BuildDnsAnswer(query, {DnsRcode::kNoError, many, 60}, query.udp_bytes_max);
  EXPECT_LE(answer.size(), 512U);
  const auto read = ParseDnsLookup(AsBytes(answer), 7, "a.org", kDnsA).value();
  EXPECT_TRUE(read.truncated);
  EXPECT_TRUE(read.addresses.empty());
  const std::string whole = BuildDnsAnswer(query, {DnsRcode::kNoError, many, 60}, kDnsMessageMax);
  EXPECT_FALSE(ParseDnsLookup(AsBytes(whole), 7, "a.org", kDnsA).value().truncated);
}

TEST(DnsLookup, AsksAsAQueryIsRead) {
  const DnsQuery query = Parse(BuildDnsLookup(513, "a.example.org", kDnsAaaa).value());
  EXPECT_EQ(query.kind, DnsQuery::Kind::kAsk);
  EXPECT_EQ(query.id, 513);
  EXPECT_EQ(query.name, "a.example.org");
  EXPECT_EQ(query.type, kDnsAaaa);
  EXPECT_TRUE(query.edns);
  for (const std::string& name : {""s, "."s, "a..b"s, ".a"s, "a."s, std::string(64, 'a'), std::string(254, 'a')}) {
    EXPECT_FALSE(BuildDnsLookup(1, name, kDnsA)) << name;
  }
}

const std::string kPointer = "\xC0\x0C"s;  // to the name of the question

std::string Reply(unsigned flags, unsigned answers, const std::string& records,
                  const std::string& question = Question("a.org", kDnsA)) {
  return Header(9, flags, 1, answers, 0, 0) + question + records;
}
Result<DnsLookup> Lookup(const std::string& message) { return ParseDnsLookup(AsBytes(message), 9, "a.org", kDnsA); }

TEST(DnsLookup, FollowsAliasesInAnyOrder) {
  const std::string address = Record(Name("C.org"), kDnsA, 30, "\x01\x02\x03\x04");
  const std::string first = Record(kPointer, kDnsCname, 300, Name("b.org"));
  const std::string second = Record(Name("b.org"), kDnsCname, 20, Name("c.ORG"));
  const std::string other = Record(Name("evil.test"), kDnsA, 1, "\x06\x06\x06\x06");
  const std::string text = Record(kPointer, 16, 1, "\x01x");
  for (const std::string& records :
       {first + second + address + other + text, text + other + address + second + first}) {
    const DnsLookup lookup = Lookup(Reply(0x8180, 5, records)).value();
    EXPECT_EQ(lookup.addresses, std::vector{Ip("1.2.3.4")});
    EXPECT_EQ(lookup.canonical, "c.org");
    EXPECT_EQ(lookup.ttl_s, 20U);
  }
  EXPECT_EQ(Lookup(Reply(0x8183, 0, "")).value().rcode, DnsRcode::kNxDomain);
  EXPECT_EQ(Lookup(Reply(0x8182, 0, "")).value().rcode, DnsRcode::kServFail);
  EXPECT_TRUE(Lookup(Reply(0x8380, 0, "")).value().truncated);
  EXPECT_TRUE(Lookup(Reply(0x8180, 0, "")).value().addresses.empty());
  EXPECT_TRUE(Lookup(Reply(0x8180, 1, other)).value().addresses.empty());
  EXPECT_EQ(Lookup(Reply(0x8180, 1, Record(kPointer, kDnsA, 0x80000000, "\x01\x02\x03\x04"))).value().ttl_s, 0U);
}

TEST(DnsLookup, BoundsAddresses) {
  std::string records;
  for (char i = 0; i < 100; ++i) records += Record(kPointer, kDnsA, 1, "\x01\x02\x03"s + i);
  EXPECT_EQ(Lookup(Reply(0x8180, 100, records)).value().addresses.size(), DnsLookup::kAddressesMax);
}

TEST(Attack21_ForgedDnsAnswers, OnlyTheAnswerToThisQuestionCounts) {
  const std::string good = Record(kPointer, kDnsA, 1, "\x01\x02\x03\x04");
  EXPECT_TRUE(Lookup(Reply(0x8180, 1, good)));
  std::string loop, chain;
  loop = Record(kPointer, kDnsCname, 1, Name("b.org")) + Record(Name("b.org"), kDnsCname, 1, kPointer);
  chain = Record(kPointer, kDnsCname, 1, Name("n0"));
  for (int i = 0; i < 20; ++i)
    chain += Record(Name("n" + std::to_string(i)), kDnsCname, 1, Name("n" + std::to_string(i + 1)));
  const std::string cases[] = {
      "",
      std::string(11, '\0'),
      Header(8, 0x8180, 1, 1, 0, 0) + Question("a.org", kDnsA) + good,  // another id
      Reply(0x0180, 1, good),                                           // not an answer
      Reply(0xA980, 1, good),                                           // another opcode
      Reply(0x8180, 1, good, Question("b.org", kDnsA)),                 // another name
      Reply(0x8180, 1, good, Question("a.org", kDnsAaaa)),              // another type
      Reply(0x8180, 1, good, Question("a.org", kDnsA, 3)),              // another class
      Header(9, 0x8180, 0, 1, 0, 0) + good,                             // no question
      Reply(0x8180, 2, good),                                           // fewer records than said
      Reply(0x8180, 65535, good),                                       //
      Reply(0x8180, 1, good.substr(0, good.size() - 1)),                //
      Reply(0x8180, 1, Record(kPointer, kDnsA, 1, "\x01\x02\x03")),     // a short address
      Reply(0x8180, 1, Record(kPointer, kDnsA, 1, "\x01\x02\x03\x04\x05")),
      Reply(0x8180, 1, Record(kPointer, kDnsCname, 1, Name("b.org") + "x")),
      Reply(0x8180, 1, Record("\xC0\x16"s, kDnsA, 1, "\x01\x02\x03\x04")),  // a pointer into itself
      Reply(0x8180, 1, Record("\xC0\xFF"s, kDnsA, 1, "\x01\x02\x03\x04")),  // a pointer out of the message
      Reply(0x8180, 1, Record("\xC0\x00"s, kDnsA, 1, "\x01\x02\x03\x04")),  // a pointer into the header
      Reply(0x8180, 1, Record("\x80", kDnsA, 1, "\x01\x02\x03\x04")),
      Reply(0x8180, 2, loop),
      Reply(0x8180, 21, chain),
      Reply(0x8180, 2, Record(kPointer, kDnsCname, 1, Name("b")) + Record(kPointer, kDnsCname, 1, Name("c"))),
      Reply(0x8180, 2, Record(kPointer, kDnsCname, 1, Name("b")) + good),
  };
  for (const std::string& message : cases) {
    const auto lookup = Lookup(message);
    ASSERT_FALSE(lookup) << HexEncode(AsBytes(message));
    EXPECT_EQ(lookup.error().code, Code::kCorrupt);
  }
}

}  // namespace
}  // namespace writ::net
