#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"

namespace writ::contract {

/// Where a chain stops being one.
struct ChainBreak {
  std::size_t seq = 0;          ///< index of the entry
  std::string_view reason;      ///< "sequence gap", "prev hash mismatch" or "event hash mismatch"
  bool operator==(const ChainBreak&) const = default;
};

/// The end of a hash chain of events: all that is needed to append or check the next one in constant time.
class EventChain {
 public:
  /// An empty chain. `contract_hash` is the `prev` of its first entry.
  explicit EventChain(std::string contract_hash) : head_(std::move(contract_hash)) {}
  /// A chain whose last entry is known: `count` entries, `head` the hash of the last (the contract hash if none).
  static EventChain Resume(std::uint64_t count, std::string head) {
    EventChain chain(std::move(head));
    chain.count_ = count;
    return chain;
  }

  /// Makes the next entry from an event and moves the head. Errors: those of canon::Canonical (the chain stays as it was).
  Result<canon::Json> Append(WallTime at, canon::Json event);

  /// Checks an entry made elsewhere. If it continues the chain the head moves and nullopt is returned.
  /// Errors: those of canon::Canonical.
  Result<std::optional<ChainBreak>> Accept(const canon::Json& entry);

  std::uint64_t count() const { return count_; }        ///< entries; also the `seq` of the next one
  const std::string& head() const { return head_; }

 private:
  std::string head_;
  std::uint64_t count_ = 0;
};

/// `hash` of an entry: over seq, ts, prev and event; absent members are left out. `version` is not hashed.
Result<std::string> HashEntry(const canon::Json& entry);

/// Verifies entries from index 0. nullopt: the chain holds; an empty or shortened chain holds by itself.
/// Errors: kInvalid when `events` is not an array of objects; those of canon::Canonical.
Result<std::optional<ChainBreak>> VerifyChain(std::string_view genesis, const canon::Json& events);

}  // namespace writ::contract
