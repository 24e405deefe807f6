#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "canon/json.h"

namespace writ::contract {

/// Facts a receipt takes from the run's chain, gathered entry by entry, so that the chain need not be held in memory.
class ReceiptFacts {
 public:
  /// Takes the next entry of a chain that was made or verified here.
  void Add(const canon::Json& entry);
  /// The same for an entry of whose event a receipt repeats nothing.
  void AddPlain(std::string_view ts, std::string_view hash);

  struct Network {
    std::string host;
    std::vector<std::string> decisions;  ///< "allowed", "blocked", in first-seen order
  };

  const std::string& started_at() const { return started_at_; }  ///< `ts` of the first entry
  const std::string& ended_at() const { return ended_at_; }      ///< `ts` of the last
  const std::string& head() const { return head_; }
  std::uint64_t count() const { return count_; }
  const std::vector<canon::Json>& secrets_released() const { return secrets_; }
  const std::vector<Network>& network() const { return network_; }
  const std::vector<canon::Json>& models() const { return models_; }
  const std::vector<canon::Json>& boundaries() const { return boundaries_; }

 private:
  void AddNetwork(const std::string& host, const std::string& decision);

  std::string started_at_, ended_at_, head_;
  std::uint64_t count_ = 0;
  std::vector<canon::Json> secrets_, models_, boundaries_;
  std::vector<Network> network_;
  std::unordered_map<std::string, std::size_t> network_index_;
};

/// What a receipt says besides the facts of the chain.
struct ReceiptDraft {
  std::string run_id;
  std::string contract_hash;
  std::string runner_id, runner_key_id, pool;
  std::optional<std::string> isolation;      ///< the name the contract asked for; absent in a contract means "process"
  std::string status;                        ///< "completed", "failed" or "cancelled"
  std::string base_ref, manifest_hash;       ///< of the contract's workspace
  std::string diff_hash;                     ///< "" when there is no diff
  std::vector<std::string> artifact_hashes;  ///< diff, then log
  canon::Json writ;                          ///< ToJson(ReceiptExtension); null when there is none
};

/// A `warrant.receipt.v1` without signatures. `attestationTier` is always `mock`: only hardware attestation could
/// raise it. Sign it with AppendSignature: the runner first, then the plane.
canon::Json MakeReceipt(const ReceiptDraft& draft, const ReceiptFacts& facts);

/// A draft with what follows from the contract: run id, contract hash, pool, isolation, baseRef and manifestHash.
/// Errors: kInvalid when the contract lacks one of them.
Result<ReceiptDraft> DraftFor(const canon::Json& contract);

}  // namespace writ::contract
