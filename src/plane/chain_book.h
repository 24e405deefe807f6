#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "contract/chain.h"
#include "plane/change.h"
#include "session/run_facts.h"
#include "storage/store.h"

namespace writ::plane {

/// An entry to be added to a chain; it borrows everything.
struct BatchEntry {
  std::uint64_t seq = 0;
  std::string_view text{};  ///< what is stored
  std::string_view prev{}, hash{}, type{}, ts{};  ///< `hash` recomputed
  std::int64_t mono_us = -1;          ///< of `json` null; negative: it says none
  /// Null where nothing is remembered of it but what stands above (RunFacts::ObservePlain); then its own hash was right.
  const canon::Json* json = nullptr;

  std::string_view said_hash() const { return json == nullptr ? hash : *json->FindString("hash"); }
};

/// A run with a contract whose chain the plane goes on with: its end, and what its entries said.
struct KeptRun {
  std::string id;
  std::string pool;
  canon::Json contract;
  std::string contract_hash;
  contract::EventChain chain{""};
  session::RunFacts facts;
  storage::RunStatus status = storage::RunStatus::kCreated;
  std::vector<std::pair<std::string, std::string>> artifacts{};  ///< kind and hash: artifact.created, and what the
                                                                 ///< extension names beside it

  std::size_t remembered = 0;  ///< entries that facts keep something of (event_schema.h)
  std::size_t bytes = 0, remembered_bytes = 0;  ///< text of all entries, and of those

  /// Takes an entry that continues the chain, whose text is that long.
  void Observe(const canon::Json& entry, std::size_t text_bytes);
  void Observe(const BatchEntry& entry);

 private:
  void Name(const std::string* kind, const std::string* hash);
};

/// Sees what is appended, after it is durable: followers of a run.
class ChainWatcher {
 public:
  virtual ~ChainWatcher() = default;
  virtual bool Watches(std::string_view run_id) const = 0;
  virtual void Appended(std::string_view run_id, std::uint64_t first_seq, std::vector<std::string> texts) = 0;
};

/// The chains that are being written, so that an event costs the same whatever the chain's length. A chain is read
/// and verified once, when it is first needed after a start; the least recently used ones are forgotten.
class ChainBook {
 public:
  /// Borrowed.
  explicit ChainBook(storage::Store& store, std::size_t runs_max = 4096)
      : store_(store), runs_max_(runs_max) {}
  void Watch(ChainWatcher* watcher) { watcher_ = watcher; }

  /// The run as the open transaction has it. Valid until the call ends. When the change is undone it is forgotten.
  /// Errors: kNotFound; kInvalid for a run without a contract; kCorrupt when the stored chain does not hold.
  Result<KeptRun*> Open(Change& change, std::string_view id);
  /// Moves a run that is kept here and in the store. Errors: kInvalid when it has ended.
  Result<> SetStatus(Change& change, KeptRun& run, storage::RunStatus status);
  /// Adds events of the plane's own to a run, stamped now.
  Result<> Append(Change& change, KeptRun& run, std::vector<canon::Json> events);
  /// Adds entries made elsewhere. Precondition: they continue the chain, up to `end`.
  Result<> Store(Change& change, KeptRun& run, std::span<const BatchEntry> entries, const contract::EventChain& end);
  void Forget(std::string_view id);

 private:
  Result<std::unique_ptr<KeptRun>> Load(std::string_view id);

  storage::Store& store_;
  std::size_t runs_max_;
  ChainWatcher* watcher_ = nullptr;
  std::list<std::unique_ptr<KeptRun>> runs_;  ///< most recently used first
  std::unordered_map<std::string, std::list<std::unique_ptr<KeptRun>>::iterator> by_id_;
};

}  // namespace writ::plane
