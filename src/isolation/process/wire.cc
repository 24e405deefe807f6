#include "isolation/process/wire.h"

#include <cstring>

namespace writ::isolation::process {

WireWriter& WireWriter::U32(std::uint32_t value) { return U64(value); }

WireWriter& WireWriter::U64(std::uint64_t value) {
  for (int i = 0; i < 8; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  return *this;
}

WireWriter& WireWriter::Text(std::string_view text) {
  U64(text.size());
  bytes_.insert(bytes_.end(), text.begin(), text.end());
  return *this;
}

WireWriter& WireWriter::Texts(const std::vector<std::string>& texts) {
  U64(texts.size());
  for (const std::string& text : texts) Text(text);
  return *this;
}

ByteView WireReader::Take(std::size_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    return {};
  }
  const ByteView taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::uint32_t WireReader::U32() {
  const std::uint64_t value = U64();
  if (value > UINT32_MAX) ok_ = false;
  return ok_ ? static_cast<std::uint32_t>(value) : 0;
}

std::uint64_t WireReader::U64() {
  const ByteView bytes = Take(8);
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t{bytes[i]} << (8 * i);
  return value;
}

std::string WireReader::Text() {
  const std::uint64_t size = U64();
  return std::string(AsText(Take(size)));
}

std::vector<std::string> WireReader::Texts() {
  const std::uint64_t count = U64();
  std::vector<std::string> texts;
  for (std::uint64_t i = 0; ok_ && i < count; ++i) texts.push_back(Text());
  return texts;
}

Result<> WireReader::Done() const {
  if (!ok_) return Fail(Code::kInvalid, "a message field was cut");
  if (!rest_.empty()) return Fail(Code::kInvalid, "a message has {} bytes too many", rest_.size());
  return {};
}

}  // namespace writ::isolation::process
