#include "egress/sniffer.h"

#include <gtest/gtest.h>

namespace writ::egress {
namespace {

using Kind = Sniffer::Kind;

std::string U16(std::size_t value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xFF)}; }
std::string Extension(std::size_t type, const std::string& body) { return U16(type) + U16(body.size()) + body; }
std::string Sni(const std::string& name) {
  const std::string entry = std::string(1, '\0') + U16(name.size()) + name;
  return Extension(0, U16(entry.size()) + entry);
}
std::string Record(const std::string& body) { return std::string("\x16\x03\x01", 3) + U16(body.size()) + body; }

/// A ClientHello message with these extensions.
std::string Hello(const std::string& extensions) {
  const std::string body = std::string("\x03\x03", 2) + std::string(32, 'r') + std::string(1, '\0') + U16(2) +
                           std::string("\x13\x01", 2) + std::string("\x01\0", 2) + U16(extensions.size()) + extensions;
  return std::string("\x01\0", 2) + U16(body.size()) + body;
}

Sniffer::Result Look(std::string_view bytes, const char* host = "ok.test") {
  Sniffer sniffer(*net::NormaliseHost(host), 65536);
  sniffer.Add(bytes);
  return sniffer.Look();
}

TEST(Sniffer, Attack23_TlsMustNameTheHostOrNone) {
  EXPECT_EQ(Look(Record(Hello(Sni("ok.test")))).kind, Kind::kTls);
  EXPECT_EQ(Look(Record(Hello(Sni("OK.Test")))).kind, Kind::kTls);
  EXPECT_EQ(Look(Record(Hello(""))).kind, Kind::kTls);
  for (const char* other : {"evil.test", "sub.ok.test", "test", "ok.test.evil.test"}) {
    const auto result = Look(Record(Hello(Sni(other))));
    EXPECT_EQ(result.kind, Kind::kRefused) << other;
    EXPECT_EQ(result.rule, "tunnel.sni");
  }
}

TEST(Sniffer, Attack23_HiddenNamesOfTls) {
  const std::string ech = Extension(0xfe0d, std::string(40, 'e'));
  EXPECT_EQ(Look(Record(Hello(Sni("ok.test") + ech))).kind, Kind::kTls);  // browsers send such a thing to everybody
  EXPECT_EQ(Look(Record(Hello(Sni("front.test") + ech))).kind, Kind::kRefused);
  EXPECT_EQ(Look(Record(Hello(ech))).kind, Kind::kRefused);
  EXPECT_EQ(Look(Record(Hello(Sni("ok.test") + Sni("evil.test")))).kind, Kind::kRefused);
}

TEST(Sniffer, Attack23_TlsInPiecesIsReadToItsEnd) {
  const std::string message = Hello(Sni("evil.test"));
  const std::string bytes = Record(message.substr(0, 1)) + Record(message.substr(1, 50)) + Record(message.substr(51));
  Sniffer sniffer(*net::NormaliseHost("ok.test"), 65536);
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    sniffer.Add(bytes.substr(i, 1));
    ASSERT_EQ(sniffer.Look().kind, Kind::kMore) << i;
  }
  sniffer.Add(bytes.substr(bytes.size() - 1));
  EXPECT_EQ(sniffer.Look().kind, Kind::kRefused);
}

TEST(Sniffer, Attack23_RequestsAreKnownInEverySpellingAServerMightTake) {
  for (const char* line : {"GET / HTTP/1.1\r\n", "get / http/1.0\n", "X-1 / HTTP/9\r\n", "GET /  HTTP/1.1 \r\n",
                           "GET\t/\tHTTP/1.1\r\n", "\r\n\n\rGET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n",
                           "GET /\x01 HTTP/1.1\n", "GET /a HTTP/1.1 HTTP/1.1\r\n", "GET / HTTP/1.1\rX: y\r\n"}) {
    EXPECT_EQ(Look(line).kind, Kind::kHttp) << line;
    const std::string_view text(line);
    const auto cut = Look(text.substr(0, text.size() - 1)).kind;
    EXPECT_EQ(cut, Kind::kMore) << line;
  }
}

TEST(Sniffer, OtherProtocolsPassWithTheirFirstBytes) {
  const std::string_view firsts[] = {std::string_view("SSH-2.0-OpenSSH_9.2\r\n"),
                                     std::string_view("EHLO me\r\n"),
                                     std::string_view("a LOGIN x y\r\n"),
                                     std::string_view("*1\r\n$4\r\nPING\r\n"),
                                     std::string_view("\0\0\0\x08\x04\xd2\x16\x2f", 8),
                                     std::string_view("\x10\x0cMQTT", 6),
                                     std::string_view("AMQP\0\0\x09\x01", 8),
                                     std::string_view("<?xml version='1.0'?>"),
                                     std::string_view("{\"jsonrpc\":"),
                                     std::string_view("0033git-upload-pack /p.git\0host=ok.test\0", 40),
                                     std::string_view("\x16 not a record of TLS"),
                                     std::string_view("GET /\r\n")};
  for (const auto first : firsts) EXPECT_EQ(Look(first).kind, Kind::kPass) << first;
}

TEST(Sniffer, WhatStaysUnclearIsRefusedAtTheLimit) {
  Sniffer sniffer(*net::NormaliseHost("ok.test"), 1000);
  sniffer.Add("GET /" + std::string(900, 'a'));
  EXPECT_EQ(sniffer.Look().kind, Kind::kMore);
  sniffer.Add(std::string(200, 'a'));
  EXPECT_EQ(sniffer.Look().rule, "tunnel.unclear");
}

}  // namespace
}  // namespace writ::egress
