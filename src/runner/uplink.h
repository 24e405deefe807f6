#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "canon/json.h"
#include "runner/claim.h"
#include "runner/lines.h"
#include "runner/live_feed.h"
#include "runner/local_runs.h"

namespace writ::runner {

/// How an uplink waits.
struct UplinkTimes {
  Millis first_backoff{100};  ///< doubles up to kBackoffMax
  Millis plain_life{10 * 60'000};
};

/// What one claimed run says to its plane: events in order, each once, from the local chain; live output; heartbeats;
/// blobs; the receipt. Whatever cannot be reached is tried again for as long as the claim lasts. Thread-safe.
class Uplink {
 public:
  /// `local`, `feed` and `clock` are borrowed. `posted`: entries of the chain that the plane has.
  Uplink(Lines::Line line, LocalRuns::Lease store, LocalRuns& local, const Claim& claim, std::uint64_t posted, LiveFeed& feed,
         const UplinkTimes& times);
  ~Uplink();

  /// Asks the plane whether the claim still holds when its answer came so late that it should have been renewed meanwhile.
  /// Nothing may be started before. Errors: those of the call; kDenied and kInvalid when the claim is over.
  Result<> Confirm();
  /// From now on a thread posts what is new (after kFirstPost, then at most every kTick), and renews the claim.
  void Start();
  /// The thread ends; nothing more is sent by itself.
  void Stop();

  /// Posts every entry that the plane does not have. After a crash how many it has is not known, only that it is at least
  /// those given to the constructor. A plane that knows `writ` skips what it has; at others the border is looked for, one request per entry.
  /// Errors: kDenied when the plane refuses them; kDeadline when the claim ended before it could be reached.
  Result<> FlushFromUnknown();
  /// Errors as FlushFromUnknown.
  Result<> PutBlob(ByteView bytes);
  /// Posts what is left of the chain and the receipt, in one request where the plane takes both at once. Returns the
  /// receipt with the plane's signature; without it (nullopt) when the plane had it already but its answer was lost.
  Result<std::optional<canon::Json>> Complete(const canon::Json& receipt);

  /// Why the run must end: the plane refused events or wants the run stopped, or the claim ended.
  struct Verdict {
    enum class Kind : std::uint8_t { kGoOn, kStopAsked, kRefused } kind = Kind::kGoOn;
    std::string reason;
  };
  Verdict verdict();
  /// Whether the claim can still be used.
  bool Alive() const;

  static constexpr Millis kTick{200};
  static constexpr Millis kFirstPost{10};  ///< a run that is shorter posts only at its end
  static constexpr Millis kBackoffMax{2000};
  static constexpr int kServerErrorsMax = 5;  ///< answers 5xx to events in a row before the run is stopped

 private:
  void Keep(const std::stop_token& stop);
  Result<> PostEvents();
  /// `,"events":[...]` with what is left when it is little and the plane knows `writ`; else posts it and returns "".
  Result<std::string> LastEvents();
  Result<> PostLive();
  Result<> Beat();
  bool Ending() const;
  void Heard(const canon::Json& answer, MonoTime sent);
  void Judge(const Result<>& posted);
  template <class Call>
  auto Insist(Call call) -> decltype(call());

  std::mutex mutex_;  ///< guards everything below
  std::condition_variable_any wake_;
  Lines::Line line_;
  LocalRuns::Lease store_;
  LocalRuns& local_;
  LiveFeed& feed_;
  const std::string run_id_, path_;
  std::string token_;
  const std::optional<Lease> lease_;
  const UplinkTimes times_;
  std::uint64_t posted_;
  std::uint64_t unsure_ = 0;  ///< entries after posted_ that were sent in a request whose answer was lost
  std::atomic<MonoTime> ends_;  ///< the claim, unless it is renewed; by the plane's own count it is not over before
  MonoTime next_beat_;
  int server_errors_ = 0;
  bool live_ = true;    ///< the plane takes live output
  Verdict verdict_;
  std::jthread keeper_;
};

}  // namespace writ::runner
