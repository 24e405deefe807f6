#include <algorithm>
#include <tuple>

#include "contract/extension.h"
#include "contract/extension_parts.h"

// The network parts of contract.writ and receipt.writ.

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kRuleLengthMax = 2048, kHostLengthMax = 1024, kProtocolsMax = 8, kProtocolLengthMax = 32;

}  // namespace

Json ToJson(const EgressGrant& grant) {
  Json json = Json::Of({{"rules", extension_parts::TextArray(grant.rules)}});
  if (grant.open) json.Set("open", true);
  if (grant.budget_bytes) json.Set("budgetBytes", *grant.budget_bytes);
  return json;
}

Result<EgressGrant> DecodeEgressGrant(const Json& json, std::string_view path) {
  EgressGrant grant;
  ObjectReader reader(json, path);
  reader.Each("rules", kEgressRulesMax, true, [&](const Json& item, std::string_view at) -> Result<> {
    if (!item.is_string() || item.string().empty() || item.string().size() > kRuleLengthMax)
      return Fail(Code::kInvalid, "{}: must be a rule of 1 to {} bytes", at, kRuleLengthMax);
    grant.rules.push_back(item.string());
    return {};
  });
  std::optional<bool> open;
  reader.Bool("open", open);
  grant.open = open.value_or(false);
  reader.Integer("budgetBytes", grant.budget_bytes, 1);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  return grant;
}

Json ToJson(const HostUse& use) {
  Json json = Json::Of({{"host", use.host},
                        {"port", use.port},
                        {"connections", use.connections},
                        {"refused", use.refused},
                        {"bytesIn", use.bytes_in},
                        {"bytesOut", use.bytes_out}});
  if (!use.intercepted.empty()) json.Set("intercepted", Json::Array(use.intercepted.begin(), use.intercepted.end()));
  return json;
}

void SetNetwork(Json& json, std::vector<HostUse> hosts, std::uint64_t more) {
  std::ranges::sort(hosts, {}, [](const HostUse& use) { return std::tie(use.host, use.port); });
  const std::size_t listed = std::min(hosts.size(), kHostsListedMax);
  Json::Array array;
  array.reserve(listed);
  for (std::size_t i = 0; i < listed; ++i) array.push_back(ToJson(hosts[i]));
  if (listed > 0) json.Set("network", std::move(array));
  more += hosts.size() - listed;
  if (more > 0) json.Set("networkMore", more);
}

void extension_parts::ReadNetwork(ObjectReader& reader, ReceiptExtension& extension) {
  reader.Each("network", kHostsListedMax, false, [&](const Json& item, std::string_view path) -> Result<> {
    HostUse use;
    ObjectReader inner(item, path);
    inner.Text("host", use.host, 1, kHostLengthMax);
    inner.Integer("port", use.port, 0, 65535);
    inner.Integer("connections", use.connections);
    inner.Integer("refused", use.refused);
    inner.Integer("bytesIn", use.bytes_in);
    inner.Integer("bytesOut", use.bytes_out);
    inner.Texts("intercepted", use.intercepted, kProtocolsMax, kProtocolLengthMax, false);
    extension.network.push_back(std::move(use));
    return inner.Finish();
  });
  std::optional<std::uint64_t> more;
  reader.Integer("networkMore", more);
  extension.network_more = more.value_or(0);
}

}  // namespace writ::contract
