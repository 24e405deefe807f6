#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "api/plane/plane_call.h"
#include "canon/json.h"
#include "plane/change.h"
#include "plane/core.h"
#include "plane/identity.h"
#include "plane/refusal.h"

namespace writ::api {

using plane::Answer;

/// What a route takes as its body.
enum class Body : std::uint8_t {
  kIgnored,  ///< whatever it is
  kJson,     ///< parsed strictly before the handler runs, on another thread
  kRaw       ///< bytes
};

/// What a handler may change.
enum class Effect : std::uint8_t {
  kReads,  ///< nothing: Asked::change is null
  kWrites  ///< the store, through Asked::change
};

/// The longest a caller may want its call to wait, in milliseconds.
inline constexpr std::uint64_t kWaitMsMax = 30000;

class LiveLogs;

/// One call that has passed authentication, on the plane's thread.
struct Asked {
  plane::Core& core;
  const PlaneCall& call;
  const storage::Principal* principal;  ///< who asks; null when the route asks for no principal
  const canon::Json* body;              ///< for Body::kJson, else null; may be null where `prepared` says all
  plane::Change* change;                ///< for Effect::kWrites, else null
  std::span<const std::string_view> parameters{};  ///< of the pattern, in order
  /// What a handler that runs before the call's turn has prepared (Route::prepare), or null.
  std::shared_ptr<void> prepared{};
  /// Set by a handler that has no answer yet: the call waits, and is asked again when something was queued for
  /// a pool, or when a run has ended (`/` and its id), until then. Only where Route::may_wait.
  struct Waiting {
    std::string what;
    MonoTime until{};
    std::function<bool()> wanted{};  ///< whether asking again may help; empty: always
  };
  std::optional<Waiting> waiting{};
  LiveLogs* logs = nullptr;  ///< what live runs have written
  std::string caller{};  ///< for the request log, when it is no principal: a runner's id

  std::string_view parameter(std::size_t index) const { return parameters[index]; }
  /// First value of a query parameter; nullopt when it is absent.
  std::optional<std::string_view> Query(std::string_view name) const;
};

using Handler = Answer<PlaneReply> (*)(Asked& asked);

/// One line of the dispatch table. Tables are `constexpr Route kX[]`, returned by a function per file (routes.cc).
struct Route {
  std::string_view method;
  /// "/v1/runs/{run}/approve": {run} is [A-Za-z0-9_-]+, {hash} 64 lower-case hex characters; all else is literal.
  std::string_view pattern;
  /// What the principal needs. kNone: nothing is asked, and the handler authenticates by tokens in the body.
  plane::Capability capability = plane::Capability::kNone;
  Body body = Body::kIgnored;
  Effect effect = Effect::kReads;
  Handler handler = nullptr;
  bool may_wait = false;
  /// Work on the body that needs no state, done before the call's turn on another thread. May be null. It may take from
  /// `body`, which is empty so far unless it parses (ParseBody); a body that stays empty is none for the handler.
  std::shared_ptr<void> (*prepare)(const PlaneCall& call, std::optional<Result<canon::Json>>& body) = nullptr;
  /// The body has a `claimToken` for the run in the path, and nobody else may send it.
  bool claim_token = false;
};

/// Reads a call's body strictly; nullptr when it is no JSON.
canon::Json* ParseBody(const PlaneCall& call, std::optional<Result<canon::Json>>& body);

/// Every route there is (routes.cc joins the tables of the handler files).
std::span<const Route> PlaneRoutes();

struct RouteMatch {
  const Route* route = nullptr;
  std::array<std::string_view, 2> parameters{};  ///< views into the path
  std::size_t count = 0;
};
/// nullopt: 404 `no route for METHOD /path`.
std::optional<RouteMatch> MatchRoute(std::string_view method, std::string_view path);

/// Whether a path is of a pattern, and its parameters.
bool MatchPattern(std::string_view pattern, std::string_view path, RouteMatch& match);

/// A list that goes on names in this header what `cursor` of the next call has to be. Who writes to a client that
/// expects everything at once follows it (GET /v1/export).
inline constexpr std::string_view kNextCursorHeader = "writ-next-cursor";

/// 200 with a JSON body.
PlaneReply JsonReply(const canon::Json& body);
PlaneReply ReplyFor(const plane::Refusal& refusal);
/// 503 for a call that there is no room for, or that comes while the plane stops.
PlaneReply BusyReply();

/// Something to be done from time to time on the plane's thread. Returns how long it may wait until the next time.
/// An error is logged; it is tried again after a minute.
struct Chore {
  std::string_view name;
  Answer<Millis> (*run)(plane::Core& core, plane::Change& change);
};
std::span<const Chore> PlaneChores();  ///< every one there is (routes.cc)

// Tables of chores.
std::span<const Chore> KeepingChores();    ///< keeping_chores.cc: what expires
std::span<const Chore> ConsentChores();    ///< run_calls.cc: consent that nobody gave

// Tables of the handler files, joined by routes.cc.
std::span<const Route> PrincipalRoutes();  ///< principal_calls.cc
std::span<const Route> RunnerRoutes();     ///< runner_calls.cc: enrol, claim, list
std::span<const Route> ReportRoutes();     ///< report_calls.cc: events, heartbeat, log, complete, bundle
std::span<const Route> RunRoutes();        ///< run_calls.cc: requests, consent, queries
std::span<const Route> BlobRoutes();       ///< blob_calls.cc
std::span<const Route> HealthRoutes();     ///< health_calls.cc: health, metrics for machines, the plain page

}  // namespace writ::api
