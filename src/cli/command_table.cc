// The one description of every command but run, which has its own page, and of the program as a whole.
#include "cli/grammar.h"
#include "cli/network_grammar.h"
#include "cli/plane_grammar.h"
#include "cli/run_grammar.h"
#include "cli/secret_grammar.h"
#include "cli/server_grammar.h"

namespace writ::cli {
namespace {

constexpr Option kCommonOptions[] = {kJson, kHelp};
constexpr OptionGroup kCommon[] = {{"Options", kCommonOptions}};
constexpr Operand kRunOperand[] = {{"RUN", Kind::kRun}};
constexpr ExitStatus kPlainStatuses[] = {
    {"0", "done"},
    {"1", "it failed; the reason is on stderr"},
    {"2", "the command line is wrong"},
};

// ---- looking at runs -----------------------------------------------------------------------------------------------

constexpr Option kListOptions[] = {
    {.name = "limit", .letter = 'n', .kind = Kind::kCount, .value = "N", .help = "show at most N, newest first",
     .fallback = "50"},
    kJson, kHelp,
};
constexpr OptionGroup kPsGroups[] = {{"Options", kListOptions}};
constexpr OptionGroup kListGroups[] = {{"Options", kListOptions}, kPlaneGroup};
constexpr OptionGroup kShowGroups[] = {{"Options", kCommonOptions}, kPlaneGroup};
constexpr Example kListExamples[] = {{"writ list -n 5", "the last five runs"},
                                     {"writ list --json | jq -r '.runs[0].runId'", "id of the newest run"}};

constexpr Option kGetOptions[] = {
    {.name = "out-dir", .letter = 'o', .kind = Kind::kDirectory, .value = "DIR", .help = "where to write",
     .fallback = "the current directory"},
    {.name = "flagged", .help = "with --plane: also write files that your own tools might execute, such as git hooks; else nothing is"},
    kJson, kHelp,
};
constexpr OptionGroup kGetGroups[] = {{"Options", kGetOptions}, kPlaneGroup};
constexpr Operand kGetOperands[] = {{"RUN", Kind::kRun}, {"NAME", Kind::kText, true, false}};
constexpr Example kGetExamples[] = {{"writ get 3f2a report.txt -o results", "one output of a run, into results/"}};

constexpr Option kLogsOptions[] = {
    {.name = "stdout", .help = "only what the job wrote to stdout"},
    {.name = "stderr", .help = "only what the job wrote to stderr"},
    {.name = "follow", .letter = 'f', .help = "go on until the run ends; with --json, wait for its end"},
    kJson, kHelp,
};
constexpr OptionGroup kLogsGroups[] = {{"Options", kLogsOptions}, kPlaneGroup};

constexpr Option kApplyOptions[] = {
    {.name = "dir", .kind = Kind::kDirectory, .value = "DIR", .help = "where to apply the changes",
     .fallback = "the workspace the run was given"},
    {.name = "dry-run", .help = "list what would be written; change nothing"},
    {.name = "force", .help = "overwrite files that changed since the run began"},
    {.name = "flagged", .help = "also write files that your own tools might execute, such as git hooks; else held back"},
    kJson, kHelp,
};
constexpr OptionGroup kApplyGroups[] = {{"Options", kApplyOptions}};
constexpr ExitStatus kApplyStatuses[] = {
    {"0", "applied, or nothing to apply"},
    {"1", "there are conflicts and nothing was changed, or it failed; stderr says which"},
    {"2", "the command line is wrong"},
};

// ---- evidence ------------------------------------------------------------------------------------------------------

constexpr Option kBundleOptions[] = {
    {.name = "output", .letter = 'o', .kind = Kind::kFile, .value = "FILE", .help = "write to FILE, which must not exist",
     .fallback = "stdout"},
    kJson, kHelp,
};
constexpr OptionGroup kBundleGroups[] = {{"Options", kBundleOptions}, kPlaneGroup};
constexpr Example kBundleExamples[] = {{"writ bundle 3f2a -o run.json && writ-verify run.json",
                                        "hand a run's evidence to somebody else, who checks it offline"}};

constexpr Option kVerifyOptions[] = {
    {.name = "pin", .kind = Kind::kText, .value = "KEY", .help = "accept this plane key only: a key id or a PEM file",
     .repeatable = true},
    {.name = "pin-runner", .kind = Kind::kText, .value = "KEY",
     .help = "accept this runner key only: a key id or a PEM file", .repeatable = true},
    kJson, kHelp,
};
constexpr OptionGroup kVerifyGroups[] = {{"Options", kVerifyOptions}, kPlaneGroup};
constexpr Operand kVerifyOperands[] = {{"RUN|FILE|-", Kind::kRunOrFile}};
constexpr Example kVerifyExamples[] = {
    {"writ verify 3f2a", "check a run of this store against the store's own key"},
    {"writ verify bundle.json --pin plane.pem", "check a bundle from elsewhere against a key you trust"},
};
constexpr ExitStatus kVerifyStatuses[] = {
    {"0", "valid"},
    {"1", "not valid; every problem is listed"},
    {"2", "it cannot be read, or the command line is wrong"},
};

constexpr Option kKillOptions[] = {
    {.name = "timeout", .kind = Kind::kDuration, .value = "TIME", .help = "how long to wait for its end",
     .fallback = "10s"},
    kJson, kHelp,
};
constexpr OptionGroup kKillGroups[] = {{"Options", kKillOptions}};

constexpr Operand kPolicyCheckOperands[] = {{"FILE", Kind::kFile, true}};
constexpr Option kPolicyShowOptions[] = {
    {.name = "policy", .kind = Kind::kFile, .value = "FILE", .help = "show this policy",
     .fallback = "the one that `writ run` would use"},
    kJson, kHelp,
};
constexpr OptionGroup kPolicyShowGroups[] = {{"Options", kPolicyShowOptions}};

constexpr Option kKeysOptions[] = {
    {.name = "pem", .help = "print the plane's public key as PEM, for --pin"},
    kJson, kHelp,
};
constexpr OptionGroup kKeysGroups[] = {{"Options", kKeysOptions}};

constexpr Option kGcOptions[] = {
    {.name = "older-than", .kind = Kind::kDuration, .value = "TIME", .help = "remove runs that ended longer ago",
     .fallback = "720h"},
    {.name = "keep", .kind = Kind::kCount, .value = "N", .help = "keep the newest N, however old", .fallback = "20"},
    {.name = "dry-run", .help = "list what would be removed; remove nothing"},
    kJson, kHelp,
};
constexpr OptionGroup kGcGroups[] = {{"Options", kGcOptions}};

constexpr Option kDoctorOptions[] = {
    {.name = "refresh", .help = "probe again instead of using the report of this boot"},
    kJson, kHelp,
};
constexpr OptionGroup kDoctorGroups[] = {{"Options", kDoctorOptions}};
constexpr ExitStatus kDoctorStatuses[] = {
    {"0", "a run without --accept works here"},
    {"1", "something that a run needs is missing; the fixes are printed"},
    {"2", "the command line is wrong"},
};

constexpr Operand kFileOperand[] = {{"FILE|-", Kind::kFile}};
constexpr Operand kHelpOperands[] = {{"COMMAND", Kind::kCommand, true, true}};

constexpr Command kCommands[] = {
    kRunCommand,
    kLearnCommand,
    kExplainCommand,
    kNetCommand,
    kSubmitCommand,
    kContinueCommand,
    kFanoutCommand,
    kWaitCommand,
    kPullCommand,
    kCancelCommand,
    kPendingCommand,
    kApproveCommand,
    kDenyCommand,
    {.name = "ps",
     .summary = "List the runs that are going on",
     .description = "Lists the runs of this state directory whose process is alive, newest first.",
     .groups = kPsGroups,
     .statuses = kPlainStatuses,
     .see_also = "list kill"},
    {.name = "list",
     .summary = "List runs, newest first",
     .description = "Lists the runs of this state directory: id, start, status, exit status and command.",
     .groups = kListGroups,
     .examples = kListExamples,
     .statuses = kPlainStatuses,
     .see_also = "ps show"},
    {.name = "show",
     .summary = "Show what a run was allowed, what it did and what it left",
     .description = "Shows a run's contract and receipt on one screen: who asked, what was asked, what the run could "
                    "see, what happened, what changed, and which mechanism enforced each limit.",
     .groups = kShowGroups,
     .operands = kRunOperand,
     .statuses = kPlainStatuses,
     .see_also = "list logs verify"},
    {.name = "get",
     .summary = "Fetch a run's released outputs",
     .description = "Writes the outputs that the run declared and left, all or the one named, after checking their "
                    "digests.",
     .groups = kGetGroups,
     .operands = kGetOperands,
     .examples = kGetExamples,
     .statuses = kPlainStatuses,
     .see_also = "run show"},
    {.name = "decisions",
     .summary = "List what was allowed, asked and denied",
     .description = "Lists the newest entries of the decision log, after checking its hash chain.",
     .groups = kPsGroups,
     .statuses = kPlainStatuses,
     .see_also = "policy-check"},
    {.name = "logs",
     .summary = "Print what a run wrote",
     .description = "Prints stdout and stderr of a run as they arrived, or one of them byte for byte; of a running "
                    "one what there is so far, a moment late. On a terminal, control sequences other than colours are made visible.",
     .groups = kLogsGroups,
     .operands = kRunOperand,
     .statuses = kPlainStatuses,
     .see_also = "show"},
    {.name = "diff",
     .summary = "Show what a run changed in its workspace",
     .description = "Prints the changes as a patch in git format. On a terminal, control characters are made visible.",
     .groups = kCommon,
     .operands = kRunOperand,
     .statuses = kPlainStatuses,
     .see_also = "apply"},
    {.name = "apply",
     .summary = "Write a run's changes to its workspace",
     .description = "Writes the changes of a run to the directory it was given. Only files that still have the content "
                    "the run saw are written; if any other is concerned, nothing is changed and the conflicts are listed.",
     .groups = kApplyGroups,
     .operands = kRunOperand,
     .statuses = kApplyStatuses,
     .see_also = "diff"},
    {.name = "bundle",
     .summary = "Print a run's evidence as one file",
     .description = "Prints contract, events, receipt and public keys of an ended run, of this store or with --plane of a plane. Anyone can check the file with "
                    "`writ-verify`, without this store.",
     .groups = kBundleGroups,
     .operands = kRunOperand,
     .examples = kBundleExamples,
     .statuses = kPlainStatuses,
     .see_also = "verify"},
    {.name = "verify",
     .summary = "Check a run's evidence",
     .description = "Checks signatures, the event chain and every statement of the receipt against it. For a run of this "
                    "store the store's own key is pinned and the kept files are checked too; for a file, give --pin. The "
                    "separate program writ-verify checks files the same way and has nothing else in it.",
     .groups = kVerifyGroups,
     .operands = kVerifyOperands,
     .examples = kVerifyExamples,
     .statuses = kVerifyStatuses,
     .see_also = "bundle keys"},
    {.name = "kill",
     .summary = "End a run that is going on",
     .description = "Asks the process that owns the run to cancel it and waits until every process of the run is dead. "
                    "The run ends with a receipt that says so.",
     .groups = kKillGroups,
     .operands = kRunOperand,
     .statuses = kPlainStatuses,
     .see_also = "ps"},
    kSecretSetCommand,
    kSecretListCommand,
    kSecretRemoveCommand,
    kSecretImportCommand,
    {.name = "policy check",
     .summary = "Check a policy file",
     .description = "Reads a policy and reports the first thing that is wrong with it, by line. Unknown keys are wrong. "
                    "Without FILE it checks the policy that `writ run` would use.",
     .groups = kCommon,
     .operands = kPolicyCheckOperands,
     .statuses = kPlainStatuses,
     .see_also = "policy-show run"},
    {.name = "policy show",
     .summary = "Show a policy as it is hashed",
     .description = "Prints the policy as the JSON object whose hash stands in contracts and decisions.",
     .groups = kPolicyShowGroups,
     .statuses = kPlainStatuses,
     .see_also = "policy-check run"},
    {.name = "keys",
     .summary = "Show the keys of this store",
     .description = "Shows id and file of the keys that sign contracts and receipts here, making them first if there are "
                    "none.",
     .groups = kKeysGroups,
     .statuses = kPlainStatuses,
     .see_also = "verify"},
    {.name = "gc",
     .summary = "Remove old runs and what only they used",
     .description = "Removes ended runs and the kept files that no other run refers to. The decision log stays.",
     .groups = kGcGroups,
     .statuses = kPlainStatuses,
     .see_also = "list"},
    {.name = "doctor",
     .summary = "Say what this machine can isolate and enforce, and how to fix what is missing",
     .description = "Probes namespaces, system call filters, control groups, file systems and virtualisation by using "
                    "them, and prints what works, what does not and what would change that.",
     .groups = kDoctorGroups,
     .statuses = kDoctorStatuses,
     .see_also = "run"},
    kPlaneLoginCommand,
    kPlaneStatusCommand,
    kPlaneForgetCommand,
    kPrincipalsListCommand,
    kPrincipalsAddCommand,
    kPrincipalsRotateCommand,
    kPrincipalsRevokeCommand,
    kEnrollTokenCommand,
    kRunnersCommand,
    kExportCommand,
    kServeCommand,
    kRunnerCommand,
    {.name = "canon",
     .summary = "Print the canonical bytes of a JSON file",
     .description = "Prints the bytes that are hashed and signed for a JSON value, without a newline at the end.",
     .groups = kCommon,
     .operands = kFileOperand,
     .statuses = kPlainStatuses,
     .see_also = "hash"},
    {.name = "hash",
     .summary = "Print the canonical hash of a JSON file",
     .description = "Prints the SHA-256 of the canonical bytes of a JSON value in lower-case hex.",
     .groups = kCommon,
     .operands = kFileOperand,
     .statuses = kPlainStatuses,
     .see_also = "canon"},
    {.name = "version",
     .summary = "Print the version",
     .description = "Prints the version of writ.",
     .groups = kCommon,
     .statuses = kPlainStatuses},
    {.name = "help",
     .summary = "Show help for a command",
     .description = "Shows the list of commands, or all about one of them.",
     .groups = kCommon,
     .operands = kHelpOperands,
     .statuses = kPlainStatuses},
};

constexpr Option kProgramOptions[] = {
    kHelp,
    {.name = "version", .letter = 'V', .help = "show the version"},
    {.name = "generate", .kind = Kind::kChoice, .value = "WHAT",
     .help = "print a manual page or the completions for a shell; `man` takes a directory for all pages",
     .choices = "man bash zsh fish"},
};
constexpr OptionGroup kProgramGroups[] = {{"Options", kProgramOptions}};
constexpr ExitStatus kEnvironment[] = {
    {"WRIT_STATE", "state directory; otherwise $XDG_STATE_HOME/writ, for root /var/lib/writ"},
    {"WRIT_MASTER_KEY", "what the secret store is sealed under; otherwise master.key in the state directory"},
    {"WRIT_PLANE", "the plane that commands use when none is named: a URL, or a name of `writ plane login`"},
    {"WRIT_PLANE_TOKEN", "the token for it; otherwise the one that `writ plane login` kept"},
    {"HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "the proxy through which a plane is reached"},
    {"WARRANT_HOME, FUSIONKIT_HOME", "where the original's config.json says which plane is meant, when nothing else does"},
    {"WRIT_UPSTREAM_PROXY", "http://[USER:PASSWORD@]HOST:PORT, the HTTP proxy through which this network is left; names are looked up there"},
    {"VAULT_ADDR, VAULT_TOKEN, VAULT_CACERT, VAULT_NAMESPACE", "where and how secrets are read from Vault; without a token ~/.vault-token"},
    {"XDG_CONFIG_HOME", "where writ/policy.yaml is looked for; for root it is /etc/writ"},
    {"NO_COLOR", "if set, writ itself prints no colours"},
};
constexpr ExitStatus kFiles[] = {
    {"$WRIT_STATE/keys/", "plane.key.pem and runner.key.pem, mode 0600"},
    {"$WRIT_STATE/secrets.sealed", "the secret store; master.key opens it"},
    {"$WRIT_STATE/writ.db", "runs, events and decisions"},
    {"$WRIT_STATE/blobs/", "kept output, diffs and results, by content hash"},
    {"$WRIT_STATE/known_planes", "the keys of planes, as they were first seen"},
    {"writ/planes.json", "in the XDG configuration directory, also of root: the planes that are remembered; tokens/ beside it"},
    {"/etc/writ/policy.yaml", "policy of root's runs; others: writ/policy.yaml in the XDG configuration directory"},
};
constexpr Program kProgram{
    .name = "writ",
    .version = WRIT_VERSION,
    .summary = "Run untrusted code under a signed contract and get a signed receipt",
    .description = "Writ runs code that nobody should have to trust, in a jail of its own, under a contract that is "
                   "signed before it starts, and returns a receipt that anyone can check offline.",
    .groups = kProgramGroups,
    .environment = kEnvironment,
    .files = kFiles,
};

}  // namespace

std::span<const Command> Commands() { return kCommands; }

const Command* FindCommand(std::string_view name) {
  for (const Command& command : kCommands) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

const Program& ProgramText() { return kProgram; }

}  // namespace writ::cli
