#include <algorithm>
#include <array>

#include "contract/contract.h"
#include "contract/extension.h"
#include "contract/extension_parts.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kMessageMax = 4096;
constexpr std::array<std::string_view, 11> kTerminations = {
    "exited",     "signal",        "time_limit", "cpu_limit",   "memory_limit", "output_limit",
    "disk_limit", "egress_budget", "cancelled",  "interrupted", "not_started"};

Json Outputs(const std::vector<OutputDigest>& outputs) {
  Json::Array array;
  array.reserve(outputs.size());
  for (const OutputDigest& output : outputs) {
    array.push_back(Json::Of({{"name", output.name}, {"sha256", output.sha256}, {"bytes", output.bytes}}));
  }
  return array;
}

void SetUndeclared(Json& json, const ReceiptExtension& extension) {
  const std::size_t listed = std::min(extension.undeclared.size(), kUndeclaredMax);
  Json::Array array;
  array.reserve(listed);
  for (std::size_t i = 0; i < listed; ++i) {
    array.push_back(Json::Of({{"name", extension.undeclared[i].name}, {"bytes", extension.undeclared[i].bytes}}));
  }
  if (listed > 0) json.Set("undeclared", std::move(array));
  const std::uint64_t more = extension.undeclared_more + extension.undeclared.size() - listed;
  if (more > 0) json.Set("undeclaredMore", more);
}

Result<BackendVersion> DecodeBackend(const Json& json, std::string_view path) {
  BackendVersion backend;
  ObjectReader reader(json, path);
  reader.Text("name", backend.name, 0, 256);
  reader.Text("version", backend.version, 0, 256);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return backend;
}

Result<TerminationRecord> DecodeTermination(const Json& json, std::string_view path) {
  TerminationRecord termination;
  ObjectReader reader(json, path);
  reader.Text("how", termination.how, 1, 64);
  if (!IsTerminationName(termination.how)) reader.Refuse("how", "is not one of the ends a run can have");
  reader.Integer("code", termination.code, 0, 255);
  reader.Text("message", termination.message, 0, kMessageMax);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return termination;
}

Result<ResourceRecord> DecodeUse(const Json& json, std::string_view path) {
  ResourceRecord use;
  ObjectReader reader(json, path);
  reader.Integer("wallUs", use.wall_us);
  reader.Integer("cpuUserUs", use.cpu_user_us);
  reader.Integer("cpuSystemUs", use.cpu_system_us);
  reader.Integer("memoryPeakBytes", use.memory_peak_bytes);
  reader.Integer("stdoutBytes", use.stdout_bytes);
  reader.Integer("stderrBytes", use.stderr_bytes);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return use;
}

void ReadOutputFiles(ObjectReader& reader, ReceiptExtension& extension) {
  reader.Each("outputs", extension_parts::kNamesMax, false, [&](const Json& item, std::string_view path) -> Result<> {
    OutputDigest output;
    ObjectReader inner(item, path);
    inner.Text("name", output.name, 1, extension_parts::kNameLengthMax);
    inner.Hash("sha256", output.sha256);
    inner.Integer("bytes", output.bytes);
    extension.outputs.push_back(std::move(output));
    return inner.Finish();
  });
  reader.Texts("missing", extension.missing, extension_parts::kNamesMax, extension_parts::kNameLengthMax, false);
  reader.Each("undeclared", kUndeclaredMax, false, [&](const Json& item, std::string_view path) -> Result<> {
    UndeclaredOutput output;
    ObjectReader inner(item, path);
    inner.Text("name", output.name, 1, extension_parts::kNameLengthMax);
    inner.Integer("bytes", output.bytes);
    extension.undeclared.push_back(std::move(output));
    return inner.Finish();
  });
  std::optional<std::uint64_t> more;
  reader.Integer("undeclaredMore", more);
  extension.undeclared_more = more.value_or(0);
}

void ReadTruncated(ObjectReader& reader, ReceiptExtension& extension) {
  const Json* json = reader.Member("truncated", false);
  if (json == nullptr) return;
  std::optional<bool> out, err;
  ObjectReader inner(*json, reader.Path("truncated"));
  inner.Bool("stdout", out);
  inner.Bool("stderr", err);
  extension.stdout_truncated = out.value_or(false);
  extension.stderr_truncated = err.value_or(false);
  if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
}

}  // namespace

bool IsTerminationName(std::string_view how) { return std::ranges::find(kTerminations, how) != kTerminations.end(); }

std::string_view StatusOf(const TerminationRecord& termination) {
  if (termination.how == "cancelled") return "cancelled";
  return termination.how == "exited" && termination.code == 0u ? "completed" : "failed";
}

Json ToJson(const TerminationRecord& termination) {
  Json json = Json::Of({{"how", termination.how}});
  if (termination.code) json.Set("code", *termination.code);
  if (termination.message) json.Set("message", FitText(*termination.message, kMessageMax));
  return json;
}

Json ToJson(const ResourceRecord& use) {
  Json json = Json::Of({{"wallUs", use.wall_us}});
  if (use.cpu_user_us) json.Set("cpuUserUs", *use.cpu_user_us);
  if (use.cpu_system_us) json.Set("cpuSystemUs", *use.cpu_system_us);
  if (use.memory_peak_bytes) json.Set("memoryPeakBytes", *use.memory_peak_bytes);
  json.Set("stdoutBytes", use.stdout_bytes).Set("stderrBytes", use.stderr_bytes);
  return json;
}

Json ToJson(const BackendVersion& backend) { return Json::Of({{"name", backend.name}, {"version", backend.version}}); }

Json ToJson(const ReceiptExtension& extension) {
  Json json = Json::Of({{"v", kExtensionVersion},
                        {"tier", extension.tier},
                        {"backend", ToJson(extension.backend)},
                        {"kernel", extension.kernel},
                        {"version", extension.version},
                        {"enforced", ToJson(extension.enforced)},
                        {"probe", extension.probe},
                        {"termination", ToJson(extension.termination)},
                        {"use", ToJson(extension.use)},
                        {"durationUs", extension.duration_us}});
  if (!extension.outputs.empty()) json.Set("outputs", Outputs(extension.outputs));
  if (!extension.missing.empty()) json.Set("missing", extension_parts::TextArray(extension.missing));
  SetUndeclared(json, extension);
  if (extension.stdout_truncated || extension.stderr_truncated) {
    Json truncated = Json::MakeObject();
    if (extension.stdout_truncated) truncated.Set("stdout", true);
    if (extension.stderr_truncated) truncated.Set("stderr", true);
    json.Set("truncated", std::move(truncated));
  }
  SetNetwork(json, extension.network, extension.network_more);
  return json;
}

Result<ReceiptExtension> DecodeReceiptExtension(const Json& json, std::string_view path) {
  ReceiptExtension extension;
  ObjectReader reader(json, path);
  extension_parts::ReadVersion(reader);
  reader.Text("tier", extension.tier, 1, 64);
  if (const Json* backend = reader.Member("backend")) reader.Take(extension.backend, DecodeBackend(*backend, reader.Path("backend")));
  reader.Text("kernel", extension.kernel, 0, 256);
  reader.Text("version", extension.version, 0, 256);
  extension_parts::ReadMechanisms(reader, "enforced", extension.enforced, true);
  reader.Hash("probe", extension.probe);
  if (const Json* end = reader.Member("termination")) reader.Take(extension.termination, DecodeTermination(*end, reader.Path("termination")));
  if (const Json* use = reader.Member("use")) reader.Take(extension.use, DecodeUse(*use, reader.Path("use")));
  reader.Integer("durationUs", extension.duration_us);
  ReadOutputFiles(reader, extension);
  ReadTruncated(reader, extension);
  extension_parts::ReadNetwork(reader, extension);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return extension;
}

}  // namespace writ::contract
