#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "canon/json.h"
#include "contract/parts.h"

/// What a plane answers, read as hostile: types, bounds, ids and words are checked, members that are not known are
/// ignored. Texts are as the plane sent them: escape them before showing. All errors are kCorrupt, naming the member.
namespace writ::client {

/// `[A-Za-z0-9_-]{1,128}`: a run id may become part of a path or of a file name.
bool IsRunId(std::string_view text);

/// created, claimed, provisioning, running, awaiting_approval, completed, failed, cancelled.
bool IsStatus(std::string_view word);
/// completed, failed, cancelled.
bool IsEnded(std::string_view status);

struct Submitted {
  std::string run_id, status;
  std::vector<std::string> consent_requirements;
};
Result<Submitted> DecodeSubmitted(const canon::Json& json);

/// Answer to cancel, approve and deny.
struct Moved {
  std::string run_id, status;
  bool stopping = false;  ///< a running run was asked to end
};
Result<Moved> DecodeMoved(const canon::Json& json);

struct DryRunAnswer {
  bool ask = false;  ///< needs approval
  std::string reason;
  std::vector<std::string> consent_requirements;
  canon::Json json;  ///< as received
};
Result<DryRunAnswer> DecodeDryRun(const canon::Json& json);

struct RunView {
  std::string run_id, status, created_at, updated_at;
  std::vector<std::string> consent_requirements;
  std::string failure_message;
  canon::Json::Array events;  ///< chain entries, not verified
};
Result<RunView> DecodeRunView(const canon::Json& json, std::string_view run_id);

struct RunSummary {
  std::string run_id, status, agent_kind, pool, prompt, created_at, updated_at;
  contract::ActorRef requested_by;
  bool has_receipt = false;
};
struct RunPage {
  std::vector<RunSummary> runs;
  std::optional<std::string> next_cursor;
};
Result<RunPage> DecodeRuns(const canon::Json& json);

struct PrincipalRow {
  std::string name, role, created_at;
  bool revoked = false;
};
Result<std::vector<PrincipalRow>> DecodePrincipals(const canon::Json& json);

/// A token that a plane handed out: printable ASCII without spaces, at most 1024.
struct IssuedToken {
  std::string token;
  std::string name, role;  ///< of a principal
  std::string expires_at;  ///< of an enrol token
};
Result<IssuedToken> DecodeToken(const canon::Json& json);

struct RunnerRow {
  std::string runner_id, pool, key_id, enrolled_at;
};
Result<std::vector<RunnerRow>> DecodeRunners(const canon::Json& json);

/// `reasons` of a policy's denial; empty for any other answer.
std::vector<std::string> DeniedReasons(const canon::Json& json);

}  // namespace writ::client
