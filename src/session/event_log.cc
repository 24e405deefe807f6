#include "session/event_log.h"

#include <chrono>

#include "contract/event.h"

namespace writ::session {

EventLog::EventLog(storage::Store& store, const Clock& clock, std::string run_id, std::string contract_hash)
    : store_(store),
      clock_(clock),
      run_id_(std::move(run_id)),
      chain_(std::move(contract_hash)),
      mono_zero_(clock.Mono()) {}

Result<EventLog> EventLog::Reopen(storage::Store& store, const Clock& clock, const storage::Run& run,
                                  std::string contract_hash) {
  EventLog log(store, clock, run.id, std::move(contract_hash));
  static constexpr std::size_t kPage = 1024;
  for (;;) {
    const auto texts = WRIT_TRY("read events", store.Events(run.id, log.chain_.count(), kPage));
    for (const auto& text : texts) {
      const auto entry = canon::Parse(text, canon::Mode::kWire);
      if (!entry) return Fail(Code::kCorrupt, "event {} of run {} is not JSON", log.chain_.count(), run.id);
      const auto broken = WRIT_TRY("read events", log.chain_.Accept(*entry));
      if (broken)
        return Fail(Code::kCorrupt, "run {}: event chain broken at seq {}: {}", run.id, broken->seq, broken->reason);
      log.facts_.Observe(*entry);
    }
    if (texts.size() < kPage) break;
  }
  if (log.chain_.count() != run.event_count || log.chain_.head() != run.head)
    return Fail(Code::kCorrupt, "run {} has {} events in the store, but its row says {}; events were removed or added",
                run.id, log.chain_.count(), run.event_count);
  log.mono_before_us_ = log.facts_.mono_us;
  return log;
}

std::int64_t EventLog::MonoMicros() const {
  return mono_before_us_ + std::chrono::duration_cast<std::chrono::microseconds>(clock_.Mono() - mono_zero_).count();
}

Result<> EventLog::Broken() const {
  if (broken_) return std::unexpected(*broken_);
  return {};
}

Result<> EventLog::CheckState(const canon::Json& event) const {
  const auto* type = event.FindString("type");
  if (type == nullptr) return Fail(Code::kInvalid, "an event without a type");
  const auto next = StateAfter(*type);
  if (!facts_.state) {
    if (next == RunState::kCreated) return {};
    return Fail(Code::kInvalid, "a chain begins with run.created, not with {}", *type);
  }
  if (next) return CheckMove(*facts_.state, *next);
  if (storage::IsTerminal(*facts_.state)) return Fail(Code::kInvalid, "{} after the end of the run", *type);
  return {};
}

Result<> EventLog::Append(storage::Transaction& transaction, canon::Json event) {
  WRIT_TRY("log", Broken());
  WRIT_TRY("log", CheckState(event));
  contract::event::StampMonotonic(event, MonoMicros());
  const std::uint64_t seq = chain_.count();
  const std::string prev = chain_.head();
  auto entry = chain_.Append(clock_.Now(), std::move(event));
  if (!entry) {
    broken_ = entry.error();
    return std::unexpected(std::move(entry).error().Doing("log"));
  }
  const std::string text = canon::Compact(*entry);
  auto stored = transaction.AppendEvent(
      run_id_, {.seq = seq, .prev = prev, .hash = chain_.head(), .text = text});
  if (!stored) {
    broken_ = stored.error();
    return std::unexpected(std::move(stored).error().Doing("log"));
  }
  facts_.Observe(*entry);
  return {};
}

Result<> EventLog::Append(std::vector<canon::Json> events) {
  WRIT_TRY("log", Broken());
  if (events.empty()) return {};
  const auto write = [&]() -> Result<> {
    const auto transaction = WRIT_TRY("log", store_.Begin());
    for (auto& event : events) WRIT_TRY("log", Append(*transaction, std::move(event)));
    return transaction->Commit(storage::Durability::kBuffered);
  };
  auto written = write();
  if (!written) broken_ = written.error();
  return written;
}

Result<> EventLog::Append(canon::Json event) {
  std::vector<canon::Json> events;
  events.push_back(std::move(event));
  return Append(std::move(events));
}

}  // namespace writ::session
