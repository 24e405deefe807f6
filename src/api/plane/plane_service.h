#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/plane/plane_call.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/error.h"
#include "plane/core.h"
#include "plane/refusal.h"
#include "policy/policy.h"
#include "storage/blob_store.h"
#include "storage/state_dir.h"

namespace writ::api {

struct PlaneOptions {
  std::string state_dir;           ///< made when absent; one plane at a time uses it
  policy::Policy policy;
  plane::PlaneKeys keys;           ///< plane_keys.h reads or makes them
  std::string admin_token, enroll_token;  ///< of the bootstrap principals; empty: that principal is revoked
  plane::Settings settings{};
  plane::SecretLookup secrets{};   ///< absent: the plane has no secrets
  std::shared_ptr<const plane::IdentityProvider> idp{};
  const Clock* clock = nullptr;    ///< borrowed; null: the machine's clocks
  std::function<void(std::string_view text)> log{};  ///< what the operator should know; on the plane's thread
  /// For tests: called at the labelled points of a run's life (plane/core.h, fault).
  std::function<void(std::string_view label)> fault_hook{};
  /// For tests: puts another store in front of the one that was opened, to make its writes fail.
  std::function<std::unique_ptr<storage::Store>(std::unique_ptr<storage::Store>)> wrap_store{};
};

/// Where a follower's lines go. Called on the plane's thread; must not block.
class FollowSink {
 public:
  virtual ~FollowSink() = default;
  /// One chain entry (`name` "event", `id` its seq, `data` its JSON text) or one piece of output (`name` "log").
  virtual void Event(std::string_view id, std::string_view name, std::string_view data) = 0;
  virtual void End(std::string_view why) = 0;       ///< once, and nothing after it
  virtual std::size_t Backlog() const = 0;          ///< bytes not sent yet
};
inline constexpr std::size_t kFollowBacklogMax = 1u << 20;

/// A plane: principals, queue, evidence, signatures. One thread of its own owns all of its state; every other thread
/// sends it calls. Calls that wait at the same time share one transaction and one sync; each is undone alone when it
/// fails, and nobody gets an answer before what it says survives a power cut.
class PlaneService {
 public:
  /// Opens the state, asserts the bootstrap principals, begins leases anew and starts the thread.
  /// Errors: those of the state directory and the store; kUnavailable when another plane uses the directory.
  static Result<std::unique_ptr<PlaneService>> Start(PlaneOptions options);
  /// Stops at once: calls that wait are answered 503.
  ~PlaneService();
  PlaneService(const PlaneService&) = delete;
  PlaneService& operator=(const PlaneService&) = delete;

  using Reply = std::move_only_function<void(PlaneReply reply)>;
  using Refused = std::move_only_function<void(std::optional<PlaneReply> refusal)>;

  /// Any thread. `reply` runs exactly once, on the plane's thread, or on the caller's when the call is refused before it
  /// got there (no such route, too busy, stopped).
  void Call(PlaneCall call, Reply reply);
  /// Whether these credentials may store a blob; nullopt: yes. The blob itself goes past the plane's thread.
  void MayUpload(std::string authorization, std::string address, Refused refused);
  storage::BlobStore& blobs();  ///< thread safe
  /// Follows a run's events or output: /v1/runs/{id}/events/stream?from=N, /v1/runs/{id}/log/stream. A sink whose backlog
  /// exceeds kFollowBacklogMax is ended with "slow".
  void Follow(PlaneCall call, std::shared_ptr<FollowSink> sink, Refused refused);

  /// Any thread. No claims from now on, long polls are answered empty, what has arrived is finished.
  /// Errors: kDeadline when that was not done in time; the thread is then still running.
  Result<> Stop(Deadline deadline);

  using Work = std::function<plane::Answer<>(plane::Core& core, plane::Change& change)>;
  /// For programs that share the process, and for tests: does work on the plane's thread as a part of a transaction, undone
  /// when it is refused, and returns once it is durable. Not from the plane's thread.
  plane::Answer<> Do(Work work);
  /// Does what is due by now, for tests whose clock stands still, and returns when it is durable.
  void Tick();

 private:
  class Impl;
  explicit PlaneService(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace writ::api
