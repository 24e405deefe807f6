#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "contract/extension.h"
#include "contract/object_reader.h"

/// Pieces that the encodings of extension.h share.
namespace writ::contract::extension_parts {

inline constexpr std::size_t kNamesMax = 10000, kNameLengthMax = 4096, kMechanismsMax = 100;

/// Reads and checks `v`.
void ReadVersion(ObjectReader& reader);
void ReadMechanisms(ObjectReader& reader, std::string_view name, MechanismMap& out, bool required);
void ReadInputs(ObjectReader& reader, std::vector<InputDigest>& out);
void ReadOutputs(ObjectReader& reader, std::vector<DeclaredOutput>& out);
void ReadWorkspace(ObjectReader& reader, std::optional<WorkspaceView>& out);
void ReadRoot(ObjectReader& reader, std::optional<RootImage>& out);
void ReadKillOnOutputLimit(ObjectReader& reader, bool& out);
void ReadTerminal(ObjectReader& reader, bool& out);
/// `may_be_live`: `true` stands there for what no digest covers, and is passed over.
void ReadStdin(ObjectReader& reader, std::optional<StdinDigest>& out, bool may_be_live);
void ReadLabels(ObjectReader& reader, MechanismMap& out);
void ReadOnLost(ObjectReader& reader, std::optional<std::string>& out);
void ReadNetwork(ObjectReader& reader, ReceiptExtension& extension);

canon::Json ToJson(const Limits& limits);
Result<Limits> DecodeLimits(const canon::Json& json, std::string_view path);

canon::Json TextArray(const std::vector<std::string>& texts);
canon::Json InputsJson(const std::vector<InputDigest>& inputs);
canon::Json OutputsJson(const std::vector<DeclaredOutput>& outputs);
canon::Json StdinJson(const StdinDigest& content);
canon::Json WorkspaceJson(const WorkspaceView& workspace);
canon::Json RootJson(const RootImage& root);

/// Members that a contract and a request have in common, from `accept` to `onLost`, where they are not empty.
template <class Extension>
void SetShared(canon::Json& json, const Extension& extension) {
  if (!extension.accept.empty()) json.Set("accept", contract::ToJson(extension.accept));
  if (extension.kill_on_output_limit) json.Set("onOutputLimit", "kill");
  if (!extension.inputs.empty()) json.Set("inputs", InputsJson(extension.inputs));
  if (!extension.outputs.empty()) json.Set("outputs", OutputsJson(extension.outputs));
  if (extension.workspace) json.Set("workspace", WorkspaceJson(*extension.workspace));
  if (extension.root) json.Set("root", RootJson(*extension.root));
  if (!extension.env_from_caller.empty()) json.Set("envFromCaller", TextArray(extension.env_from_caller));
  if (extension.terminal) json.Set("terminal", true);
  if (extension.stdin_content) json.Set("stdin", StdinJson(*extension.stdin_content));
  if (!extension.labels.empty()) json.Set("labels", contract::ToJson(extension.labels));
  if (extension.on_lost) json.Set("onLost", *extension.on_lost);
}

template <class Extension>
void ReadShared(ObjectReader& reader, Extension& extension) {
  ReadMechanisms(reader, "accept", extension.accept, false);
  ReadKillOnOutputLimit(reader, extension.kill_on_output_limit);
  ReadInputs(reader, extension.inputs);
  ReadOutputs(reader, extension.outputs);
  ReadWorkspace(reader, extension.workspace);
  ReadRoot(reader, extension.root);
  reader.Texts("envFromCaller", extension.env_from_caller, kNamesMax, 256, false);
  ReadTerminal(reader, extension.terminal);
  ReadStdin(reader, extension.stdin_content, std::is_same_v<Extension, ContractExtension>);
  ReadLabels(reader, extension.labels);
  ReadOnLost(reader, extension.on_lost);
}

}  // namespace writ::contract::extension_parts
