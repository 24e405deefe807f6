#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "contract/parts.h"

/// Objects of a continuation: what a client captures when it hands work over to a pool (docs/formats/evidence.md).
/// A blob of one of them is its canonical bytes, so its address equals HashCanonical of it.
namespace writ::contract {

struct Checkpoint {
  struct Semantic {
    std::optional<std::string> transcript_hash, tool_journal_hash, note;
    bool operator==(const Semantic&) const = default;
  };
  std::string checkpoint_id;         ///< `chk_...`
  WallTime created_at{};
  std::string tier = "workspace";    ///< "semantic" or "workspace"
  std::optional<std::string> message;
  std::optional<Semantic> semantic;  ///< only when there is a transcript or a journal
  canon::Json workspace;             ///< a manifest; null: none
  std::optional<std::string> parent;
};
canon::Json ToJson(const Checkpoint& checkpoint);
/// Errors: kInvalid naming the member.
Result<Checkpoint> DecodeCheckpoint(const canon::Json& json, std::string_view path = "checkpoint");

struct ToolJournalEntry {
  std::uint64_t seq = 0;
  WallTime at{};
  std::string tool_name;
  canon::Json input;                  ///< JSON projection; null when there was none
  std::optional<canon::Json> output;
  std::optional<std::string> error;
  double duration_ms = 0;
};
canon::Json ToJson(const std::vector<ToolJournalEntry>& journal);
/// Errors: kInvalid naming the member. At most 100000 entries.
Result<std::vector<ToolJournalEntry>> DecodeToolJournal(const canon::Json& json, std::string_view path = "journal");

struct Envelope {
  std::string envelope_id;                 ///< `env_...`
  WallTime created_at{};
  ActorRef actor;
  std::optional<std::string> host;
  std::string pool;
  canon::Json checkpoint;                  ///< ToJson(Checkpoint), or as received
  AgentSpec agent;
  std::string prompt;
  std::optional<std::string> reason;
  std::vector<std::string> secrets;        ///< names; their scope on the wire is always "requested"
  NetworkPolicy network;
  Budget budget;
  std::string disclosure = "minimal-context";
  canon::Json execution;                   ///< null: none
  std::optional<std::string> isolation;
};
canon::Json ToJson(const Envelope& envelope);
/// Errors: kInvalid naming the member.
Result<Envelope> DecodeEnvelope(const canon::Json& json, std::string_view path = "envelope");

}  // namespace writ::contract
