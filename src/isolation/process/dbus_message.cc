#include "isolation/process/dbus_message.h"

#include <array>
#include <cstring>

namespace writ::isolation::process::dbus {
namespace {

constexpr int kDepthMax = 32;
constexpr std::uint8_t kProtocolVersion = 1;

enum Field : std::uint8_t {
  kPath = 1,
  kInterface = 2,
  kMember = 3,
  kErrorName = 4,
  kReplySerial = 5,
  kDestination = 6,
  kSignature = 8
};

std::uint32_t ReadU32(std::string_view four, bool big_endian) {
  std::array<std::uint8_t, 4> b;
  std::memcpy(b.data(), four.data(), b.size());
  return big_endian ? std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3]
                    : std::uint32_t{b[3]} << 24 | std::uint32_t{b[2]} << 16 | std::uint32_t{b[1]} << 8 | b[0];
}

/// Alignment of the type a signature starts with; 0 for a character that starts no type.
std::size_t AlignmentOf(char type) {
  switch (type) {
    case 'y': case 'g': case 'v': return 1;
    case 'n': case 'q': return 2;
    case 'b': case 'i': case 'u': case 'h': case 's': case 'o': case 'a': return 4;
    case 'x': case 't': case 'd': case '(': case '{': return 8;
    default: return 0;
  }
}

/// Removes the first complete type of `signature` without reading a value.
Result<> DropType(std::string_view& signature, int depth) {
  if (depth > kDepthMax) return Fail(Code::kCorrupt, "type nested more than {} deep", kDepthMax);
  if (signature.empty() || AlignmentOf(signature.front()) == 0)
    return Fail(Code::kCorrupt, "signature ends early or has an unknown type");
  const char type = signature.front();
  signature.remove_prefix(1);
  if (type == 'a') return DropType(signature, depth + 1);
  if (type != '(' && type != '{') return {};
  const char close = type == '(' ? ')' : '}';
  do {
    if (auto dropped = DropType(signature, depth + 1); !dropped) return dropped;
  } while (!signature.empty() && signature.front() != close);
  if (signature.empty()) return Fail(Code::kCorrupt, "structure without an end in a signature");
  signature.remove_prefix(1);
  return {};
}

/// Offset of the body: fixed header, then the fields, padded to 8.
std::size_t BodyOffset(std::size_t fields) { return (kFixedHeader + fields + 7) & ~std::size_t{7}; }

}  // namespace

void Encoder::Align(std::size_t boundary) {
  while (bytes_.size() % boundary != 0) bytes_.push_back('\0');
}

void Encoder::U32(std::uint32_t value) {
  Align(4);
  for (int shift = 0; shift < 32; shift += 8) bytes_.push_back(static_cast<char>(value >> shift & 0xff));
}

void Encoder::String(std::string_view text) {
  U32(static_cast<std::uint32_t>(text.size()));
  bytes_.append(text).push_back('\0');
}

void Encoder::Signature(std::string_view text) {
  Byte(static_cast<std::uint8_t>(text.size()));
  bytes_.append(text).push_back('\0');
}

std::size_t Encoder::BeginArray(std::size_t boundary) {
  U32(0);
  const std::size_t length_at = bytes_.size() - 4;
  // The padding before the first element does not count as length, and is there even when the array is empty.
  Align(boundary);
  return length_at << 8 | (bytes_.size() - length_at - 4);
}

void Encoder::EndArray(std::size_t begin) {
  const std::size_t length_at = begin >> 8, padding = begin & 0xff;
  const std::size_t length = bytes_.size() - length_at - 4 - padding;
  for (std::size_t i = 0; i < 4; ++i) bytes_[length_at + i] = static_cast<char>(length >> (8 * i) & 0xff);
}

std::string Encode(const Call& call) {
  Encoder out;
  out.Byte('l');
  out.Byte(static_cast<std::uint8_t>(Type::kCall));
  out.Byte(0);
  out.Byte(kProtocolVersion);
  out.U32(static_cast<std::uint32_t>(call.body.size()));
  out.U32(call.serial);
  const std::size_t fields = out.BeginArray(8);
  const auto text = [&](Field code, std::string_view type, std::string_view value) {
    if (value.empty()) return;
    out.Align(8);
    out.Byte(code);
    out.Signature(type);
    if (type == "g")
      out.Signature(value);
    else
      out.String(value);
  };
  text(kPath, "o", call.path);
  text(kInterface, "s", call.interface);
  text(kMember, "s", call.member);
  text(kDestination, "s", call.destination);
  text(kSignature, "g", call.signature);
  out.EndArray(fields);
  out.Align(8);
  return out.bytes() + call.body;
}

Result<std::size_t> MessageSize(std::string_view start) {
  if (start.size() < kFixedHeader) return Fail(Code::kCorrupt, "D-Bus message shorter than its header");
  if (start[0] != 'l' && start[0] != 'B') return Fail(Code::kCorrupt, "D-Bus message with unknown byte order");
  if (start[3] != kProtocolVersion) return Fail(Code::kCorrupt, "D-Bus message of another protocol version");
  const bool big_endian = start[0] == 'B';
  const std::size_t body = ReadU32(start.substr(4, 4), big_endian), fields = ReadU32(start.substr(12, 4), big_endian);
  // Each on its own first, so that the sum cannot wrap.
  if (body > kMessageMax || fields > kMessageMax || BodyOffset(fields) + body > kMessageMax)
    return Fail(Code::kExhausted, "D-Bus message longer than {} bytes", kMessageMax);
  return BodyOffset(fields) + body;
}

Result<Message> Parse(std::string_view bytes) {
  const std::size_t size = WRIT_TRY("read message", MessageSize(bytes));
  if (bytes.size() != size) return Fail(Code::kCorrupt, "D-Bus message of {} bytes says it has {}", bytes.size(), size);
  Message message;
  message.big_endian = bytes[0] == 'B';
  const auto type = static_cast<std::uint8_t>(bytes[1]);
  if (type < 1 || type > 4) return Fail(Code::kCorrupt, "D-Bus message of unknown type {}", type);
  message.type = static_cast<Type>(type);
  message.serial = ReadU32(bytes.substr(8, 4), message.big_endian);
  if (message.serial == 0) return Fail(Code::kCorrupt, "D-Bus message with serial 0");
  const std::size_t fields_end = kFixedHeader + ReadU32(bytes.substr(12, 4), message.big_endian);

  // Positions count from the start of the message, because alignment does.
  Decoder in(bytes.substr(0, fields_end), message.big_endian);
  for (std::size_t i = 0; i < kFixedHeader; ++i) (void)WRIT_TRY("header", in.Byte());
  while (in.position() < fields_end) {
    if (auto aligned = in.Align(8); !aligned) return std::unexpected(std::move(aligned).error().Doing("header field"));
    const std::uint8_t code = WRIT_TRY("header field", in.Byte());
    const std::string kind = WRIT_TRY("header field", in.Signature());
    const auto is = [&](Field field, std::string_view wanted) { return code == field && kind == wanted; };
    if (is(kPath, "o")) {
      message.path = WRIT_TRY("path", in.String());
    } else if (is(kInterface, "s")) {
      message.interface = WRIT_TRY("interface", in.String());
    } else if (is(kMember, "s")) {
      message.member = WRIT_TRY("member", in.String());
    } else if (is(kErrorName, "s")) {
      message.error_name = WRIT_TRY("error name", in.String());
    } else if (is(kReplySerial, "u")) {
      message.reply_serial = WRIT_TRY("reply serial", in.U32());
    } else if (is(kSignature, "g")) {
      message.signature = WRIT_TRY("signature", in.Signature());
    } else {
      std::string_view rest = kind;
      if (auto skipped = in.Skip(rest); !skipped) return std::unexpected(std::move(skipped).error().Doing("header field"));
      if (!rest.empty()) return Fail(Code::kCorrupt, "header field with more than one type");
    }
  }
  for (const char byte : bytes.substr(fields_end, BodyOffset(fields_end - kFixedHeader) - fields_end))
    if (byte != '\0') return Fail(Code::kCorrupt, "D-Bus padding is not zero");
  const bool answers = message.type == Type::kReturn || message.type == Type::kError;
  if (answers && message.reply_serial == 0) return Fail(Code::kCorrupt, "D-Bus answer that names no call");
  message.body = std::string(bytes.substr(BodyOffset(fields_end - kFixedHeader)));
  return message;
}

Result<std::string_view> Decoder::Take(std::size_t count) {
  if (count > bytes_.size() - at_) return Fail(Code::kCorrupt, "D-Bus value ends early");
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

Result<> Decoder::Align(std::size_t boundary) {
  const std::size_t padding = (boundary - at_ % boundary) % boundary;
  for (const char byte : WRIT_TRY("padding", Take(padding)))
    if (byte != '\0') return Fail(Code::kCorrupt, "D-Bus padding is not zero");
  return {};
}

Result<std::uint8_t> Decoder::Byte() { return static_cast<std::uint8_t>(WRIT_TRY("byte", Take(1)).front()); }

Result<std::uint32_t> Decoder::U32() {
  if (auto aligned = Align(4); !aligned) return std::unexpected(std::move(aligned).error());
  return ReadU32(WRIT_TRY("number", Take(4)), big_endian_);
}

Result<std::string> Decoder::String() {
  const std::size_t length = WRIT_TRY("string", U32());
  const std::string_view text = WRIT_TRY("string", Take(length));
  if (text.find('\0') != std::string_view::npos) return Fail(Code::kCorrupt, "D-Bus string with NUL inside");
  if (WRIT_TRY("end of string", Byte()) != 0) return Fail(Code::kCorrupt, "D-Bus string without its NUL");
  return std::string(text);
}

Result<std::string> Decoder::Signature() {
  const std::size_t length = WRIT_TRY("signature", Byte());
  const std::string_view text = WRIT_TRY("signature", Take(length));
  if (text.find('\0') != std::string_view::npos) return Fail(Code::kCorrupt, "D-Bus signature with NUL inside");
  if (WRIT_TRY("end of signature", Byte()) != 0) return Fail(Code::kCorrupt, "D-Bus signature without its NUL");
  return std::string(text);
}

Result<> Decoder::Skip(std::string_view& signature, int depth) {
  if (depth > kDepthMax) return Fail(Code::kCorrupt, "D-Bus value nested more than {} deep", kDepthMax);
  const char type = signature.empty() ? '\0' : signature.front();
  const std::size_t alignment = AlignmentOf(type);
  if (alignment == 0) return Fail(Code::kCorrupt, "signature ends early or has an unknown type");
  if (auto aligned = Align(alignment); !aligned) return aligned;
  switch (type) {
    case 's': case 'o': (void)WRIT_TRY("skip", String()); break;
    case 'g': (void)WRIT_TRY("skip", Signature()); break;
    case 'v': {
      const std::string inner = WRIT_TRY("skip", Signature());
      std::string_view rest = inner;
      if (auto skipped = Skip(rest, depth + 1); !skipped) return skipped;
      if (!rest.empty()) return Fail(Code::kCorrupt, "D-Bus variant with more than one type");
      break;
    }
    case 'a': {
      // The length is enough to step over the elements; their type only says where they start.
      const std::size_t length = WRIT_TRY("skip", U32());
      std::string_view rest = signature.substr(1);
      const std::size_t element = rest.empty() ? 0 : AlignmentOf(rest.front());
      if (element == 0) return Fail(Code::kCorrupt, "D-Bus array of an unknown type");
      if (auto aligned = Align(element); !aligned) return aligned;
      (void)WRIT_TRY("skip", Take(length));
      break;
    }
    case '(': case '{': {
      const char close = type == '(' ? ')' : '}';
      signature.remove_prefix(1);
      do {
        if (auto skipped = Skip(signature, depth + 1); !skipped) return skipped;
      } while (!signature.empty() && signature.front() != close);
      if (signature.empty()) return Fail(Code::kCorrupt, "structure without an end in a signature");
      signature.remove_prefix(1);
      return {};
    }
    default: (void)WRIT_TRY("skip", Take(alignment)); break;
  }
  return DropType(signature, depth);
}

}  // namespace writ::isolation::process::dbus
