#pragma once

#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "isolation/backend.h"
#include "session/run_facts.h"
#include "session/run_state.h"

namespace writ::session {

/// The unsigned receipt of a run: everything in it comes from the contract and from the facts of the chain
/// (docs/formats/evidence.md, docs/formats/writ.md "receipt.writ"). `status` must be terminal.
/// Errors: kInvalid when the contract lacks a member or the chain has no run.claimed.
Result<canon::Json> BuildReceipt(const canon::Json& contract, std::string_view contract_hash, const RunFacts& facts,
                                 RunState status);

// Facts of events that receipts repeat (docs/formats/writ.md, "event.writ").

/// {kernel, version, probe}: what a runner says of its host when it claims. `probe` is the digest of the host's probe
/// report; without a report the digest of nothing.
canon::Json HostFacts(std::string_view probe);
/// {tier, backend, enforced}
canon::Json CellFacts(const isolation::Guarantees& guarantees);
/// {termination, use}
canon::Json EndFacts(const isolation::Outcome& outcome);

}  // namespace writ::session
