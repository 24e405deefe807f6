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
#include "runner/lines.h"
#include "runner/local_runs.h"

namespace writ::runner {

/// How an uplink waits.
struct UplinkTimes {
  Millis first_backoff{100};  ///< doubles up to kBackoffMax
  Millis plain_life{10 * 60'000};
};

/// Why the run must end: the plane refused events or wants the run stopped, or the claim ended.
struct Verdict {
  enum class Kind : std::uint8_t { kGoOn, kStopAsked, kRefused } kind = Kind::kGoOn;
  std::string reason;
};

/// The claim of one run: its token, how long it lasts, and what the plane thinks of it. Renewed over a connection of its
/// own, so that an upload, output or events that take longer than a lease do not cost the claim. Thread-safe; no method
/// but Confirm and Stop waits for the plane.
class Heartbeat {
 public:
  /// `lines` and `local` are borrowed.
  Heartbeat(Lines& lines, LocalRuns& local, const Claim& claim, const UplinkTimes& times);
  ~Heartbeat();

  /// Asks the plane whether the claim still holds when its answer came so late that it should have been renewed meanwhile.
  /// Nothing may be started before. Waits for the plane. Errors: those of the call; kDenied and kInvalid when the claim is
  /// over.
  Result<> Confirm();
  /// From now on a thread renews the claim when nothing else did, and sees its end.
  void Start();
  /// The thread ends; a call under way is broken off.
  void Stop();

  /// The plane has heard of the run and answered: with leases, that renews the claim. From when on is known to the plane
  /// alone; what was `sent` had not been renewed before, and an answer may have been on its way for long.
  void Heard(const canon::Json& answer, MonoTime sent);
  void Refused(std::string reason);
  std::string token();
  MonoTime ends();
  /// Whether the claim can still be used. Once it was seen to end it cannot, whatever arrives late: the plane may have
  /// heard of the run all the while, and must not be told of an end that only this side saw.
  bool Alive();
  Verdict verdict();

  static constexpr Millis kBackoffMax{2000};

 private:
  void Keep(const std::stop_token& stop);
  bool Ending();
  Result<> Beat(std::unique_lock<std::mutex>& hold);

  Lines& lines_;
  LocalRuns& local_;
  const std::string run_id_, path_;
  const std::optional<Lease> lease_;
  const Millis first_backoff_;
  std::mutex mutex_;  ///< guards what follows; never held during a call
  std::condition_variable_any wake_;
  std::optional<Lines::Line> line_;  ///< from the first beat on; used by the thread alone, but for Cancel
  std::string token_;
  MonoTime ends_;       ///< the claim, unless it is renewed; by the plane's own count it is not over before
  MonoTime next_beat_;
  bool over_ = false;   ///< it was seen to end
  Verdict verdict_;
  std::jthread keeper_;
};

/// Whether a failed call says nothing about the run: there was no answer, or one that another attempt may change.
bool IsTransport(const Error& error, unsigned status);

}  // namespace writ::runner
