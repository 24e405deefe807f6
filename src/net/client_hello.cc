#include "net/client_hello.h"

#include <algorithm>

#include "base/bytes.h"

namespace writ::net {
namespace {

constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::size_t kRecordHeaderBytes = 5;
constexpr std::size_t kRecordMax = 1 << 14;
constexpr std::uint8_t kClientHelloMessage = 1;
constexpr std::size_t kMessageHeaderBytes = 4;
constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kSessionIdMax = 32;
constexpr std::size_t kExtensionsMax = 256;

constexpr std::uint16_t kServerName = 0;
constexpr std::uint16_t kAlpn = 16;
constexpr std::uint16_t kEncryptedClientHello = 0xFE0D;
constexpr std::uint16_t kEncryptedServerName = 0xFFCE;  // the draft before it

std::unexpected<Error> Bad(std::string_view why) { return Fail(Code::kInvalid, "TLS ClientHello: {}", why); }

/// Takes parts in order; nullopt when there is not enough left.
class HelloReader {
 public:
  explicit HelloReader(std::string_view bytes) : rest_(bytes) {}
  bool at_end() const { return rest_.empty(); }
  std::optional<std::string_view> Bytes(std::size_t count) {
    if (count > rest_.size()) return std::nullopt;
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }
  std::optional<std::size_t> Number(std::size_t width) {
    const auto bytes = Bytes(width);
    if (!bytes) return std::nullopt;
    std::size_t value = 0;
    for (const char c : *bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
  /// Bytes with their count in front.
  std::optional<std::string_view> Vector(std::size_t width) {
    const auto count = Number(width);
    return count ? Bytes(*count) : std::nullopt;
  }

 private:
  std::string_view rest_;
};

Result<Host> ReadServerName(std::string_view data) {
  HelloReader outer(data);
  const auto list = outer.Vector(2);
  if (!list || !outer.at_end()) return Bad("the server name extension is malformed");
  HelloReader names(*list);
  const auto type = names.Number(1);
  const auto name = names.Vector(2);
  if (!type || !name || *type != 0) return Bad("the server name extension is malformed");
  if (!names.at_end()) return Bad("there is more than one server name");
  const bool ascii = std::ranges::all_of(*name, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii) return Bad("the server name is not ASCII");
  return NormaliseHost(*name);
}

Result<std::vector<std::string>> ReadAlpn(std::string_view data) {
  HelloReader outer(data);
  const auto list = outer.Vector(2);
  if (!list || !outer.at_end() || list->empty()) return Bad("the ALPN extension is malformed");
  std::vector<std::string> protocols;
  for (HelloReader names(*list); !names.at_end();) {
    const auto name = names.Vector(1);
    if (!name || name->empty()) return Bad("the ALPN extension is malformed");
    protocols.emplace_back(*name);
  }
  return protocols;
}

Result<> ReadExtensions(std::string_view extensions, ClientHello& hello) {
  std::vector<std::size_t> seen;
  for (HelloReader reader(extensions); !reader.at_end();) {
    const auto type = reader.Number(2);
    const auto data = reader.Vector(2);
    if (!type || !data) return Bad("an extension is cut off");
    if (std::ranges::find(seen, *type) != seen.end()) return Bad("an extension occurs twice");
    if (seen.size() == kExtensionsMax) return Bad("there are too many extensions");
    seen.push_back(*type);
    if (*type == kServerName) hello.server_name = WRIT_TRY("TLS server name", ReadServerName(*data));
    if (*type == kAlpn) hello.alpn = WRIT_TRY("TLS ALPN", ReadAlpn(*data));
    if (*type == kEncryptedClientHello || *type == kEncryptedServerName) hello.encrypted_client_hello = true;
  }
  return {};
}

Result<ClientHello> ReadBody(std::string_view body) {
  HelloReader reader(body);
  const auto version = reader.Number(2);
  const auto random = reader.Bytes(kRandomBytes);
  const auto session = reader.Vector(1);
  const auto suites = reader.Vector(2);
  const auto compressions = reader.Vector(1);
  if (!version || !random || !session || !suites || !compressions) return Bad("it is cut off");
  if (*version >> 8 != 3 || session->size() > kSessionIdMax || suites->empty() || suites->size() % 2 != 0 ||
      compressions->empty()) {
    return Bad("a field has a value that none can have");
  }
  ClientHello hello;
  if (reader.at_end()) return hello;  // TLS 1.0 may end here
  const auto extensions = reader.Vector(2);
  if (!extensions || !reader.at_end()) return Bad("its extensions do not fill it");
  if (auto read = ReadExtensions(*extensions, hello); !read) return std::unexpected(std::move(read).error());
  return hello;
}

std::size_t ByteAt(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

}  // namespace

/// Moves the content of complete records to message_; true when the message is complete.
Result<bool> ClientHelloReader::TakeRecords(std::string_view buffer) {
  for (;;) {
    if (message_.size() >= kMessageHeaderBytes) {
      const std::size_t length = ByteAt(message_, 1) << 16 | ByteAt(message_, 2) << 8 | ByteAt(message_, 3);
      if (ByteAt(message_, 0) != kClientHelloMessage) return Bad("the first message is another one");
      if (length > kMessageMax) return Bad("it is too long");
      if (message_.size() > kMessageHeaderBytes + length) return Bad("another message follows in its record");
      if (message_.size() == kMessageHeaderBytes + length) return true;
    }
    const std::string_view rest = buffer.substr(std::min(next_record_, buffer.size()));
    if (rest.size() < kRecordHeaderBytes) return false;
    const std::size_t length = ByteAt(rest, 3) << 8 | ByteAt(rest, 4);
    if (ByteAt(rest, 0) != kHandshakeRecord || ByteAt(rest, 1) != 3 || ByteAt(rest, 2) > 4) {
      return Bad("a record of another kind comes before its end");
    }
    if (length == 0 || length > kRecordMax) return Bad("a record has a length that none can have");
    if (records_ == kRecordsMax) return Bad("it is cut into too many records");
    if (rest.size() < kRecordHeaderBytes + length) return false;
    message_ += rest.substr(kRecordHeaderBytes, length);
    next_record_ += kRecordHeaderBytes + length;
    ++records_;
  }
}

Result<ClientHelloReader::State> ClientHelloReader::Read(std::string_view buffer) {
  if (done_) return State::kHello;
  if (buffer.empty()) return State::kNeedMore;
  if (ByteAt(buffer, 0) != kHandshakeRecord || (buffer.size() > 1 && ByteAt(buffer, 1) != 3)) return State::kNotTls;
  if (!WRIT_TRY("TLS", TakeRecords(buffer))) return State::kNeedMore;
  hello_ = WRIT_TRY("TLS", ReadBody(std::string_view(message_).substr(kMessageHeaderBytes)));
  done_ = true;
  message_.clear();
  message_.shrink_to_fit();
  return State::kHello;
}

}  // namespace writ::net
