#include "contract/contract.h"

#include "base/utf8.h"
#include "contract/hash.h"
#include "contract/names.h"
#include "contract/object_reader.h"
#include "contract/signing.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kApproversMax = 256, kSecretsMax = 256;

template <class T>
Json ArrayOf(const std::vector<T>& items) {
  Json::Array array;
  array.reserve(items.size());
  for (const T& item : items) array.push_back(ToJson(item));
  return array;
}

/// The only text member of a small object, such as `task.prompt`.
void TakeInner(ObjectReader& reader, std::string_view object, std::string_view member, std::string& out, std::size_t max) {
  const Json* json = reader.Member(object);
  if (json == nullptr) return;
  ObjectReader inner(*json, reader.Path(object));
  inner.Text(member, out, 1, max);
  if (auto done = inner.Finish(); !done) reader.Keep(std::move(done).error());
}

}  // namespace

Json ToJson(const Contract& contract) {
  Json json = Json::Of({{"version", kContractVersion},
                        {"runId", contract.run_id},
                        {"issuedAt", FormatTimestamp(contract.issued_at)},
                        {"issuer", Json::Of({{"keyId", contract.issuer_key_id}, {"role", kSignerPlane}})},
                        {"requestedBy", ToJson(contract.requested_by)}});
  if (!contract.approved_by.empty()) json.Set("approvedBy", ArrayOf(contract.approved_by));
  json.Set("agent", ToJson(contract.agent));
  json.Set("task", Json::Of({{"prompt", contract.prompt}}));
  json.Set("runner", Json::Of({{"pool", contract.pool}}));
  json.Set("workspace", contract.workspace);
  json.Set("policyHash", contract.policy_hash);
  json.Set("secrets", ArrayOf(contract.secrets));
  json.Set("network", ToJson(contract.network));
  json.Set("budget", ToJson(contract.budget));
  json.Set("disclosure", contract.disclosure);
  json.Set("execution", contract.execution);
  if (contract.isolation) json.Set("isolation", *contract.isolation);
  if (contract.continuation) json.Set("continuation", ToJson(*contract.continuation));
  json.Set("expiresAt", FormatTimestamp(contract.expires_at));
  if (!contract.writ.is_null()) json.Set("writ", contract.writ);
  return json;
}

Result<Contract> DecodeContract(const Json& json) {
  Contract contract;
  ObjectReader reader(json, "contract");
  std::string version;
  reader.Text("version", version, 1, 64);
  if (version != kContractVersion) reader.Refuse("version", fmt::format("must be \"{}\"", kContractVersion));
  reader.Text("runId", contract.run_id, 1, 128);
  reader.Time("issuedAt", contract.issued_at);
  reader.Time("expiresAt", contract.expires_at);
  TakeInner(reader, "issuer", "keyId", contract.issuer_key_id, 256);
  if (const Json* actor = reader.Member("requestedBy")) reader.Take(contract.requested_by, DecodeActor(*actor, reader.Path("requestedBy")));
  reader.Each("approvedBy", kApproversMax, false, [&](const Json& item, std::string_view path) -> Result<> {
    auto actor = DecodeActor(item, path);
    if (!actor) return std::unexpected(std::move(actor).error());
    contract.approved_by.push_back(*std::move(actor));
    return {};
  });
  if (const Json* agent = reader.Member("agent")) reader.Take(contract.agent, DecodeAgent(*agent, reader.Path("agent")));
  TakeInner(reader, "task", "prompt", contract.prompt, kPromptUnitsMax);
  TakeInner(reader, "runner", "pool", contract.pool, 128);
  if (const Json* workspace = reader.Member("workspace")) contract.workspace = *workspace;
  reader.Hash("policyHash", contract.policy_hash);
  reader.Each("secrets", kSecretsMax, true, [&](const Json& item, std::string_view path) -> Result<> {
    auto claim = DecodeSecretClaim(item, path);
    if (!claim) return std::unexpected(std::move(claim).error());
    contract.secrets.push_back(*std::move(claim));
    return {};
  });
  if (const Json* network = reader.Member("network")) reader.Take(contract.network, DecodeNetwork(*network, reader.Path("network")));
  if (const Json* budget = reader.Member("budget")) reader.Take(contract.budget, DecodeBudget(*budget, reader.Path("budget")));
  reader.Text("disclosure", contract.disclosure, 1, 64);
  if (!IsDisclosureMode(contract.disclosure)) {
    reader.Refuse("disclosure", "must be none, metadata-only, redacted, minimal-context or full");
  }
  if (const Json* execution = reader.Member("execution")) contract.execution = *execution;
  reader.Text("isolation", contract.isolation, 1, 64);
  if (const Json* continuation = reader.Member("continuation", false)) {
    reader.Take(contract.continuation, DecodeContinuation(*continuation, reader.Path("continuation")));
  }
  if (const Json* writ = reader.Member("writ", false)) contract.writ = *writ;
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return contract;
}

Result<IssuedContract> Issue(Contract contract, const crypto::PrivateKey& plane) {
  contract.issuer_key_id = plane.key_id();
  IssuedContract issued{ToJson(contract), {}};
  if (auto done = AppendSignature(issued.json, kSignerPlane, plane); !done) {
    return std::unexpected(std::move(done).error().Doing("issue contract"));
  }
  issued.hash = WRIT_TRY("issue contract", HashUnsigned(issued.json));
  return issued;
}

Result<> CheckNotExpired(const Json& contract, WallTime now) {
  const std::string* text = contract.FindString("expiresAt");
  if (text == nullptr) return Fail(Code::kInvalid, "contract.expiresAt: is missing");
  const WallTime expires = WRIT_TRY("contract.expiresAt", ParseTimestamp(*text));
  if (now >= expires) return Fail(Code::kDenied, "contract expired at {}", *text);
  return {};
}

std::string FitText(std::string_view text, std::size_t units_max) {
  std::string valid = ToValidUtf8(text);
  if (Utf16Length(valid) <= units_max) return valid;
  std::size_t units = 0, at = 0;
  while (at < valid.size()) {
    const Utf8Step step = DecodeUtf8(valid, at);
    units += step.code >= 0x10000 ? 2 : 1;
    if (units >= units_max) break;  // one unit is kept for the mark
    at += step.bytes;
  }
  valid.resize(at);
  return units_max == 0 ? std::string() : valid + "\xE2\x80\xA6";
}

}  // namespace writ::contract
