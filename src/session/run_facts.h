#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "canon/json.h"
#include "contract/receipt.h"
#include "session/run_state.h"

namespace writ::session {

/// What a receipt says, gathered entry by entry while a chain grows or is read again, so that nobody has to hold a
/// whole chain. Everything in it comes from hashed entries; a receipt adds nothing that the chain does not say.
struct RunFacts {
  contract::ReceiptFacts chain;       ///< what the original protocol's receipt takes
  std::optional<RunState> state;      ///< where the chain has brought the run; absent before run.created
  std::string terminal;               ///< type of the last entry when it ends the run, else empty
  std::string runner_id, runner_key_id;
  std::string diff_hash;              ///< "" when nothing was changed
  std::vector<std::string> artifact_hashes;

  // Facts of `writ.*` events; an object without `v` and `monoUs`.
  std::optional<canon::Json> host;     ///< run.claimed
  std::optional<canon::Json> checked;  ///< writ.contract.checked
  std::optional<canon::Json> cell;     ///< writ.cell.prepared
  std::optional<canon::Json> ended;    ///< writ.run.ended
  std::optional<canon::Json> interrupted;
  std::optional<canon::Json> changes;  ///< writ.changes.recorded
  std::optional<canon::Json> network;  ///< writ.network.used
  std::vector<canon::Json> outputs, streams;
  std::vector<std::string> missing, truncated;
  std::vector<canon::Json> undeclared;
  std::uint64_t undeclared_more = 0;
  std::size_t files_changed = 0;
  std::int64_t mono_us = 0;            ///< of the last entry that has it

  /// Takes one chain entry. Precondition: it continues the chain (contract/chain.h).
  void Observe(const canon::Json& entry);
  /// The same for an entry of type file.changed, command.executed, workspace.materialized or run.completed.
  /// `entry_mono_us`: of its `writ`, or negative when it has none.
  void ObservePlain(std::string_view type, std::string_view ts, std::string_view hash, std::int64_t entry_mono_us);
};

/// The state that an event brings a run into; nullopt when it leaves the state as it is.
std::optional<RunState> StateAfter(std::string_view event_type);

}  // namespace writ::session
