#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "client/run_ask.h"
#include "contract/handoff.h"

namespace writ::client {

/// What a continuation carries besides the run that is asked for.
struct HandoffNotes {
  std::optional<std::string> transcript;  ///< bytes of the conversation so far; travels as a blob
  std::optional<std::vector<contract::ToolJournalEntry>> journal;
  std::optional<std::string> message;     ///< of the checkpoint, for people
  std::optional<std::string> note;
  std::optional<std::string> reason;      ///< why it moves
  std::optional<std::string> parent;      ///< checkpoint this one follows
  std::optional<std::string> host;        ///< of the envelope's source
};

/// Ids and time, so that a test can name them. Default: made anew.
struct HandoffIds {
  std::string checkpoint_id = {}, envelope_id = {};
  WallTime checkpoint_at{}, envelope_at{};
};
HandoffIds MakeHandoffIds(const Clock& clock);

/// A run request that continues earlier work, and what has to be on the plane before it is sent.
struct Handoff {
  canon::Json checkpoint, envelope;
  std::string envelope_hash;
  RunAsk ask;                       ///< with `continuation`
  std::vector<std::string> blobs;   ///< envelope, transcript, journal: bytes whose SHA-256 is their address
};

/// Writes checkpoint and envelope around `ask`, whose workspace has been captured. Errors: kInvalid for parts that no
/// plane would take.
Result<Handoff> BuildHandoff(RunAsk ask, const HandoffNotes& notes, const HandoffIds& ids);

}  // namespace writ::client
