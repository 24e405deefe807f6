#include "session/output_record.h"

#include <algorithm>

#include "session/file_state_json.h"
#include "workspace/warrant_manifest.h"

namespace writ::session {
namespace {

using canon::Json;
using workspace::CollectedOutput;
using workspace::EntryType;

constexpr std::string_view kOutputsVersion = "writ.outputs.v1";

Result<CollectedOutput> DecodeOutput(const Json& json) {
  CollectedOutput output;
  output.name = WRIT_TRY("output", RecordText(json, "name"));
  const auto state = WRIT_TRY("output", DecodeFileState(json));
  if (state.type == EntryType::kSymlink) return Fail(Code::kCorrupt, "record: output {} is a link", output.name);
  output.type = state.type;
  output.sha256 = state.sha256;
  output.bytes = state.bytes;
  output.mode = state.mode;
  if (state.type != EntryType::kDirectory) return output;
  for (const Json& file : *WRIT_TRY("output", RecordList(json, "files"))) {
    const std::string path = WRIT_TRY("output", RecordPath(file, "path"));
    output.files.entries.push_back({path, WRIT_TRY("output", DecodeFileState(file))});
  }
  if (!std::is_sorted(output.files.entries.begin(), output.files.entries.end(),
                      [](const auto& a, const auto& b) { return a.path < b.path; }))
    return Fail(Code::kCorrupt, "record: files of output {} are not sorted", output.name);
  if (workspace::DigestOf(output.files) != output.sha256)
    return Fail(Code::kCorrupt, "record: files of output {} do not have the digest {}", output.name, output.sha256);
  return output;
}

}  // namespace

Json EncodeOutputs(const std::vector<CollectedOutput>& outputs) {
  Json list = Json::MakeArray();
  for (const auto& output : outputs) {
    Json entry = EncodeFileState({output.type, output.mode, 1, output.bytes, output.sha256, ""});
    entry.Set("name", output.name);
    if (output.type == EntryType::kDirectory) {
      Json files = Json::MakeArray();
      for (const auto& file : output.files.entries) {
        Json state = EncodeFileState(file.state);
        state.Set("path", workspace::ToWirePath(file.path));
        files.Append(std::move(state));
      }
      entry.Set("files", std::move(files));
    }
    list.Append(std::move(entry));
  }
  return Json::Of({{"version", kOutputsVersion}, {"outputs", std::move(list)}});
}

Result<std::vector<CollectedOutput>> DecodeOutputs(const Json& record) {
  WRIT_TRY("outputs", CheckRecordVersion(record, kOutputsVersion));
  std::vector<CollectedOutput> outputs;
  for (const Json& output : *WRIT_TRY("outputs", RecordList(record, "outputs")))
    outputs.push_back(WRIT_TRY("outputs", DecodeOutput(output)));
  return outputs;
}

}  // namespace writ::session
