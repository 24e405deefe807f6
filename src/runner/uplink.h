#pragma once

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
#include "runner/heartbeat.h"
#include "runner/lines.h"
#include "runner/live_feed.h"
#include "runner/local_runs.h"

namespace writ::runner {

/// What one claimed run says to its plane: events in order, each once, from the local chain; live output; heartbeats;
/// blobs; the receipt. Whatever cannot be reached is tried again for as long as the claim lasts. Thread-safe.
class Uplink {
 public:
  /// `lines`, `local` and `feed` are borrowed. `posted`: entries of the chain that the plane has.
  Uplink(Lines& lines, Lines::Line line, LocalRuns::Lease store, LocalRuns& local, const Claim& claim, std::uint64_t posted, LiveFeed& feed,
         const UplinkTimes& times);
  ~Uplink();

  /// As Heartbeat.
  Result<> Confirm() { return heart_.Confirm(); }
  /// From now on a thread posts what is new (after kFirstPost, then at most every kTick), and another renews the claim.
  void Start();
  /// Nothing is posted by itself any more. The claim is still renewed: what is uploaded now may take longer than it lasts.
  void StopPosting();
  /// Both threads end.
  void Stop();

  /// Posts every entry that the plane does not have. After a crash how many it has is not known, only that it is at least
  /// those given to the constructor. A plane that knows `writ` skips what it has; at others the border is looked for, one request per entry.
  /// Errors: kDenied when the plane refuses them; kDeadline when the claim ended before it could be reached.
  Result<> FlushFromUnknown();
  /// Errors as FlushFromUnknown.
  Result<> PutBlob(ByteView bytes);
  /// Keeps a small result for Complete, if the plane takes it with the receipt and there is room; else as PutBlob.
  Result<> PutSmallBlob(std::string bytes);
  /// What PutSmallBlob has kept, and the same again after a crash: it must not be lost before Complete has brought it.
  std::string Carried();
  void CarryAgain(std::string carried);
  /// Posts what is left of the chain, small results and the receipt, in one request where the plane takes them at once.
  /// Returns the receipt with the plane's signature; without it (nullopt) when the plane had it already but its answer was lost.
  Result<std::optional<canon::Json>> Complete(const canon::Json& receipt);

  /// Neither waits for a call that is under way.
  Verdict verdict() { return heart_.verdict(); }
  bool Alive() { return heart_.Alive(); }

  static constexpr Millis kTick{200};
  static constexpr Millis kFirstPost{60};  ///< a run that is shorter posts only at its end: each post is a sync of the plane's
  static constexpr std::size_t kCarriedMax = 16;                 ///< small results with one receipt...
  static constexpr std::size_t kCarriedBytesEach = 64u << 10;    ///< ...and how small
  static constexpr int kServerErrorsMax = 5;  ///< answers 5xx to events in a row before the run is stopped

 private:
  void Keep(const std::stop_token& stop);
  Result<> PostEvents();
  /// `,"events":[...]` with what is left when it is little and the plane knows `writ`; else posts it and returns "".
  Result<std::string> LastEvents();
  Result<> PostLive();
  void Judge(const Result<>& posted);
  template <class Call>
  auto Insist(Call call) -> decltype(call());

  Heartbeat heart_;
  std::mutex mutex_;  ///< guards everything below, also during calls
  std::condition_variable_any wake_;
  Lines::Line line_;
  LocalRuns::Lease store_;
  LiveFeed& feed_;
  const std::string run_id_, path_;
  const bool extended_;  ///< the plane knows `writ`
  const UplinkTimes times_;
  const Millis claim_life_;
  const std::uint64_t carried_bytes_max_;
  std::uint64_t posted_;
  std::uint64_t unsure_ = 0;  ///< entries after posted_ that were sent in a request whose answer was lost
  int server_errors_ = 0;
  std::string carried_;  ///< `"base64","base64"`
  std::size_t carried_count_ = 0;
  std::uint64_t carried_bytes_ = 0;
  bool live_ = true;    ///< the plane takes live output
  std::jthread keeper_;
};

}  // namespace writ::runner
