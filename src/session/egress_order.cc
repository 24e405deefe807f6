#include "session/egress_order.h"

#include "contract/extension.h"
#include "contract/parts.h"

namespace writ::session {

using canon::Json;

Result<std::optional<EgressOrder>> EgressOrderOf(const Json& contract) {
  const Json* plain = contract.Find("network");
  if (plain == nullptr) return Fail(Code::kInvalid, "contract.network: is missing");
  const auto network = WRIT_TRY("contract", contract::DecodeNetwork(*plain, "network"));
  EgressOrder order;
  const Json* writ = contract.Find(contract::kExtension);
  if (writ == nullptr) {
    order.rules = policy::FromAllowHosts(network.default_deny, network.allow_hosts);
    order.warrant_answers = true;
    return order;
  }
  const Json* member = writ->Find("egress");
  if (member == nullptr) return std::optional<EgressOrder>();
  const auto grant = WRIT_TRY("contract", contract::DecodeEgressGrant(*member, "writ.egress"));
  if (grant.open && network.default_deny)
    return Fail(Code::kInvalid, "contract.writ.egress.open: contradicts network.defaultDeny, which is true");
  order.rules.open = grant.open;
  for (const auto& text : grant.rules)
    order.rules.rules.push_back(WRIT_TRY("contract.writ.egress", policy::ParseEgressRule(text)));
  order.budget_bytes = grant.budget_bytes;
  return order;
}

}  // namespace writ::session
