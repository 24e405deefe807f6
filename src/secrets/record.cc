#include "secrets/record.h"

#include <algorithm>
#include <cstring>

#include "canon/json.h"
#include "contract/validators.h"
#include "secrets/redactor.h"

namespace writ::secrets {
namespace {

constexpr std::size_t kTextBytesMax = 4096;  // of a host, a source, a timestamp

/// Appends to secret memory of a size that was worked out before.
class SecretWriter {
 public:
  explicit SecretWriter(std::size_t size) : bytes_(size) {}
  void Add(std::string_view text) {
    std::memcpy(bytes_.bytes().data() + used_, text.data(), text.size());
    used_ += text.size();
  }
  void AddWiped(std::string text) {
    Add(text);
    crypto::Wipe(text);
  }
  crypto::SecretBytes Finish() && {
    bytes_.Shrink(used_);
    return std::move(bytes_);
  }

 private:
  crypto::SecretBytes bytes_;
  std::size_t used_ = 0;
};

std::string Quoted(std::string_view text) { return canon::Compact(canon::Json(text)); }

/// Reads the plaintext in place: a general JSON value would leave copies of secrets in memory that is not wiped.
class RecordReader {
 public:
  explicit RecordReader(std::string_view text) : text_(text) {}

  Result<SecretRecords> Read() {
    SecretRecords records;
    WRIT_TRY("secrets", Expect('{'));
    if (!Accept('}')) {
      do {
        const auto name = WRIT_TRY("secrets", PlainString());
        if (!contract::IsEnvName(name)) return Corrupt("a name is not an identifier");
        if (records.size() >= kSecretsMax) return Fail(Code::kExhausted, "secrets: more than {} secrets", kSecretsMax);
        WRIT_TRY("secrets", Expect(':'));
        auto record = WRIT_TRY("secrets", ReadRecord());
        if (!records.emplace(std::string(name), std::move(record)).second) return Corrupt("a name stands twice");
      } while (Accept(','));
      WRIT_TRY("secrets", Expect('}'));
    }
    if (at_ != text_.size()) return Corrupt("text after the end");
    return records;
  }

 private:
  static std::unexpected<Error> Corrupt(std::string_view why) {
    return Fail(Code::kCorrupt, "the secret store is damaged: {}", why);
  }

  bool Accept(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  Result<> Expect(char c) {
    if (Accept(c)) return {};
    return Corrupt("it is not the object it should be");
  }

  /// The characters between two quotes, escapes as they stand.
  Result<std::string_view> RawString() {
    WRIT_TRY("text", Expect('"'));
    const std::size_t start = at_;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    if (at_ >= text_.size()) return Corrupt("a text does not end");
    return text_.substr(start, at_++ - start);
  }
  Result<std::string_view> PlainString() {
    const auto raw = WRIT_TRY("text", RawString());
    if (raw.find('\\') != raw.npos) return Corrupt("an escape where none can be");
    return raw;
  }
  Result<std::string> Text() {
    const auto raw = WRIT_TRY("text", RawString());
    if (raw.size() > kTextBytesMax) return Corrupt("a text is too long");
    auto json = canon::Parse("\"" + std::string(raw) + "\"", canon::Mode::kStrict);
    if (!json || !json->is_string()) return Corrupt("a text is no JSON string");
    return json->string();
  }

  Result<SecretRecord> ReadRecord() {
    SecretRecord record;
    bool has_value = false;
    WRIT_TRY("record", Expect('{'));
    do {
      const auto member = WRIT_TRY("record", PlainString());
      WRIT_TRY("record", Expect(':'));
      if (member == "value" && !has_value) {
        has_value = true;
        const auto digits = WRIT_TRY("record", PlainString());
        auto bytes = Base64DecodeLenient(digits);
        if (!bytes || bytes->size() > kValueBytesMax) return Corrupt("a value is no base64 of at most 64 KiB");
        record.value = crypto::SecretBytes::CopyOf(AsBytes(*bytes));
        crypto::Wipe(*bytes);
      } else if (member == "host" && record.host.empty()) {
        record.host = WRIT_TRY("record", Text());
      } else if (member == "source" && record.source.empty()) {
        record.source = WRIT_TRY("record", Text());
      } else if (member == "updatedAt" && record.updated_at.empty()) {
        record.updated_at = WRIT_TRY("record", Text());
      } else {
        return Corrupt("a record has a member that is not known, or twice");
      }
    } while (Accept(','));
    WRIT_TRY("record", Expect('}'));
    if (has_value == !record.source.empty()) return Corrupt("a record needs either a value or a source");
    return record;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Result<> CheckValue(std::string_view name, ByteView value) {
  if (value.size() > kValueBytesMax) {
    return Fail(Code::kExhausted, "the value of {} has {} bytes or more; at most {} are allowed", name, value.size(), kValueBytesMax);
  }
  if (value.size() < kSecretBytesMin) {
    return Fail(Code::kInvalid,
                "the value of {} has {} bytes; at least {} are needed: a shorter one stands in ordinary text by accident, so "
                "it could not be redacted", name, value.size(), kSecretBytesMin);
  }
  if (std::ranges::find(value, std::uint8_t{0}) != value.end()) {
    return Fail(Code::kInvalid, "the value of {} contains a NUL byte, which no environment variable can hold", name);
  }
  return {};
}

Result<crypto::SecretBytes> EncodeRecords(const SecretRecords& records) {
  if (records.size() > kSecretsMax) {
    return Fail(Code::kExhausted, "{} secrets are too many; at most {} are kept", records.size(), kSecretsMax);
  }
  std::size_t size = 2;
  for (const auto& [name, record] : records) {
    size += name.size() + (record.value.size() + 2) / 3 * 4 + 100;
    for (const auto* text : {&record.host, &record.source, &record.updated_at}) {
      if (text->size() > kTextBytesMax) return Fail(Code::kExhausted, "a text of secret {} is too long", name);
      size += Quoted(*text).size();
    }
  }
  if (size > kStoreBytesMax) {
    return Fail(Code::kExhausted, "the secrets together take more than {} bytes", kStoreBytesMax);
  }
  SecretWriter writer(size);
  writer.Add("{");
  bool first = true;
  for (const auto& [name, record] : records) {
    writer.Add(first ? "" : ",");
    first = false;
    writer.Add(Quoted(name));
    if (record.source.empty()) {
      writer.Add(":{\"value\":\"");
      writer.AddWiped(Base64Encode(record.value.bytes()));
      writer.Add("\"");
    } else {
      writer.Add(":{\"source\":" + Quoted(record.source));
    }
    if (!record.host.empty()) writer.Add(",\"host\":" + Quoted(record.host));
    if (!record.updated_at.empty()) writer.Add(",\"updatedAt\":" + Quoted(record.updated_at));
    writer.Add("}");
  }
  writer.Add("}");
  return std::move(writer).Finish();
}

Result<SecretRecords> DecodeRecords(std::string_view text) {
  if (text.size() > kStoreBytesMax) return Fail(Code::kExhausted, "the secret store is larger than {} bytes", kStoreBytesMax);
  return RecordReader(text).Read();
}

}  // namespace writ::secrets
