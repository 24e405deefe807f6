#include "contract/extension_parts.h"

#include <array>

#include "base/ids.h"

namespace writ::contract {

using canon::Json;

std::string MakeNonce() {
  std::array<std::uint8_t, 16> random;
  FillRandom(random);
  return HexEncode(random);
}

Json ToJson(const MechanismMap& mechanisms) {
  Json::Object members;
  members.reserve(mechanisms.size());
  for (const auto& [limit, mechanism] : mechanisms) members.emplace_back(limit, mechanism);
  return Json::FromObject(std::move(members));
}

namespace extension_parts {

void ReadVersion(ObjectReader& reader) {
  std::uint64_t version = 0;
  reader.Integer("v", version);
  if (version != kExtensionVersion) reader.Refuse("v", "must be 1, the only version known here");
}

void ReadMechanisms(ObjectReader& reader, std::string_view name, MechanismMap& out, bool required) {
  reader.EachMember(name, kMechanismsMax, required, [&](const std::string& limit, const Json& value, std::string_view path) -> Result<> {
    if (!value.is_string() || value.string().empty() || value.string().size() > 256) {
      return Fail(Code::kInvalid, "{}: must be the name of a mechanism", path);
    }
    out.emplace(limit, value.string());
    return {};
  });
}

void ReadInputs(ObjectReader& reader, std::vector<InputDigest>& out) {
  reader.Each("inputs", kNamesMax, false, [&](const Json& item, std::string_view path) -> Result<> {
    InputDigest input;
    ObjectReader inner(item, path);
    inner.Text("name", input.name, 1, kNameLengthMax);
    inner.Text("type", input.type, 1, 64);
    if (input.type != "file" && input.type != "directory") inner.Refuse("type", "must be \"file\" or \"directory\"");
    inner.Hash("sha256", input.sha256);
    inner.Integer("bytes", input.bytes);
    std::optional<bool> executable;
    inner.Bool("executable", executable);
    input.executable = executable.value_or(false);
    out.push_back(std::move(input));
    return inner.Finish();
  });
}

void ReadOutputs(ObjectReader& reader, std::vector<DeclaredOutput>& out) {
  reader.Each("outputs", kNamesMax, false, [&](const Json& item, std::string_view path) -> Result<> {
    DeclaredOutput output;
    ObjectReader inner(item, path);
    inner.Text("name", output.name, 1, kNameLengthMax);
    std::optional<bool> optional;
    inner.Bool("optional", optional);
    output.optional = optional.value_or(false);
    out.push_back(std::move(output));
    return inner.Finish();
  });
}

void ReadWorkspace(ObjectReader& reader, std::optional<WorkspaceView>& out) {
  const Json* json = reader.Member("workspace", false);
  if (json == nullptr) return;
  WorkspaceView view;
  ObjectReader inner(*json, reader.Path("workspace"));
  inner.Text("mode", view.mode, 1, 64);
  inner.Hash("sha256", view.sha256);
  if (auto done = inner.Finish(); !done) return reader.Keep(std::move(done).error());
  out = std::move(view);
}

void ReadRoot(ObjectReader& reader, std::optional<RootImage>& out) {
  const Json* json = reader.Member("root", false);
  if (json == nullptr) return;
  RootImage root;
  ObjectReader inner(*json, reader.Path("root"));
  inner.Text("label", root.label, 0, kNameLengthMax);
  inner.Hash("sha256", root.sha256);
  if (auto done = inner.Finish(); !done) return reader.Keep(std::move(done).error());
  out = std::move(root);
}

void ReadKillOnOutputLimit(ObjectReader& reader, bool& out) {
  std::optional<std::string> word;
  reader.Text("onOutputLimit", word, 1, 64);
  if (word && *word != "kill") reader.Refuse("onOutputLimit", "must be \"kill\" where it is present");
  out = word.has_value();
}

void ReadTerminal(ObjectReader& reader, bool& out) {
  std::optional<bool> terminal;
  reader.Bool("terminal", terminal);
  out = terminal.value_or(false);
}

void ReadStdin(ObjectReader& reader, std::optional<StdinDigest>& out, bool may_be_live) {
  const Json* json = reader.Member("stdin", false);
  if (json == nullptr || (may_be_live && json->is_bool())) return;
  StdinDigest content;
  ObjectReader inner(*json, reader.Path("stdin"));
  inner.Hash("sha256", content.sha256);
  inner.Integer("bytes", content.bytes);
  if (auto done = inner.Finish(); !done) return reader.Keep(std::move(done).error());
  out = std::move(content);
}

void ReadLabels(ObjectReader& reader, MechanismMap& out) {
  reader.EachMember("labels", kMechanismsMax, false, [&](const std::string& label, const Json& value, std::string_view path) -> Result<> {
    if (!IsLabelText(label) || !value.is_string() || !IsLabelText(value.string())) {
      return Fail(Code::kInvalid, "{}: labels and their values have 1 to 128 of A-Z a-z 0-9 _ . : -", path);
    }
    out.emplace(label, value.string());
    return {};
  });
}

void ReadOnLost(ObjectReader& reader, std::optional<std::string>& out) {
  reader.Text("onLost", out, 1, 64);
  if (out && !IsOnLost(*out)) reader.Refuse("onLost", "must be \"fail\" or \"requeue\" where it is present");
}

Json ToJson(const Limits& limits) {
  Json::Object members;
  members.reserve(LimitFields().size());
  for (const LimitField& limit : LimitFields()) members.emplace_back(limit.member, limit.get(limits));
  return Json::FromObject(std::move(members));
}

Result<Limits> DecodeLimits(const Json& json, std::string_view path) {
  Limits limits;
  ObjectReader reader(json, path);
  for (const LimitField& limit : LimitFields()) {
    std::uint64_t value = limit.get(limits);
    reader.Integer(limit.member, value, 1, limit.most);
    limit.set(limits, value);
  }
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return limits;
}

Json TextArray(const std::vector<std::string>& texts) { return Json::Array(texts.begin(), texts.end()); }

Json InputsJson(const std::vector<InputDigest>& inputs) {
  Json::Array array;
  array.reserve(inputs.size());
  for (const InputDigest& input : inputs) {
    Json json = Json::Of({{"name", input.name}, {"type", input.type}, {"sha256", input.sha256}, {"bytes", input.bytes}});
    if (input.executable) json.Set("executable", true);
    array.push_back(std::move(json));
  }
  return array;
}

Json OutputsJson(const std::vector<DeclaredOutput>& outputs) {
  Json::Array array;
  array.reserve(outputs.size());
  for (const DeclaredOutput& output : outputs) {
    Json json = Json::Of({{"name", output.name}});
    if (output.optional) json.Set("optional", true);
    array.push_back(std::move(json));
  }
  return array;
}

Json StdinJson(const StdinDigest& content) { return Json::Of({{"sha256", content.sha256}, {"bytes", content.bytes}}); }

Json WorkspaceJson(const WorkspaceView& workspace) {
  return Json::Of({{"mode", workspace.mode}, {"sha256", workspace.sha256}});
}

Json RootJson(const RootImage& root) {
  Json json = Json::Of({{"label", root.label}});
  if (root.sha256) json.Set("sha256", *root.sha256);
  return json;
}

}  // namespace extension_parts
}  // namespace writ::contract
