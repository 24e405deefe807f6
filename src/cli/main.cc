#include "cli/main.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/man.h"
#include "cli/mock_agent.h"
#include "cli/server_exec.h"
#include "cli/terminal.h"
#include "sys/file.h"

namespace writ::cli {
namespace {

/// When a command gives up the privilege it may have been started with.
enum class Confine : bool {
  kItself,  ///< the command does it at the right moment, or needs its rights to the end
  kFirst    ///< before it begins: it only reads and writes the state directory
};

struct Entry {
  std::string_view name;
  int (*run)(Context&);
  Confine confine = Confine::kFirst;
};

int VersionCommand(Context& context) {
  const Program& program = ProgramText();
  if (context.json()) return PrintJson(context, canon::Json::Of({{"name", program.name}, {"version", program.version}}));
  return Print(context, fmt::format("{} {}\n", program.name, program.version));
}

int HelpCommand(Context& context) {
  const std::size_t columns = TextColumns(STDOUT_FILENO);
  if (context.invocation.operands.empty()) return Print(context, RenderProgramHelp(columns));
  const std::string name = fmt::format("{}", fmt::join(context.invocation.operands, " "));
  if (const Command* command = FindCommand(name)) return Print(context, RenderHelp(*command, columns));
  std::string family;  // `writ help policy`
  for (const auto& command : Commands()) {
    if (command.name.starts_with(name + " ")) family += (family.empty() ? "" : "\n") + RenderHelp(command, columns);
  }
  if (!family.empty()) return Print(context, family);
  return Complain(context, Error{Code::kNotFound, fmt::format("there is no command `{}`; see `writ help`", name)}, 2);
}

constexpr std::array<Entry, 48> kEntries{{
    {"run", RunCommand, Confine::kItself},
    {"learn", LearnCommand, Confine::kItself},
    {"explain", ExplainCommand},
    {"net", NetCommand},
    // Those of a plane open it with the caller's rights, and confine themselves before they hear of it.
    {"submit", SubmitCommand, Confine::kItself},
    {"continue", ContinueCommand, Confine::kItself},
    {"fanout", FanoutCommand, Confine::kItself},
    {"wait", WaitCommand, Confine::kItself},
    {"pull", PullCommand, Confine::kItself},  // writes where the caller may write, with git
    {"cancel", CancelCommand, Confine::kItself},
    {"pending", PendingCommand, Confine::kItself},
    {"approve", ApproveCommand, Confine::kItself},
    {"deny", DenyCommand, Confine::kItself},
    {"plane login", PlaneLoginCommand, Confine::kItself},
    {"plane status", PlaneStatusCommand, Confine::kItself},
    {"plane forget", PlaneForgetCommand},
    {"principals list", PrincipalsListCommand, Confine::kItself},
    {"principals add", PrincipalsAddCommand, Confine::kItself},
    {"principals rotate", PrincipalsRotateCommand, Confine::kItself},
    {"principals revoke", PrincipalsRevokeCommand, Confine::kItself},
    {"enroll-token", EnrollTokenCommand, Confine::kItself},
    {"runners", RunnersCommand, Confine::kItself},
    {"export", ExportCommand, Confine::kItself},
    {"ps", PsCommand},
    {"list", ListCommand, Confine::kItself},
    {"show", ShowCommand, Confine::kItself},
    {"get", GetCommand, Confine::kItself},      // writes where the caller may write
    {"decisions", DecisionsCommand},
    {"logs", LogsCommand, Confine::kItself},
    {"diff", DiffCommand},
    {"apply", ApplyCommand, Confine::kItself},  // writes where the caller may write
    {"bundle", BundleCommand, Confine::kItself},
    {"verify", VerifyCommand, Confine::kItself},
    {"kill", KillCommand},
    {"secret set", SecretSetCommand, Confine::kItself},  // may ask Vault
    {"secret list", SecretListCommand},
    {"secret remove", SecretRemoveCommand},
    {"secret import", SecretImportCommand, Confine::kItself},  // reads what the caller may read
    {"policy check", PolicyCheckCommand},
    {"policy show", PolicyShowCommand},
    {"keys", KeysCommand},
    {"gc", GcCommand},
    {"doctor", DoctorCommand, Confine::kItself},  // its probes start processes
    {"canon", CanonCommand, Confine::kItself},
    {"hash", HashCommand, Confine::kItself},
    {"version", VersionCommand, Confine::kItself},
    {"help", HelpCommand, Confine::kItself},
}};

/// `--generate man DIR` writes every page; without DIR the program's page is printed.
int Generate(Context& context, std::string_view what) {
  if (what == "bash") return Print(context, RenderBashCompletion());
  if (what == "zsh") return Print(context, RenderZshCompletion());
  if (what == "fish") return Print(context, RenderFishCompletion());
  if (context.invocation.operands.empty()) return Print(context, RenderProgramManPage());
  const std::string directory(context.operand(0));
  const auto write = [&](const std::string& name, const std::string& page) {
    return sys::WriteFileAtomic(directory + "/" + name, page, 0644, sys::Durability::kQuick);
  };
  if (const auto wrote = write("writ.1", RenderProgramManPage()); !wrote) return Complain(context, wrote.error());
  for (const auto& command : Commands()) {
    if (const auto wrote = write(ManPageName(command), RenderManPage(command)); !wrote) return Complain(context, wrote.error());
  }
  return 0;
}

int ProgramOptions(Context& context) {
  if (context.invocation.Has("version")) return VersionCommand(context);
  if (const auto what = context.invocation.Value("generate")) return Generate(context, *what);
  if (context.invocation.Has("help")) return Print(context, RenderProgramHelp(TextColumns(STDOUT_FILENO)));
  // Nothing asked: the list of commands, where errors go, and the status of a wrong command line.
  static_cast<void>(sys::WriteAll(STDERR_FILENO, RenderProgramHelp(TextColumns(STDERR_FILENO))));
  return 2;
}

bool HoldsSecrets(const Context& context) {
  return !context.credentials->master.empty() || !context.credentials->vault_token.empty() ||
         context.invocation.command->name.starts_with("secret ") || context.invocation.Has("secret") || !context.credentials->plane_token.empty() ||
         context.invocation.Has("token-file");
}

/// A caller may have closed 0, 1 or 2; files opened later must not take their place.
bool OpenStandardDescriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    if (::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd) return false;
  }
  return true;
}

}  // namespace

int Main(int argc, char** argv, const Wiring& wiring) {
  if (!OpenStandardDescriptors()) return 125;
  const std::vector<std::string_view> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  if (!arguments.empty() && arguments.front() == "mock-agent") return MockAgent(std::span(arguments).subspan(1), ProcessEnv());
  const auto invocation = ParseCommandLine(arguments);
  if (!invocation) return ComplainAboutUsage(invocation.error());
  if (invocation->command && IsServerCommand(invocation->command->name) && !invocation->Has("help")) {
    const Error missing = BecomeServer(argv);  // with its environment untouched
    static_cast<void>(sys::WriteAll(STDERR_FILENO, fmt::format("writ: {}: {}\n", invocation->command->name, OneLine(missing.what))));
    return 1;
  }
  // Before anything starts: what a variable held is not to be found in this process's environment any more.
  Context context{*invocation, wiring, ProcessEnv(), std::make_shared<const secrets::Credentials>(secrets::TakeCredentials())};
  const Command* command = invocation->command;
  if (!command) return ProgramOptions(context);
  if (invocation->Has("help")) return Print(context, RenderHelp(*command, TextColumns(STDOUT_FILENO)));
  if (HoldsSecrets(context)) {
    if (const auto kept = secrets::KeepMemoryPrivate(); !kept) return Complain(context, kept.error(), command->usage_status == 125 ? 125 : 1);
  }
  for (const Entry& entry : kEntries) {
    if (entry.name != command->name) continue;
    if (entry.confine == Confine::kFirst) {
      if (const auto confined = wiring.confine(Network::kNone); !confined) return Complain(context, confined.error());
    }
    return entry.run(context);
  }
  return Complain(context, Error{Code::kInternal, "the command is described but not built in"}, 125);
}

}  // namespace writ::cli
