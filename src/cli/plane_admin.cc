// Who may use a plane, which runners it has, what it has on record.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/plane_link.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "cli/terminal_filter.h"
#include "client/plane_answers.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kExportJsonMax = 64u << 20;

/// The place for a token: a file of the caller's that nobody else may read, made before the plane is asked for one.
struct TokenOut {
  sys::UniqueFd fd;
  std::string path;  ///< empty: stdout
};
Result<TokenOut> OpenTokenOut(const Context& context) {
  TokenOut out;
  const auto file = context.invocation.Value("out");
  if (!file) return out;
  out.path = *file;
  out.fd = WRIT_TRY("--out", sys::OpenFile(out.path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  return out;
}

/// Asks the plane for a token and puts it where it was asked for.
int AskForToken(Context& context, std::string_view path, const Json& body) {
  auto out = OpenTokenOut(context);
  if (!out) return Complain(context, out.error());
  const auto give_up = [&](const Error& error) {
    if (!out->path.empty()) ::unlink(out->path.c_str());
    return Complain(context, error);
  };
  auto link = OpenAndConfine(context);
  if (!link) return give_up(link.error());
  const auto answer = link->plane().Post(path, body);
  if (!answer) return give_up(answer.error());
  const auto issued = client::DecodeToken(*answer);
  if (!issued) return give_up(issued.error());
  if (!out->path.empty()) {
    if (const auto wrote = sys::WriteAll(out->fd.get(), issued->token + "\n"); !wrote) return give_up(wrote.error());
  }
  if (context.json()) {
    Json json = Json::MakeObject();
    if (!issued->name.empty()) json.Set("name", issued->name).Set("role", issued->role);
    if (!issued->expires_at.empty()) json.Set("expiresAt", issued->expires_at);
    if (out->path.empty()) json.Set("token", issued->token);
    if (!out->path.empty()) json.Set("path", out->path);
    return PrintJson(context, json);
  }
  if (!issued->expires_at.empty()) Warn(context, fmt::format("valid once, until {}", issued->expires_at));
  return out->path.empty() ? Print(context, issued->token + "\n") : 0;
}

/// JSON lines as one object.
int PrintEvents(Context& context, std::string_view lines) {
  Json events = Json::MakeArray();
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    auto event = canon::Parse(lines.substr(0, end), canon::Mode::kWire);
    if (!event) return Complain(context, Error{Code::kCorrupt, fmt::format("the plane sent a line that is no JSON: {}", event.error().what)});
    events.Append(*std::move(event));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return PrintJson(context, Json::Of({{"events", std::move(events)}}));
}

}  // namespace

int PrincipalsListCommand(Context& context) {
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto answer = link->plane().Get("/v1/principals");
  if (!answer) return Complain(context, answer.error());
  const auto rows = client::DecodePrincipals(*answer);
  if (!rows) return Complain(context, rows.error());
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& row : *rows) {
      list.Append(Json::Of({{"name", row.name}, {"role", row.role}, {"createdAt", row.created_at}, {"revoked", row.revoked}}));
    }
    return PrintJson(context, Json::Of({{"principals", std::move(list)}}));
  }
  std::vector<std::vector<std::string>> table{{"NAME", "ROLE", "SINCE (UTC)", ""}};
  for (const auto& row : *rows) {
    table.push_back({EscapeVisible(row.name), EscapeVisible(row.role), ShowTime(row.created_at), row.revoked ? "revoked" : ""});
  }
  return Print(context, RenderTable(table, TableColumns()));
}

int PrincipalsAddCommand(Context& context) {
  return AskForToken(context, "/v1/principals", Json::Of({{"name", context.operand(0)}, {"role", context.operand(1)}}));
}

int PrincipalsRotateCommand(Context& context) {
  return AskForToken(context, "/v1/principals/rotate", Json::Of({{"name", context.operand(0)}}));
}

int PrincipalsRevokeCommand(Context& context) {
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto answer = link->plane().Post("/v1/principals/revoke", Json::Of({{"name", context.operand(0)}}));
  if (!answer) return Complain(context, answer.error());
  if (context.json()) return PrintJson(context, Json::Of({{"name", context.operand(0)}, {"revoked", true}}));
  return Print(context, fmt::format("{} is revoked\n", EscapeVisible(context.operand(0))));
}

int EnrollTokenCommand(Context& context) { return AskForToken(context, "/v1/enroll-tokens", Json::MakeObject()); }

int RunnersCommand(Context& context) {
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const auto answer = link->plane().Get("/v1/runners");
  if (!answer) return Complain(context, answer.error());
  const auto rows = client::DecodeRunners(*answer);
  if (!rows) return Complain(context, rows.error());
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& row : *rows) {
      list.Append(Json::Of({{"runnerId", row.runner_id}, {"pool", row.pool}, {"keyId", row.key_id}, {"enrolledAt", row.enrolled_at}}));
    }
    return PrintJson(context, Json::Of({{"runners", std::move(list)}}));
  }
  std::vector<std::vector<std::string>> table{{"RUNNER", "POOL", "KEY", "SINCE (UTC)"}};
  for (const auto& row : *rows) {
    table.push_back({EscapeVisible(row.runner_id), EscapeVisible(row.pool), EscapeVisible(row.key_id), ShowTime(row.enrolled_at)});
  }
  return Print(context, RenderTable(table, TableColumns()));
}

int ExportCommand(Context& context) {
  std::string path = "/v1/export?limit=2000";
  if (const auto since = context.invocation.Value("since")) {
    if (!ParseTimestamp(*since)) return Complain(context, Error{Code::kInvalid, "--since: it must be a time such as 2026-01-31T00:00:00.000Z"}, 2);
    path += fmt::format("&since={}", remote::PathPart(*since));
  }
  auto link = OpenAndConfine(context);
  if (!link) return Complain(context, link.error());
  const bool filter_it = IsTerminal(STDOUT_FILENO);
  TerminalFilter filter;
  std::string lines;
  const std::string authorization = fmt::format("Bearer {}", link->target().token.text());
  const auto take = [&](ByteView piece) -> Result<> {
    if (context.json()) {
      if (lines.size() + piece.size() > kExportJsonMax) return Fail(Code::kExhausted, "more than 64 MiB; leave --json out, or use --since");
      lines += AsText(piece);
      return {};
    }
    if (!filter_it) return sys::WriteAll(STDOUT_FILENO, piece);
    std::string safe;
    filter.Append(AsText(piece), safe);
    return sys::WriteAll(STDOUT_FILENO, safe);
  };
  net::HttpRequest request{.method = "GET", .target = path, .fields = {{"Authorization", authorization}}, .body = {}};
  Result<net::HttpResponse> answer = link->plane().http().Download(request, take, Deadline::Never());
  // A plane that gives parts says where the next one begins; the original plane gives all at once.
  while (answer && answer->status == 200) {
    const std::string* next = net::FindField(answer->fields, "writ-next-cursor");
    if (next == nullptr) break;
    const std::string target = fmt::format("{}&cursor={}", path, remote::PathPart(*next));
    if (target == request.target) return Complain(context, Error{Code::kCorrupt, "the plane gives the same part of the export again and again"});
    request.target = target;
    answer = link->plane().http().Download(request, take, Deadline::Never());
  }
  if (!answer) return Complain(context, answer.error());
  if (answer->status == 200 && context.json()) return PrintEvents(context, lines);
  if (answer->status == 200) {
    std::string rest;
    filter.Finish(rest);
    return Print(context, rest);
  }
  const auto body = canon::Parse(answer->body, canon::Mode::kWire);
  const std::string* text = body ? body->FindString("error") : nullptr;
  return Complain(context, Error{answer->status == 401 || answer->status == 403 ? Code::kDenied : Code::kInvalid,
                                 text ? text->substr(0, 2000) : fmt::format("the plane answered {}", answer->status)});
}

}  // namespace writ::cli
