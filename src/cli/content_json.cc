#include "cli/content_json.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/utf8.h"

namespace writ::cli {

canon::Json ContentJson(std::string_view data, std::uint64_t bytes) {
  const bool cut = data.size() < bytes;
  if (cut && !data.empty()) {  // not within a character
    const std::size_t back_max = std::min<std::size_t>(3, data.size() - 1);
    std::size_t back = 0;
    while (back < back_max && !IsUtf8(data.substr(0, data.size() - back))) ++back;
    if (IsUtf8(data.substr(0, data.size() - back))) data.remove_suffix(back);
  }
  const bool text = IsUtf8(data);
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

}  // namespace writ::cli
