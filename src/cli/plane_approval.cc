// Runs of a plane that wait for consent.
#include <unistd.h>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/local_approvals.h"
#include "cli/plane_link.h"
#include "cli/terminal.h"
#include "client/plane_answers.h"
#include "contract/approval_view.h"
#include "contract/hash.h"
#include "crypto/digest.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kIdTokenMax = 16 << 10;

/// A token of an identity provider, as one word.
Result<std::optional<std::string>> ReadIdToken(const Context& context) {
  const auto file = context.invocation.Value("id-token-file");
  if (!file) return std::nullopt;
  std::string text = WRIT_TRY("--id-token-file", sys::ReadFile(std::string(*file), kIdTokenMax));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  if (text.empty() || text.find_first_of(" \t\r\n") != std::string::npos) return Fail(Code::kInvalid, "--id-token-file: it must hold one token");
  return text;
}

/// What waits, as the plane shows it. The digest is computed here: what is answered is what was shown.
struct ShownApproval {
  Json approval;
  std::string digest;
};
Result<ShownApproval> FetchApproval(PlaneLink& link, const std::string& run_id) {
  ShownApproval shown;
  shown.approval = WRIT_TRY("approval", link.plane().Get(fmt::format("/v1/runs/{}/approval", run_id)));
  const std::string* id = shown.approval.FindString("runId");
  const std::string* digest = shown.approval.FindString("digest");
  const Json* request = shown.approval.Find("request");
  if (!id || *id != run_id || !digest || !request) return Fail(Code::kCorrupt, "the plane's answer is not about {}", run_id);
  shown.digest = WRIT_TRY("approval", contract::HashCanonical(*request));
  if (shown.digest != *digest) {
    return Fail(Code::kCorrupt, "what the plane shows is not what its digest names: it shows {}, it would sign {}", shown.digest, EscapeVisible(*digest, 80));
  }
  return shown;
}

/// A plane of the original protocol cannot show what would run: what it says of the run is all there is.
Result<ShownApproval> OriginalsApproval(PlaneLink& link, const std::string& run_id) {
  const auto view = WRIT_TRY("run", link.plane().Get(fmt::format("/v1/runs/{}", run_id)));
  const auto run = WRIT_TRY("run", client::DecodeRunView(view, run_id));
  Json requirements = Json::MakeArray();
  for (const auto& text : run.consent_requirements) requirements.Append(Json::Of({{"requirement", text}}));
  ShownApproval shown;
  shown.approval = Json::Of({{"runId", run_id}, {"createdAt", run.created_at}, {"requirements", std::move(requirements)}});
  return shown;
}

int SayMoved(Context& context, const Result<Json>& answer) {
  if (!answer) return Complain(context, answer.error());
  const auto moved = client::DecodeMoved(*answer);
  if (!moved) return Complain(context, moved.error());
  if (context.json()) return PrintJson(context, Json::Of({{"runId", moved->run_id}, {"status", moved->status}}));
  return Print(context, fmt::format("{} {}\n", moved->run_id, moved->status));
}

}  // namespace

int PlanePending(Context& context) {
  const auto limit = CountOption(context, "limit", 50, 10'000);
  if (!limit) return Complain(context, limit.error(), 2);
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto answer = link->plane().Get(fmt::format("/v1/approvals?limit={}", *limit));
  if (!answer) return Complain(context, answer.error());
  const Json* approvals = answer->Find("approvals");
  if (!approvals || !approvals->is_array()) return Complain(context, Error{Code::kCorrupt, "the plane's answer has no list of approvals"});
  if (context.json()) return PrintJson(context, Json::Of({{"plane", link->target().url}, {"approvals", *approvals}}));
  std::string text;
  std::size_t shown = 0;
  for (const Json& approval : approvals->array()) {
    if (shown++ == *limit) break;
    text += context.invocation.Has("full") ? contract::RenderApproval(approval) + "\n" : contract::RenderApprovalLine(approval) + "\n";
  }
  if (text.empty()) text = "nothing waits for approval\n";
  return Print(context, text);
}

int PlaneApprove(Context& context) {
  const auto token = ReadIdToken(context);
  if (!token) return Complain(context, token.error(), 2);
  const auto wanted = context.invocation.Value("digest");
  if (wanted && !crypto::IsHash(*wanted)) return Complain(context, Error{Code::kInvalid, "--digest: it must be 64 lower-case hex characters"}, 2);
  const bool yes = context.invocation.Has("yes") || wanted;
  if (!yes && (context.json() || !IsTerminal(STDIN_FILENO))) {
    return Complain(context, Error{Code::kInvalid, "nobody is there to ask: say --digest HASH of what you read, or --yes"}, 2);
  }
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto id = PlaneRunId(*link, context.operand(0));
  if (!id) return Complain(context, id.error());
  auto shown = FetchApproval(*link, *id);
  if (!shown && shown.error().code == Code::kNotFound && context.invocation.Has("yes")) {
    Warn(context, "this plane does not show what would run; it is approved unseen");
    shown = OriginalsApproval(*link, *id);
  }
  if (!shown) return Complain(context, shown.error());
  if (wanted && *wanted != shown->digest) return Complain(context, Error{Code::kInvalid, "what would run is not what --digest names; read it again"});
  if (!context.json() && sys::WriteAll(STDERR_FILENO, contract::RenderApproval(shown->approval)).has_value() == false) return 1;
  if (!yes) {
    const auto confirmed = ConfirmApproval();
    if (!confirmed) return Complain(context, confirmed.error());
    if (!*confirmed) return Complain(context, Error{Code::kDenied, "not approved; nothing was changed"});
  }
  Json body = Json::MakeObject();
  if (!shown->digest.empty()) body.Set("digest", shown->digest);
  if (*token) body.Set("idpToken", **token);
  return SayMoved(context, link->plane().Post(fmt::format("/v1/runs/{}/approve", *id), body));
}

int PlaneDeny(Context& context) {
  const auto token = ReadIdToken(context);
  if (!token) return Complain(context, token.error(), 2);
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto id = PlaneRunId(*link, context.operand(0));
  if (!id) return Complain(context, id.error());
  Json body = Json::Of({{"reason", context.invocation.Value("reason").value_or("denied")}});
  if (*token) body.Set("idpToken", **token);
  return SayMoved(context, link->plane().Post(fmt::format("/v1/runs/{}/deny", *id), body));
}

}  // namespace writ::cli
