#include "isolation/process/dbus_message.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace writ::isolation::process::dbus {
namespace {

Call Hello() {
  return {.serial = 1,
          .destination = "org.freedesktop.DBus",
          .path = "/org/freedesktop/DBus",
          .interface = "org.freedesktop.DBus",
          .member = "Hello",
          .signature = {},
          .body = {}};
}

/// A return to call 7 with one string, in either byte order, as a peer would write it.
std::string Answer(bool big_endian) {
  const auto u32 = [&](std::uint32_t value) {
    std::string out;
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(value >> 8 * (big_endian ? 3 - i : i) & 0xff));
    return out;
  };
  const std::string body = u32(2) + std::string("ok\0", 3);
  const std::string fields = std::string("\x05\x01u\0", 4) + u32(7) + std::string("\x08\x01g\0\x01s\0", 7);
  std::string out = std::string(1, big_endian ? 'B' : 'l') + std::string("\x02\x00\x01", 3) +
                    u32(static_cast<std::uint32_t>(body.size())) + u32(9) + u32(static_cast<std::uint32_t>(fields.size())) + fields;
  while (out.size() % 8 != 0) out.push_back('\0');
  return out + body;
}

TEST(Dbus, ReadsWhatItWrites) {
  Encoder body;
  body.String("text");
  body.U32(5);
  Call call = Hello();
  call.signature = "su";
  call.body = body.bytes();
  const std::string bytes = Encode(call);
  ASSERT_EQ(*MessageSize(bytes), bytes.size());
  const auto message = Parse(bytes);
  ASSERT_TRUE(message.has_value()) << message.error().what;
  EXPECT_EQ(message->type, Type::kCall);
  EXPECT_EQ(message->serial, 1u);
  EXPECT_EQ(message->path, call.path);
  EXPECT_EQ(message->interface, call.interface);
  EXPECT_EQ(message->member, "Hello");
  EXPECT_EQ(message->signature, "su");
  Decoder in(message->body, message->big_endian);
  EXPECT_EQ(*in.String(), "text");
  EXPECT_EQ(*in.U32(), 5u);
  EXPECT_FALSE(in.Byte().has_value());
}

TEST(Dbus, ReadsBothByteOrders) {
  for (const bool big_endian : {false, true}) {
    SCOPED_TRACE(big_endian);
    const auto message = Parse(Answer(big_endian));
    ASSERT_TRUE(message.has_value()) << message.error().what;
    EXPECT_EQ(message->type, Type::kReturn);
    EXPECT_EQ(message->reply_serial, 7u);
    EXPECT_EQ(message->signature, "s");
    EXPECT_EQ(*Decoder(message->body, message->big_endian).String(), "ok");
  }
}

TEST(Dbus, ArraysCountTheirElementsAndNotThePaddingBeforeThem) {
  Encoder out;
  const std::size_t array = out.BeginArray(8);
  out.EndArray(array);
  EXPECT_EQ(out.bytes(), std::string(8, '\0'));
  Encoder one;
  const std::size_t begin = one.BeginArray(8);
  one.U32(1);
  one.EndArray(begin);
  EXPECT_EQ(one.bytes(), std::string("\4\0\0\0\0\0\0\0\1\0\0\0", 12));
}

TEST(Dbus, SkipsValuesOfAnyType) {
  Encoder out;
  out.Byte(1);                                       // y
  out.Signature("a{sv}");                            // v: an empty dictionary
  const std::size_t dictionary = out.BeginArray(8);
  out.EndArray(dictionary);
  out.Align(8);                                      // (us)
  out.U32(1);
  out.String("x");
  const std::size_t array = out.BeginArray(4);       // au
  out.U32(1), out.U32(2);
  out.EndArray(array);
  out.Align(8);
  out.U32(1), out.U32(2);                            // t
  out.U32(77);                                       // u
  Decoder in(out.bytes(), false);
  std::string_view signature = "yv(us)autu";
  for (int i = 0; i < 5; ++i) {
    const auto skipped = in.Skip(signature);
    ASSERT_TRUE(skipped.has_value()) << i << ": " << skipped.error().what;
  }
  EXPECT_EQ(signature, "u");
  EXPECT_EQ(*in.U32(), 77u);
}

TEST(Dbus, RefusesWhatIsNoMessage) {
  const std::string good = Answer(false);
  const auto changed = [&](std::size_t at, char value) {
    std::string bytes = good;
    bytes[at] = value;
    return bytes;
  };
  const struct {
    const char* why;
    std::string bytes;
  } cases[] = {
      {"empty", ""},
      {"shorter than a header", good.substr(0, 15)},
      {"cut in the fields", good.substr(0, 24)},
      {"cut in the body", good.substr(0, good.size() - 1)},
      {"more than it says", good + "x"},
      {"unknown byte order", changed(0, 'x')},
      {"unknown type", changed(1, 9)},
      {"type 0", changed(1, 0)},
      {"another version", changed(3, 2)},
      {"serial 0", changed(8, 0)},
      {"answer to no call", changed(20, 0)},
      {"body length too large", changed(6, 0x7f)},
      {"field length too large", changed(15, 0x7f)},
      {"unknown type in a field", changed(18, '?')},
      {"two types in a field's variant", changed(17, 2)},
      {"padding not zero", changed(31, 1)},
  };
  ASSERT_TRUE(Parse(good).has_value());
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto message = Parse(c.bytes);
    EXPECT_FALSE(message.has_value());
  }
}

TEST(Dbus, BoundsWhatItTakes) {
  std::string start(kFixedHeader, '\0');
  start[0] = 'l', start[1] = 1, start[3] = 1;
  for (const std::size_t at : {4, 12}) {
    SCOPED_TRACE(at);
    std::string bytes = start;
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = '\xff';
    const auto size = MessageSize(bytes);
    ASSERT_FALSE(size.has_value());
    EXPECT_EQ(size.error().code, Code::kExhausted);
  }
}

TEST(Dbus, BoundsNesting) {
  for (const std::string& deep : {std::string(200, '('), std::string(200, 'a') + "y", std::string(100, '(') + "y" + std::string(100, ')')}) {
    const std::string zeros(1024, '\0');
    Decoder in(zeros, false);
    std::string_view signature = deep;
    EXPECT_FALSE(in.Skip(signature).has_value());
  }
  // Each variant holds the next: the depth is in the value and not in the signature.
  std::string variants;
  for (int i = 0; i < 300; ++i) variants += std::string("\1v\0", 3);
  Decoder in(variants, false);
  std::string_view signature = "v";
  EXPECT_FALSE(in.Skip(signature).has_value());
}

TEST(Dbus, RefusesBadStrings) {
  for (const std::string& bytes : {std::string("\3\0\0\0a\0b\0", 8), std::string("\1\0\0\0ab", 6), std::string("\5\0\0\0a", 5),
                                   std::string("\xff\xff\xff\xff", 4)}) {
    EXPECT_FALSE(Decoder(bytes, false).String().has_value()) << HexEncode(AsBytes(bytes));
  }
}

}  // namespace
}  // namespace writ::isolation::process::dbus
