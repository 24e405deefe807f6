#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "cli/commands.h"
#include "cli/plane_link.h"
#include "cli/run_report.h"
#include "contract/bundle.h"
#include "contract/hash.h"
#include "contract/render.h"
#include "crypto/key_file.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kFileBytesMax = 64u << 20;  // the bound of the JSON reader
constexpr int kUnreadable = 2;

/// A file, or stdin for "-".
Result<std::string> ReadFileOrStdin(std::string_view name) {
  if (name == "-") return sys::ReadAll(STDIN_FILENO, kFileBytesMax);
  return sys::ReadFile(std::string(name), kFileBytesMax);
}

/// The file is read with the caller's rights and parsed without any.
Result<Json> ReadJson(const Context& context, std::string_view name) {
  const std::string text = WRIT_TRY("read", ReadFileOrStdin(name));
  WRIT_TRY("confine", context.wiring.confine(Network::kNone));
  return WRIT_TRY(name, canon::Parse(text, canon::Mode::kWire));
}

bool IsFile(std::string_view name) {
  struct stat status{};
  return ::stat(std::string(name).c_str(), &status) == 0;
}

bool IsRun(std::string_view name) { return OpenPlane()->Resolve(name).has_value(); }

int PrintVerdict(Context& context, const Json& bundle, const contract::Verification& verified) {
  const int printed = context.json() ? PrintJson(context, contract::ToJson(verified)) : Print(context, contract::RenderStory(bundle, verified));
  return verified.ok() ? printed : 1;
}

int VerifyFile(Context& context, std::string_view name) {
  contract::Pins pins;
  auto plane = ReadPins(context.invocation.Values("pin"));
  if (!plane) return Complain(context, plane.error(), kUnreadable);
  auto runner = ReadPins(context.invocation.Values("pin-runner"));
  if (!runner) return Complain(context, runner.error(), kUnreadable);
  pins.plane = *std::move(plane);
  pins.runner = *std::move(runner);
  const auto bundle = ReadJson(context, name);
  if (!bundle) return Complain(context, bundle.error(), kUnreadable);
  return PrintVerdict(context, *bundle, contract::VerifyBundle(*bundle, pins));
}

}  // namespace

int VerifyCommand(Context& context) {
  if (NamesPlane(context)) return PlaneVerifyCommand(context);
  const std::string_view name = context.operand(0);
  const bool pins = context.invocation.Has("pin") || context.invocation.Has("pin-runner");
  // A run id has neither dots nor slashes; a file that does can always be named by its path.
  if (name == "-" || name.find_first_of("./") != std::string_view::npos) return VerifyFile(context, name);
  if (IsFile(name) && !IsRun(name)) return VerifyFile(context, name);
  if (const auto confined = context.wiring.confine(Network::kNone); !confined) return Complain(context, confined.error(), kUnreadable);
  const auto report = OpenPlane()->Verify(name);
  if (!report) {
    const bool unreadable = report.error().code != Code::kCorrupt;
    return Complain(context, report.error(), unreadable ? kUnreadable : 1);
  }
  if (pins) {
    return Complain(context, Error{Code::kInvalid, "--pin is for files: a run of this store is checked against the store's own key"}, kUnreadable);
  }
  contract::Verification verified{.problems = report->problems, .warnings = report->warnings, .pinned = report->pinned};
  if (!report->ok && verified.ok()) verified.problems.push_back("the store says that it is not valid");
  return PrintVerdict(context, report->bundle, verified);
}

int BundleCommand(Context& context) {
  if (NamesPlane(context)) return PlaneBundleCommand(context);
  const auto plane = OpenPlane();
  const auto bundle = plane->Bundle(context.operand(0));
  if (!bundle) return Complain(context, bundle.error());
  const std::string text = canon::Compact(*bundle) + "\n";
  const auto file = context.invocation.Value("output");
  if (!file) return Print(context, text);
  const std::string path(*file);
  const auto fd = sys::OpenFile(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
  if (!fd) return Complain(context, fd.error());
  auto wrote = sys::WriteAll(fd->get(), text);
  if (wrote) wrote = sys::SyncFd(fd->get());
  if (!wrote) {
    ::unlink(path.c_str());  // half a bundle is worse than none
    return Complain(context, Error(wrote.error()).Doing(path));
  }
  if (!context.json()) return 0;
  const auto hash = contract::HashCanonical(*bundle);
  if (!hash) return Complain(context, hash.error());
  return PrintJson(context, Json::Of({{"path", path}, {"bytes", text.size()}, {"hash", *hash}}));
}

int KeysCommand(Context& context) {
  const auto keys = OpenPlane()->Keys();
  if (!keys) return Complain(context, keys.error());
  if (context.json()) {
    Json list = Json::MakeArray();
    for (const auto& key : *keys) {
      list.Append(Json::Of({{"role", key.role}, {"keyId", key.key_id}, {"publicKeyPem", key.public_key_pem}, {"file", key.file}}));
    }
    return PrintJson(context, Json::Of({{"keys", std::move(list)}}));
  }
  const bool pem = context.invocation.Has("pem");
  std::string text;
  for (const auto& key : *keys) {
    if (!pem) {
      text += fmt::format("{:<7} {}  {}\n", key.role, key.key_id, EscapeVisible(key.file));
    } else if (key.role == "plane") {
      text += key.public_key_pem;
    }
  }
  return Print(context, text);
}

int CanonCommand(Context& context) {
  const auto value = ReadJson(context, context.operand(0));
  if (!value) return Complain(context, value.error());
  const auto bytes = canon::Canonical(*value);
  if (!bytes) return Complain(context, bytes.error());
  if (context.json()) return PrintJson(context, Json::Of({{"canonical", *bytes}}));
  return Print(context, *bytes);
}

int HashCommand(Context& context) {
  const auto value = ReadJson(context, context.operand(0));
  if (!value) return Complain(context, value.error());
  const auto hash = contract::HashCanonical(*value);
  if (!hash) return Complain(context, hash.error());
  if (context.json()) return PrintJson(context, Json::Of({{"hash", *hash}}));
  return Print(context, *hash + "\n");
}

}  // namespace writ::cli
