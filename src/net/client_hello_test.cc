#include "net/client_hello.h"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.h"

namespace writ::net {
namespace {

using namespace std::string_literals;
using State = ClientHelloReader::State;

std::string Number(std::size_t width, std::size_t value) {
  std::string bytes;
  while (width-- > 0) bytes += static_cast<char>(value >> (8 * width) & 0xFF);
  return bytes;
}
std::string Vector(std::size_t width, const std::string& bytes) { return Number(width, bytes.size()) + bytes; }
std::string Extension(std::size_t type, const std::string& data) { return Number(2, type) + Vector(2, data); }
std::string NameEntry(const std::string& name, char type = 0) { return type + Vector(2, name); }
std::string ServerName(const std::string& name) { return Extension(0, Vector(2, NameEntry(name))); }
std::string Message(const std::string& body, char type = 1) { return type + Vector(3, body); }
std::string Record(const std::string& bytes, char type = 22, char minor = 1) {
  return type + "\x03"s + minor + Vector(2, bytes);
}
const std::string kStart = "\x03\x03" + std::string(32, 'r') + "\0"s + Vector(2, "\x13\x01") + Vector(1, "\0"s);
std::string Hello(const std::string& extensions) { return Message(kStart + Vector(2, extensions)); }

/// What a reader says to all of it at once.
Result<State> ReadHello(const std::string& bytes, ClientHello* hello = nullptr) {
  ClientHelloReader reader;
  const auto state = reader.Read(bytes);
  if (hello != nullptr) *hello = reader.hello();
  return state;
}

/// As OpenSSL 3 writes it for api.example.org with ALPN h2 and http/1.1.
constexpr std::string_view kOpenSslHello =
    "1603010200010001fc03039f7038ac1416344ea4757c426b02b853c8f32a352cbb76c5142a423e8a9c7ed020640fdbcc4eea5def1d32"
    "d9035f0866f703c8f6d69682845902cc1a0bbbd9f1a20024130213031301c02cc030c02bc02fcca9cca8c024c028c023c027009f009e"
    "006b006700ff0100018f00000014001200000f6170692e6578616d706c652e6f7267000b000403000102000a00160014001d0017001e"
    "0019001801000101010201030104002300000010000e000c02683208687474702f312e310016000000170000000d002a002804030503"
    "0603080708080809080a080b080408050806040105010601030303010302040205020602002b00050403040303002d00020101003300"
    "260024001d0020353bd7319fd8d2a121d703d9c9c01ae6c1455e75962aee1e66d88b2e39ac2674001500cc0000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000";

TEST(ClientHello, ReadsWhatOpenSslSends) {
  ClientHello hello;
  EXPECT_EQ(ReadHello(HexDecode(kOpenSslHello).value(), &hello), State::kHello);
  EXPECT_EQ(hello.server_name->name, "api.example.org");
  EXPECT_EQ(hello.alpn, (std::vector<std::string>{"h2", "http/1.1"}));
  EXPECT_FALSE(hello.encrypted_client_hello);
}

TEST(ClientHello, RecordsAndReadsMayBeCutAnywhere) {
  const std::string message = Hello(Extension(23, "") + ServerName("Example.ORG."));
  for (std::size_t piece = 1; piece <= message.size(); ++piece) {
    std::string bytes;
    for (std::size_t at = 0; at < message.size(); at += piece) bytes += Record(message.substr(at, piece));
    ClientHelloReader reader;
    for (std::size_t end = 0; end < bytes.size(); ++end) {
      ASSERT_EQ(reader.Read(std::string_view(bytes).substr(0, end)), State::kNeedMore) << piece << " " << end;
    }
    bytes += Record("0", 23);  // early data may follow
    ASSERT_EQ(reader.Read(bytes), State::kHello) << piece;
    EXPECT_EQ(reader.hello().server_name->name, "example.org");
  }
}

TEST(ClientHello, NameAndAlpnMayBeAbsent) {
  for (const std::string& bytes : {Record(Message(kStart)), Record(Hello("")), Record(Hello(Extension(10, "x")))}) {
    ClientHello hello;
    EXPECT_EQ(ReadHello(bytes, &hello), State::kHello);
    EXPECT_FALSE(hello.server_name);
    EXPECT_TRUE(hello.alpn.empty());
  }
}

TEST(ClientHello, OtherProtocolsAreToldFromTheFirstBytes) {
  for (const std::string& bytes : {"GET / HTTP/1.1\r\n"s, "SSH-2.0-x\r\n"s, "\x80\x2E\x01\x03\x01"s, "\0"s, "\x16\x02"s,
                                   "\x17\x03\x03"s, "\x15\x03\x01\0\x02\x02\x28"s, "PRI * HTTP/2.0\r\n"s}) {
    EXPECT_EQ(ReadHello(bytes), State::kNotTls) << bytes;
  }
  EXPECT_EQ(ReadHello(""), State::kNeedMore);
  EXPECT_EQ(ReadHello("\x16"), State::kNeedMore);
}

TEST(Attack23_ClientHello, EncryptedNamesAreSeen) {
  for (const std::size_t type : {0xFE0D, 0xFFCE}) {
    ClientHello hello;
    EXPECT_EQ(ReadHello(Record(Hello(ServerName("outer.example") + Extension(type, "\0"s))), &hello), State::kHello);
    EXPECT_TRUE(hello.encrypted_client_hello);
    EXPECT_EQ(hello.server_name->name, "outer.example");
  }
}

TEST(Attack23_ClientHello, TwoReadingsOfOneNameAreRefused) {
  const std::string two = Extension(0, Vector(2, NameEntry("granted.example") + NameEntry("evil.example")));
  const std::string name = ServerName("a.example");
  const std::string cases[] = {
      Record(Hello(two)),
      Record(Hello(name + ServerName("evil.example"))),
      Record(Hello(name + Extension(10, "") + Extension(10, ""))),
      Record(Hello(ServerName(""))),
      Record(Hello(Extension(0, ""))),
      Record(Hello(Extension(0, Vector(2, "")))),
      Record(Hello(Extension(0, Vector(2, NameEntry("a.example", 1))))),
      Record(Hello(Extension(0, Vector(2, NameEntry("a.example")) + "x"))),
      Record(Hello(ServerName("granted.example\0.evil.example"s))),
      Record(Hello(ServerName("a b.example"))),
      Record(Hello(ServerName("a.example:443"))),
      Record(Hello(ServerName("user@a.example"))),
      Record(Hello(ServerName("m\xC3\xBCnchen.de"))),
      Record(Hello(ServerName("*.example"))),
      Record(Hello(ServerName(std::string(300, 'a')))),
      Record(Hello(name) + Hello(ServerName("evil.example"))),  // two messages in one record
      Record(Hello(name).substr(0, 20)) + Record("x", 21) + Record(Hello(name).substr(20)),
      Record(Hello(name).substr(0, 20)) + Record("") + Record(Hello(name).substr(20)),
      Record(Message(kStart + Vector(2, name) + "x")),
      Record(Message(kStart + Number(2, name.size() + 1) + name)),
      Record(Message(kStart + Number(2, name.size() - 1) + name)),
      Record(Message(kStart.substr(0, 30))),
      Record(Message("\x04\x03"s + kStart.substr(2) + Vector(2, name))),
      Record(Message(kStart.substr(0, 34) + Vector(1, std::string(33, 's')) + kStart.substr(35))),
      Record(Message(kStart.substr(0, 35) + Vector(2, "\x13") + Vector(1, "\0"s) + Vector(2, name))),
      Record(Hello(name + "\0"s)),
      Record(Hello(Extension(16, Vector(2, "")))),
      Record(Hello(Extension(16, Vector(2, "\0"s)))),
      Record(Hello(Extension(16, Vector(2, "\x05h2")))),
      Record(Message(kStart, 2)),
      Record("\x02\0\0\x01x"s),
  };
  for (const std::string& bytes : cases) {
    const auto state = ReadHello(bytes);
    ASSERT_FALSE(state) << HexEncode(AsBytes(bytes)) << " " << static_cast<int>(*state);
    EXPECT_EQ(state.error().code, Code::kInvalid);
  }
}

TEST(ClientHello, AnAddressForANameIsAnAddress) {
  ClientHello hello;
  EXPECT_EQ(ReadHello(Record(Hello(ServerName("127.1"))), &hello), State::kHello);
  EXPECT_EQ(hello.server_name->address->ToText(), "127.0.0.1");
}

TEST(Attack39_ClientHello, LimitsHold) {
  EXPECT_FALSE(ReadHello(Record("\x01\x01\0\x01"s)));                         // says 64 KiB and more
  EXPECT_FALSE(ReadHello("\x16\x03\x01\x40\x01" + std::string(20000, 'x')));  // a record over 16 KiB
  const std::string large = Hello(Extension(21, std::string(60000, '\0')) + ServerName("a.example"));
  std::string records;
  for (std::size_t at = 0; at < large.size(); at += 16384) records += Record(large.substr(at, 16384));
  EXPECT_EQ(ReadHello(records), State::kHello);
  std::string tiny;
  for (std::size_t at = 0; at < 2000; ++at) tiny += Record(large.substr(at, 1));
  EXPECT_FALSE(ReadHello(tiny));
  std::string many;
  for (std::size_t type = 100; type < 400; ++type) many += Extension(type, "");
  EXPECT_FALSE(ReadHello(Record(Hello(many))));
}

}  // namespace
}  // namespace writ::net
