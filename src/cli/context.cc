#include "cli/context.h"

#include <unistd.h>

#include <algorithm>

#include "base/escape.h"
#include "base/units.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

void ToStderr(std::string_view line) {
  // Nobody is left to tell when stderr itself fails.
  static_cast<void>(sys::WriteAll(STDERR_FILENO, line));
}

std::string NameOf(const Command* command) {
  return command ? fmt::format("writ: {}", command->name) : std::string("writ");
}

canon::Json ErrorJson(Code code, std::string_view message) {
  return canon::Json::Of({{"error", canon::Json::Of({{"code", CodeName(code)}, {"message", message}})}});
}

}  // namespace

std::unique_ptr<api::LocalPlane> OpenPlane() { return api::LocalPlane::Create({}); }

std::string OneLine(std::string_view message) {
  std::string line;
  while (!message.empty()) {
    const auto end = std::min(message.find('\n'), message.size());
    if (end > 0) line += fmt::format("{}{}", line.empty() ? "" : "; ", EscapeVisible(message.substr(0, end)));
    message.remove_prefix(std::min(end + 1, message.size()));
  }
  return line;
}

int Print(const Context& context, std::string_view text) {
  if (const auto wrote = sys::WriteAll(STDOUT_FILENO, text); !wrote) {
    ToStderr(fmt::format("{}: write to stdout: {}\n", NameOf(context.invocation.command), OneLine(wrote.error().what)));
    return 1;
  }
  return 0;
}

int PrintJson(const Context& context, const canon::Json& json) { return Print(context, canon::Compact(json) + "\n"); }

int Complain(const Context& context, const Error& error, int status) {
  const std::string line = OneLine(error.what);
  ToStderr(fmt::format("{}: {}\n", NameOf(context.invocation.command), line));
  if (context.json()) PrintJson(context, ErrorJson(error.code, line));
  return status;
}

void Warn(const Context& context, std::string_view text) {
  ToStderr(fmt::format("{}: {}\n", NameOf(context.invocation.command), OneLine(text)));
}

int ComplainAboutUsage(const UsageError& error) {
  ToStderr(fmt::format("{}: {}\n", NameOf(error.command), error.what));
  if (error.json) {
    // A reader of stdout that went away has the exit status left.
    static_cast<void>(sys::WriteAll(STDOUT_FILENO, canon::Compact(ErrorJson(Code::kInvalid, error.what)) + "\n"));
  }
  return error.command ? error.command->usage_status : 2;
}

Result<std::uint64_t> CountOption(const Context& context, std::string_view option, std::uint64_t fallback, std::uint64_t max) {
  const auto text = context.invocation.Value(option);
  if (!text) return fallback;
  return WRIT_TRY(fmt::format("--{}", option), ParseCount(*text, max));
}

Result<Millis> DurationOption(const Context& context, std::string_view option, Millis fallback) {
  const auto text = context.invocation.Value(option);
  if (!text) return fallback;
  return WRIT_TRY(fmt::format("--{}", option), ParseDuration(*text));
}

}  // namespace writ::cli
