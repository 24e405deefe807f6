#include <fcntl.h>
#include <unistd.h>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/run_options.h"
#include "cli/secret_prompt.h"
#include "cli/table.h"
#include "cli/terminal.h"
#include "secrets/dotenv.h"
#include "secrets/source.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr Millis kSourcePatience{20'000};

std::unique_ptr<api::LocalPlane> OpenSecrets(const Context& context) {
  api::LocalPlaneOptions options;
  options.credentials = context.credentials;
  return api::LocalPlane::Create(std::move(options));
}

Result<crypto::SecretBytes> ReadValueFor(const Context& context, const std::string& name) {
  const auto from = context.invocation.Value("from");
  if (!from) {
    if (IsTerminal(STDIN_FILENO)) return AskForSecret(STDIN_FILENO, fmt::format("Value of {} (not shown): ", EscapeVisible(name)));
    return secrets::ReadValue(STDIN_FILENO);
  }
  const auto source = WRIT_TRY("--from", secrets::ParseSource(*from));
  auto value = WRIT_TRY("--from", secrets::ReadSource(source, {context.env, *context.credentials, Deadline::After(kSourcePatience)}));
  if (source.kind == secrets::SourceKind::kEnv) static_cast<void>(secrets::TakeVariable(source.place));
  return value;
}

Result<> Set(const Context& context, const std::string& name) {
  std::vector<api::SecretDraft> drafts(1);
  drafts[0].name = name;
  drafts[0].host = context.invocation.Value("host").value_or("");
  if (context.invocation.Has("link")) {
    const auto from = context.invocation.Value("from");
    if (!from) return Fail(Code::kInvalid, "--link needs --from");
    drafts[0].source = *from;
  } else {
    drafts[0].value = WRIT_TRY("read the value", ReadValueFor(context, name));
  }
  return OpenSecrets(context)->SetSecrets(std::move(drafts));
}

Result<std::vector<std::string>> Import(const Context& context, const std::string& file) {
  sys::UniqueFd opened;
  if (file != "-") opened = WRIT_TRY("read", sys::OpenFile(file, O_RDONLY));
  const int fd = file == "-" ? STDIN_FILENO : opened.get();
  crypto::SecretBytes text(secrets::kDotenvBytesMax + 1);
  const std::size_t size = WRIT_TRY("read", sys::ReadFull(fd, text.bytes()));
  auto entries = WRIT_TRY(EscapeVisible(file), secrets::ParseDotenv(text.text().substr(0, size)));
  std::vector<api::SecretDraft> drafts;
  std::vector<std::string> names;
  for (auto& entry : entries) {
    names.push_back(entry.name);
    api::SecretDraft draft;
    draft.name = std::move(entry.name);
    draft.value = std::move(entry.value);
    drafts.push_back(std::move(draft));
  }
  WRIT_TRY("import", OpenSecrets(context)->SetSecrets(std::move(drafts)));
  return names;
}

int AnswerNames(Context& context, std::string_view member, const std::vector<std::string>& names) {
  if (!context.json()) return 0;
  Json list = Json::MakeArray();
  for (const auto& name : names) list.Append(name);
  return PrintJson(context, Json::Of({{std::string(member), std::move(list)}}));
}

}  // namespace

int SecretSetCommand(Context& context) {
  const std::string name(context.operand(0));
  if (const auto set = Set(context, name); !set) return Complain(context, set.error());
  return AnswerNames(context, "set", {name});
}

int SecretListCommand(Context& context) {
  const auto views = OpenSecrets(context)->Secrets();
  if (!views) return Complain(context, views.error());
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& view : *views) {
      Json row = Json::Of({{"name", view.name}, {"source", view.source}});
      if (!view.host.empty()) row.Set("host", view.host);
      if (!view.updated_at.empty()) row.Set("updatedAt", view.updated_at);
      list.Append(std::move(row));
    }
    return PrintJson(context, Json::Of({{"secrets", std::move(list)}}));
  }
  std::vector<std::vector<std::string>> table{{"NAME", "HOST", "SOURCE", "SET (UTC)"}};
  for (const auto& view : *views) {
    table.push_back({EscapeVisible(view.name), view.host.empty() ? "-" : EscapeVisible(view.host), EscapeVisible(view.source),
                     view.updated_at.empty() ? "-" : EscapeVisible(view.updated_at)});
  }
  return Print(context, RenderTable(table, IsTerminal(STDOUT_FILENO) ? TextColumns(STDOUT_FILENO) : 1000));
}

int SecretRemoveCommand(Context& context) {
  const std::string name(context.operand(0));
  if (const auto removed = OpenSecrets(context)->RemoveSecret(name); !removed) return Complain(context, removed.error());
  return AnswerNames(context, "removed", {name});
}

int SecretImportCommand(Context& context) {
  const auto names = Import(context, std::string(context.operand(0)));
  if (!names) return Complain(context, names.error());
  if (context.json()) return AnswerNames(context, "set", *names);
  return Print(context, fmt::format("{} secrets set\n", names->size()));
}

}  // namespace writ::cli
