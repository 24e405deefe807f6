#include "cli/content_json.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/utf8.h"

namespace writ::cli {
namespace {

/// Control characters that text does not have; each would take six characters in JSON.
bool IsBinary(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\x1b') || byte == 0x7F;
}

}  // namespace

canon::Json ContentJson(std::string_view data, std::uint64_t bytes) {
  const bool cut = data.size() < bytes;
  if (cut && !data.empty()) {  // not within a character
    const std::size_t back_max = std::min<std::size_t>(3, data.size() - 1);
    std::size_t back = 0;
    while (back < back_max && !IsUtf8(data.substr(0, data.size() - back))) ++back;
    if (IsUtf8(data.substr(0, data.size() - back))) data.remove_suffix(back);
  }
  const bool text = IsUtf8(data) && std::ranges::none_of(data, IsBinary);
  auto json = canon::Json::Of({{"bytes", bytes},
                               {"encoding", text ? "utf-8" : "base64"},
                               {"data", text ? std::string(data) : Base64Encode(AsBytes(data))}});
  if (cut) json.Set("cut", true);
  return json;
}

Result<canon::Json> KeptContentJson(api::LocalPlane& plane, std::string_view run, std::string_view kind, std::size_t bytes_max) {
  std::string data;
  std::uint64_t bytes = 0;
  WRIT_TRY(kind, plane.ReadKind(run, kind, [&](ByteView piece) -> Result<> {
    bytes += piece.size();
    data += AsText(piece.first(std::min(piece.size(), bytes_max - data.size())));
    return {};
  }));
  return ContentJson(data, bytes);
}

canon::Json TextArray(const std::vector<std::string>& texts) { return canon::Json::Array(texts.begin(), texts.end()); }

}  // namespace writ::cli
