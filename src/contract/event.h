#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "canon/json.h"
#include "contract/parts.h"

/// The `event` member of chained events: one function per type (docs/formats/evidence.md, writ.md). Plain values; texts
/// are not checked here.
namespace writ::contract::event {

canon::Json RunCreated();
canon::Json CheckpointCreated(std::string_view checkpoint_id, std::string_view tier);
canon::Json PolicyEvaluated(std::string_view decision, std::string_view reason);  ///< decision: allow, ask
canon::Json ConsentRequested(std::string_view requirement);
canon::Json ConsentGranted(const ActorRef& actor);
canon::Json RunClaimed(std::string_view runner_id, std::string_view runner_key_id);
canon::Json SecretReleased(std::string_view name, std::string_view scope);
canon::Json WorkspaceMaterialized(std::string_view manifest_hash);
canon::Json NetworkConnected(std::string_view host, bool allowed);
canon::Json CommandExecuted(std::string_view argv_hash, int exit_code);
/// `content_hash` is kAbsentFile when the file is gone.
canon::Json FileChanged(std::string_view path, std::string_view content_hash);
inline constexpr std::string_view kAbsentFile = "0000000000000000000000000000000000000000000000000000000000000000";
canon::Json ArtifactCreated(std::string_view kind, std::string_view hash);  ///< kind: diff, log, file, bundle, trace
canon::Json BoundaryCrossed(std::string_view direction, std::string_view content_hash, std::string_view data_class);
canon::Json ModelCalled(std::string_view provider, std::string_view model);
canon::Json RunCompleted();
canon::Json RunFailed(std::string_view failure, std::string_view message);
canon::Json RunCancelled(const ActorRef& actor);

/// An event of our own: `{type, writ: {v: 1, ...facts}}`. Precondition: `type` begins with "writ.", `facts` is an
/// object without `v`.
canon::Json Extension(std::string_view type, canon::Json facts);

/// Adds `writ.monoUs`: microseconds since the chain's first event on the monotonic clock.
void StampMonotonic(canon::Json& event, std::int64_t mono_us);

}  // namespace writ::contract::event
