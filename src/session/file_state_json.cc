#include "session/file_state_json.h"

#include <cmath>

#include "workspace/warrant_manifest.h"

namespace writ::session {

using canon::Json;
using workspace::EntryType;
using workspace::FileState;

Json EncodeFileState(const FileState& state) {
  Json json = Json::Of({{"type", workspace::EntryTypeName(state.type)},
                        {"mode", state.mode},
                        {"links", state.links},
                        {"bytes", state.bytes}});
  if (!state.sha256.empty()) json.Set("sha256", state.sha256);
  if (state.type == EntryType::kSymlink) json.Set("target", workspace::ToWirePath(state.target));
  return json;
}

Result<FileState> DecodeFileState(const Json& json) {
  FileState state;
  const std::string type = WRIT_TRY("file", RecordText(json, "type"));
  bool known = false;
  for (const auto candidate : {EntryType::kFile, EntryType::kDirectory, EntryType::kSymlink}) {
    if (workspace::EntryTypeName(candidate) != type) continue;
    state.type = candidate;
    known = true;
  }
  if (!known) return Fail(Code::kCorrupt, "record: \"type\" is neither file, directory nor symlink");
  const std::uint64_t mode = WRIT_TRY("file", RecordCount(json, "mode"));
  const std::uint64_t links = WRIT_TRY("file", RecordCount(json, "links"));
  if (mode > 07777 || links > UINT32_MAX) return Fail(Code::kCorrupt, "record: \"mode\" or \"links\" is out of range");
  state.mode = static_cast<std::uint32_t>(mode);
  state.links = static_cast<std::uint32_t>(links);
  state.bytes = WRIT_TRY("file", RecordCount(json, "bytes"));
  if (const auto* hash = json.FindString("sha256")) state.sha256 = *hash;
  if (state.type == EntryType::kSymlink) state.target = WRIT_TRY("file", RecordPath(json, "target"));
  return state;
}

Result<std::string> RecordText(const Json& object, std::string_view name) {
  if (const auto* text = object.FindString(name)) return *text;
  return Fail(Code::kCorrupt, "record: \"{}\" is missing or no string", name);
}

Result<std::string> RecordPath(const Json& object, std::string_view name) {
  const std::string text = WRIT_TRY("path", RecordText(object, name));
  auto path = workspace::FromWirePath(text);
  if (!path) return Fail(Code::kCorrupt, "record: \"{}\": {}", name, path.error().what);
  return path;
}

Result<std::uint64_t> RecordCount(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  constexpr double kExactMax = 9007199254740992;  // beyond it a double skips integers
  if (value == nullptr || !value->is_number() || !(value->number() >= 0 && value->number() <= kExactMax) ||
      value->number() != std::floor(value->number()))
    return Fail(Code::kCorrupt, "record: \"{}\" is missing or no count", name);
  return static_cast<std::uint64_t>(value->number());
}

Result<const Json::Array*> RecordList(const Json& object, std::string_view name) {
  const Json* value = object.Find(name);
  if (value == nullptr || !value->is_array())
    return Fail(Code::kCorrupt, "record: \"{}\" is missing or no array", name);
  return &value->array();
}

Result<> CheckRecordVersion(const Json& record, std::string_view version) {
  const auto* found = record.FindString("version");
  if (found != nullptr && *found == version) return {};
  return Fail(Code::kCorrupt, "record: \"version\" is not {}", version);
}

}  // namespace writ::session
