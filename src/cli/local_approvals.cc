#include "cli/local_approvals.h"

#include <unistd.h>

#include "cli/terminal.h"
#include "cli/user_name.h"
#include "contract/approval_view.h"
#include "contract/hash.h"
#include "crypto/digest.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kPendingDefault = 50, kPendingMax = 10'000;
constexpr int kUsage = 2;

api::Caller WhoAnswers() { return {.uid = ::getuid(), .name = UserName(::getuid())}; }

int SayResult(Context& context, const Result<api::ConsentResult>& result) {
  if (!result) return Complain(context, result.error());
  if (context.json()) return PrintJson(context, Json::Of({{"runId", result->run_id}, {"status", result->status}}));
  std::string text = fmt::format("{} {}\n", result->run_id, result->status);
  if (result->status == "approved") text += fmt::format("start it with `writ run --resume {}`, unless somebody waits for it\n", result->run_id);
  return Print(context, text);
}

}  // namespace

Result<bool> ConfirmApproval() {
  WRIT_TRY("ask", sys::WriteAll(STDERR_FILENO, std::string_view("Approve this, and nothing else? Type yes: ")));
  std::string line;
  char byte = 0;
  while (line.size() < 16 && ::read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n') line += byte;
  return line == "yes";
}

int LocalPending(Context& context) {
  const auto limit = CountOption(context, "limit", kPendingDefault, kPendingMax);
  if (!limit) return Complain(context, limit.error(), kUsage);
  auto pending = OpenPlane()->Pending();
  if (!pending) return Complain(context, pending.error());
  if (pending->size() > *limit) pending->resize(*limit);
  if (context.json()) return PrintJson(context, Json::Of({{"approvals", Json(Json::Array(pending->begin(), pending->end()))}}));
  std::string text;
  for (const Json& approval : *pending) {
    text += context.invocation.Has("full") ? contract::RenderApproval(approval) : contract::RenderApprovalLine(approval);
    text += "\n";
  }
  return Print(context, text.empty() ? "nothing waits for approval\n" : text);
}

int LocalApprove(Context& context) {
  const auto wanted = context.invocation.Value("digest");
  if (wanted && !crypto::IsHash(*wanted)) return Complain(context, Error{Code::kInvalid, "--digest: it must be 64 lower-case hex characters"}, kUsage);
  const bool yes = wanted || context.invocation.Has("yes");
  if (!yes && (context.json() || !IsTerminal(STDIN_FILENO)))
    return Complain(context, Error{Code::kInvalid, "nobody is there to ask: say --digest HASH of what you read, or --yes"}, kUsage);
  const auto plane = OpenPlane();
  const auto approval = plane->Approval(context.operand(0));
  if (!approval) return Complain(context, approval.error());
  const Json* request = approval->Find("request");
  const std::string* run_id = approval->FindString("runId");
  // Of what is shown, not of what the record says about itself.
  const auto digest = contract::HashCanonical(*request);
  if (!digest) return Complain(context, digest.error());
  if (wanted && *wanted != *digest) return Complain(context, Error{Code::kInvalid, "what would run is not what --digest names; read it again"});
  if (!context.json() && !sys::WriteAll(STDERR_FILENO, std::string_view(contract::RenderApproval(*approval)))) return 1;
  if (!yes) {
    const auto confirmed = ConfirmApproval();
    if (!confirmed) return Complain(context, confirmed.error());
    if (!*confirmed) return Complain(context, Error{Code::kDenied, "not approved; nothing was changed"});
  }
  return SayResult(context, plane->Answer({*run_id, true, *digest, "", WhoAnswers()}));
}

int LocalDeny(Context& context) {
  const auto reason = context.invocation.Value("reason").value_or("");
  return SayResult(context, OpenPlane()->Answer({std::string(context.operand(0)), false, "", std::string(reason), WhoAnswers()}));
}

}  // namespace writ::cli
