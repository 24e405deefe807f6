#pragma once

#include "cli/run_grammar.h"

// The description of the commands that talk to a plane, and of the options that all of them share (they begin in
// run_grammar.h, because `writ run` has them too).

namespace writ::cli {

inline constexpr OptionGroup kPlaneGroup{"Plane", kPlaneOptions};
inline constexpr Operand kPlaneRun[] = {{"RUN", Kind::kText}};
inline constexpr ExitStatus kPlaneStatuses[] = {
    {"0", "done"},
    {"1", "it failed; the reason is on stderr"},
    {"2", "the command line is wrong"},
};
inline constexpr ExitStatus kAskStatuses[] = {
    {"0", "requested; with --wait, the exit status of the job as `writ run` gives it"},
    {"122", "denied by policy, the plane's or your own continuation policy"},
    {"123", "needs approval and --wait was given where nobody can be waited for"},
    {"124", "time limit reached"},
    {"125", "it could not be requested, or its evidence does not hold; the reason is on stderr"},
    {"130", "interrupted; the run was cancelled"},
};

inline constexpr Option kAskTask[] = {
    {.name = "agent", .kind = Kind::kText, .value = "KIND",
     .help = "who does the task: command (a shell script), claude-code, codex, mock or another kind that the plane's policy allows",
     .fallback = "command"},
    {.name = "agent-version", .kind = Kind::kText, .value = "TEXT", .help = "version of the agent that stands in the contract"},
    {.name = "pool", .kind = Kind::kText, .value = "POOL", .help = "runners that may take it", .fallback = "default"},
    {.name = "cwd", .kind = Kind::kText, .value = "PATH", .help = "working directory, relative to the workspace"},
    {.name = "env", .letter = 'e', .kind = Kind::kText, .value = "NAME=VALUE",
     .help = "set a variable; its value stands in the signed contract in clear", .repeatable = true},
    {.name = "secret", .kind = Kind::kText, .value = "NAME[=VARIABLE]",
     .help = "ask the plane to release its secret NAME to the run, as the variable NAME, and as VARIABLE too", .repeatable = true},
};
inline constexpr Option kAskWorkspace[] = {
    {.name = "repo", .kind = Kind::kDirectory, .value = "DIR", .help = "git repository to send: its HEAD with history and the changes on top",
     .fallback = "."},
    {.name = "no-workspace", .help = "send nothing; the run begins in an empty directory"},
    {.name = "allow-untracked", .kind = Kind::kText, .value = "GLOB",
     .help = "send untracked files that match, too; files that look like keys or environment files never go", .repeatable = true},
    {.name = "deny", .kind = Kind::kText, .value = "GLOB", .help = "never send untracked files that match", .repeatable = true},
    {.name = "deny-tracked", .help = "refuse to send a repository whose tracked files match what is denied"},
};
inline constexpr Option kAskRights[] = {
    {.name = "allow-host", .kind = Kind::kText, .value = "HOST", .help = "let the run reach HOST, every port", .repeatable = true},
    {.name = "net", .kind = Kind::kText, .value = "RULE", .help = "the same with ports, suffixes, methods and paths (docs/formats/egress.md)",
     .repeatable = true},
    {.name = "isolation", .kind = Kind::kText, .value = "NAME", .help = "isolation as the original protocol names it: process, hermetic, vercel-sandbox"},
    {.name = "tier", .kind = Kind::kText, .value = "TIER", .help = "kind of isolation; runners that do not have it do not get the run"},
    {.name = "label", .kind = Kind::kText, .value = "NAME=VALUE", .help = "only a runner that announces this label may take it", .repeatable = true},
    {.name = "on-lost", .kind = Kind::kChoice, .value = "WHAT", .help = "when its runner is lost: end it, or give it to another", .fallback = "fail",
     .choices = "fail requeue"},
    {.name = "accept", .kind = Kind::kText, .value = "LIMIT=MECHANISM", .help = "accept a weaker mechanism for a limit", .repeatable = true},
    {.name = "budget-usd", .kind = Kind::kText, .value = "AMOUNT", .help = "most that the run may spend"},
    {.name = "max-duration", .kind = Kind::kDuration, .value = "TIME", .help = "most that the run may last, as its budget says"},
    {.name = "disclosure", .kind = Kind::kChoice, .value = "MODE", .help = "how much of the context may be disclosed", .fallback = "minimal-context",
     .choices = "none metadata-only redacted minimal-context full"},
};
inline constexpr Option kAskOutput[] = {
    {.name = "dry-run", .help = "show what the plane would decide; nothing is uploaded or stored"},
    {.name = "wait", .help = "wait for the end, also for an approval; then verify the evidence"},
    {.name = "wait-timeout", .kind = Kind::kDuration, .value = "TIME", .help = "how long to wait at most"},
    kJson, kHelp,
};
inline constexpr OptionGroup kAskGroups[] = {
    {"Task", kAskTask}, {"Workspace", kAskWorkspace}, {"Rights", kAskRights}, {"Limits (those named are part of the contract)", kRunLimits},
    kPlaneGroup, {"Output", kAskOutput},
};
inline constexpr Operand kAskOperands[] = {{"TASK", Kind::kText}, {"ARG", Kind::kText, true, true}};
inline constexpr Example kSubmitExamples[] = {
    {"writ plane login https://plane.example:7172", "once; asks for the token"},
    {"writ submit --wait -- make test", "run a command on this repository somewhere else, wait, verify"},
    {"writ submit --agent claude-code --secret ANTHROPIC_API_KEY --allow-host api.anthropic.com 'fix the flaky test'", "give a task to an agent"},
    {"writ submit --dry-run --allow-host example.org 'curl https://example.org'", "ask what the policy would say"},
};
inline constexpr Command kSubmitCommand{
    .name = "submit",
    .summary = "Request a governed run from a plane",
    .description =
        "Captures the git repository, uploads what the plane does not have, and requests a run: TASK for an agent (for the kind "
        "`command` it is a shell script), or a command after `--`. The plane's policy decides; a runner of the pool takes it. "
        "See it with `writ wait`, take its changes over with `writ pull`.\n\n"
        "Untracked files stay here unless --allow-untracked names them. Tracked files travel with the history, whatever they "
        "are called. An option of the writ extension is only sent to a plane that promises to keep it.",
    .groups = kAskGroups,
    .operands = kAskOperands,
    .takes_job = true,
    .usage_status = 125,
    .examples = kSubmitExamples,
    .statuses = kAskStatuses,
    .see_also = "wait pull run plane-login",
};

inline constexpr Option kContinueNotes[] = {
    {.name = "transcript", .kind = Kind::kFile, .value = "FILE", .help = "conversation so far; it is uploaded"},
    {.name = "journal", .kind = Kind::kFile, .value = "FILE", .help = "tool journal (warrant.tooljournal.v1); it is uploaded"},
    {.name = "reason", .kind = Kind::kText, .value = "TEXT", .help = "why the work moves"},
    {.name = "message", .kind = Kind::kText, .value = "TEXT", .help = "what the checkpoint says of itself"},
    {.name = "from", .kind = Kind::kText, .value = "RUN", .help = "an earlier run of this plane that this one follows; agent, pool, hosts and secrets are taken from it where no option names them"},
    {.name = "continuation-policy", .kind = Kind::kFile, .value = "FILE", .help = "what may leave this machine",
     .fallback = "continuation.json of the configuration directory, if there is one"},
};
inline constexpr OptionGroup kContinueGroups[] = {
    {"Handing over", kContinueNotes}, {"Task", kAskTask}, {"Workspace", kAskWorkspace}, {"Rights", kAskRights},
    {"Limits (those named are part of the contract)", kRunLimits}, kPlaneGroup, {"Output", kAskOutput},
};
inline constexpr Example kContinueExamples[] = {
    {"writ continue --transcript chat.txt --reason 'needs a GPU' --pool gpu --agent claude-code 'go on with the training'", "hand a task over with its context"},
};
inline constexpr Command kContinueCommand{
    .name = "continue",
    .summary = "Hand work over to a plane, with a checkpoint of where it stands",
    .description =
        "Like `writ submit`, but the request names a checkpoint of the workspace and an envelope that says who hands what over "
        "and why; both are uploaded and their hashes stand in the signed contract. Your own continuation policy is judged "
        "first, before anything leaves this machine.",
    .groups = kContinueGroups,
    .operands = kAskOperands,
    .takes_job = true,
    .usage_status = 125,
    .examples = kContinueExamples,
    .statuses = kAskStatuses,
    .see_also = "submit fanout",
};

inline constexpr Option kFanoutOptions[] = {
    {.name = "attempts", .letter = 'n', .kind = Kind::kCount, .value = "N", .help = "how many runs", .fallback = "2"},
    {.name = "strategy", .kind = Kind::kChoice, .value = "WHICH", .help = "which attempt is best", .fallback = "tests-pass-smallest-diff",
     .choices = "smallest-diff first-completed tests-pass-smallest-diff"},
    {.name = "reason", .kind = Kind::kText, .value = "TEXT", .help = "why the work moves"},
    {.name = "continuation-policy", .kind = Kind::kFile, .value = "FILE", .help = "what may leave this machine",
     .fallback = "continuation.json of the configuration directory, if there is one"},
};
inline constexpr Option kFanoutOutput[] = {
    {.name = "dry-run", .help = "show what the plane would decide; nothing is uploaded or stored"},
    {.name = "wait-timeout", .kind = Kind::kDuration, .value = "TIME", .help = "how long to wait at most"},
    kJson, kHelp,
};
inline constexpr OptionGroup kFanoutGroups[] = {
    {"Attempts", kFanoutOptions}, {"Task", kAskTask}, {"Workspace", kAskWorkspace}, {"Rights", kAskRights},
    {"Limits (those named are part of the contract)", kRunLimits}, kPlaneGroup, {"Output", kFanoutOutput},
};
inline constexpr Example kFanoutExamples[] = {
    {"writ fanout -n 3 --agent claude-code 'fix the flaky test and run the tests'", "three attempts, the one whose tests pass with the least change is best"},
};
inline constexpr ExitStatus kFanoutStatuses[] = {
    {"0", "there is a best attempt, and its exit status is 0"},
    {"1", "all attempts ended, but there is none to take, or the best one failed"},
    {"122", "denied by policy, the plane's or your own continuation policy"},
    {"125", "it could not be requested; the reason is on stderr"},
    {"130", "interrupted; the runs were cancelled"},
};
inline constexpr Command kFanoutCommand{
    .name = "fanout",
    .summary = "Give one task to several runs and compare what they made of it",
    .description =
        "Takes one checkpoint of the workspace, requests N runs that start from it, waits, verifies each one's evidence and "
        "compares them by a strategy. Nothing is applied: `writ pull RUN` takes the one you choose.",
    .groups = kFanoutGroups,
    .operands = kAskOperands,
    .takes_job = true,
    .usage_status = 125,
    .examples = kFanoutExamples,
    .statuses = kFanoutStatuses,
    .see_also = "submit continue pull",
};

// ---- one run of a plane --------------------------------------------------------------------------------------------

inline constexpr Option kWaitOptions[] = {
    {.name = "timeout", .kind = Kind::kDuration, .value = "TIME", .help = "how long to wait at most"},
    {.name = "logs", .help = "pass the run's output on while waiting"},
    kJson, kHelp,
};
inline constexpr OptionGroup kWaitGroups[] = {{"Options", kWaitOptions}, kPlaneGroup};
inline constexpr ExitStatus kWaitStatuses[] = {
    {"N", "exit status of the job, as `writ run` gives it"},
    {"124", "--timeout passed, or the run reached its time limit"},
    {"125", "it could not be waited for, or the evidence does not hold"},
    {"130", "the run was cancelled"},
};
inline constexpr Command kWaitCommand{
    .name = "wait",
    .summary = "Wait for a plane's run and verify its evidence",
    .description = "Waits until the run has ended, downloads its bundle, verifies it, and returns the job's exit status. A plane "
                   "that is gone for less than a minute is waited for. Ctrl-C ends the waiting, not the run.",
    .groups = kWaitGroups,
    .operands = kPlaneRun,
    .usage_status = 125,
    .statuses = kWaitStatuses,
    .see_also = "submit cancel pull",
};

inline constexpr Option kPullOptions[] = {
    {.name = "repo", .kind = Kind::kDirectory, .value = "DIR", .help = "the repository to bring them to", .fallback = "."},
    {.name = "dry-run", .help = "list what would change; change nothing"},
    {.name = "flagged", .help = "also write files into the working tree that your own tools might execute, such as hooks; else they go to a branch"},
    kJson, kHelp,
};
inline constexpr OptionGroup kPullGroups[] = {{"Options", kPullOptions}, kPlaneGroup};
inline constexpr Command kPullCommand{
    .name = "pull",
    .summary = "Take over what a plane's run changed",
    .description = "Verifies the run's evidence, downloads its diff and applies it: in place when HEAD is the commit the run began from and "
                   "the working tree is clean, else as a commit on the branch warrant/ID. Nothing of yours is overwritten and no hook runs.",
    .groups = kPullGroups,
    .operands = kPlaneRun,
    .statuses = kPlaneStatuses,
    .see_also = "wait apply",
};

inline constexpr Option kCancelOptions[] = {
    {.name = "stop", .help = "also end it when a runner has it already"},
    kJson, kHelp,
};
inline constexpr OptionGroup kCancelGroups[] = {{"Options", kCancelOptions}, kPlaneGroup};
inline constexpr Command kCancelCommand{
    .name = "cancel",
    .summary = "Cancel a plane's run",
    .description = "Cancels a run that no runner has claimed yet. With --stop a claimed or running one is asked to end; it ends with "
                   "a receipt that says so.",
    .groups = kCancelGroups,
    .operands = kPlaneRun,
    .statuses = kPlaneStatuses,
    .see_also = "wait kill",
};

inline constexpr Option kApproveOptions[] = {
    {.name = "digest", .kind = Kind::kText, .value = "HASH", .help = "answer only if this is what would run; otherwise what is shown now counts"},
    {.name = "id-token-file", .kind = Kind::kFile, .value = "FILE", .help = "token of the identity provider that says who you are"},
    {.name = "yes", .letter = 'y', .help = "do not ask whether you mean it"},
    kJson, kHelp,
};
inline constexpr OptionGroup kApproveGroups[] = {{"Options", kApproveOptions}, kPlaneGroup};
inline constexpr Command kApproveCommand{
    .name = "approve",
    .summary = "Approve a run that waits for consent",
    .description = "Shows exactly what would run and the difference in authority to the last approved run of that kind, asks, and "
                   "approves that and nothing else: if it changed meanwhile, the answer does not count. With --plane a plane's "
                   "run, otherwise one of this machine.",
    .groups = kApproveGroups,
    .operands = kPlaneRun,
    .statuses = kPlaneStatuses,
    .see_also = "pending deny",
};
inline constexpr Option kDenyOptions[] = {
    {.name = "reason", .kind = Kind::kText, .value = "TEXT", .help = "why; the requester sees it"},
    {.name = "id-token-file", .kind = Kind::kFile, .value = "FILE", .help = "token of the identity provider that says who you are"},
    kJson, kHelp,
};
inline constexpr OptionGroup kDenyGroups[] = {{"Options", kDenyOptions}, kPlaneGroup};
inline constexpr Command kDenyCommand{
    .name = "deny",
    .summary = "Refuse a run that waits for consent",
    .description = "Ends a run that waits for approval. With --plane a plane's run, otherwise one of this machine.",
    .groups = kDenyGroups,
    .operands = kPlaneRun,
    .statuses = kPlaneStatuses,
    .see_also = "pending approve",
};
inline constexpr Option kPendingOptions[] = {
    {.name = "limit", .letter = 'n', .kind = Kind::kCount, .value = "N", .help = "show at most N", .fallback = "50"},
    {.name = "full", .help = "show all that would run, not one line each"},
    kJson, kHelp,
};
inline constexpr OptionGroup kPendingGroups[] = {{"Options", kPendingOptions}, kPlaneGroup};
inline constexpr Command kPendingCommand{
    .name = "pending",
    .summary = "List the runs that wait for consent",
    .description = "With --plane a plane's runs, otherwise those of this machine.",
    .groups = kPendingGroups,
    .statuses = kPlaneStatuses,
    .see_also = "approve deny",
};

// ---- the plane itself ----------------------------------------------------------------------------------------------

inline constexpr Option kExportOptions[] = {
    {.name = "since", .kind = Kind::kText, .value = "TIMESTAMP", .help = "only events from this time on, as 2026-01-31T00:00:00.000Z"},
    kJson, kHelp,
};
inline constexpr OptionGroup kExportGroups[] = {{"Options", kExportOptions}, kPlaneGroup};
inline constexpr Command kExportCommand{
    .name = "export",
    .summary = "Print every event of a plane, one JSON object a line",
    .description = "For audit systems: the chained events of all runs with their run ids, by run and sequence number. The lines are "
                   "as the plane sent them, except that characters a terminal would obey are escaped when stdout is one.",
    .groups = kExportGroups,
    .statuses = kPlaneStatuses,
    .see_also = "bundle",
};

inline constexpr Option kAdminOptions[] = {kJson, kHelp};
inline constexpr OptionGroup kAdminGroups[] = {{"Options", kAdminOptions}, kPlaneGroup};
inline constexpr Option kTokenOptions[] = {
    {.name = "out", .letter = 'o', .kind = Kind::kFile, .value = "FILE", .help = "write the token to FILE, which must not exist, 0600",
     .fallback = "stdout, once"},
    kJson, kHelp,
};
inline constexpr OptionGroup kTokenGroups[] = {{"Options", kTokenOptions}, kPlaneGroup};
inline constexpr Operand kNameOperand[] = {{"NAME", Kind::kText}};
inline constexpr Operand kNameRoleOperands[] = {{"NAME", Kind::kText}, {"ROLE", Kind::kText}};
inline constexpr Command kPrincipalsListCommand{
    .name = "principals list", .summary = "List who may use a plane", .description = "Names, roles and whether they are revoked.",
    .groups = kAdminGroups, .statuses = kPlaneStatuses, .see_also = "principals-add"};
inline constexpr Command kPrincipalsAddCommand{
    .name = "principals add", .summary = "Let somebody use a plane",
    .description = "Makes a principal with a role (admin, requester, approver or enroller) and prints its token, which is shown this once "
                   "and kept by the plane as a hash only.",
    .groups = kTokenGroups, .operands = kNameRoleOperands, .statuses = kPlaneStatuses, .see_also = "principals-rotate principals-revoke"};
inline constexpr Command kPrincipalsRotateCommand{
    .name = "principals rotate", .summary = "Give a principal a new token", .description = "The old token stops working at once.",
    .groups = kTokenGroups, .operands = kNameOperand, .statuses = kPlaneStatuses, .see_also = "principals-list"};
inline constexpr Command kPrincipalsRevokeCommand{
    .name = "principals revoke", .summary = "Take a principal's token away", .description = "The token stops working at once. `writ principals "
    "rotate` brings the principal back with another one.",
    .groups = kAdminGroups, .operands = kNameOperand, .statuses = kPlaneStatuses, .see_also = "principals-list"};
inline constexpr Command kEnrollTokenCommand{
    .name = "enroll-token", .summary = "Make a token that lets one runner enrol",
    .description = "Valid once, for 60 minutes. Give it to `writ runner --token-file`.", .groups = kTokenGroups, .statuses = kPlaneStatuses,
    .see_also = "runners"};
inline constexpr Command kRunnersCommand{
    .name = "runners", .summary = "List the runners that are enrolled with a plane", .description = "Id, pool, key and since when.",
    .groups = kAdminGroups, .statuses = kPlaneStatuses, .see_also = "plane-status"};

inline constexpr Option kLoginOptions[] = {
    {.name = "name", .kind = Kind::kText, .value = "NAME", .help = "what to call it", .fallback = "default"},
    {.name = "no-default", .help = "do not make it the plane that commands use by default"},
    {.name = "keep-token-file", .help = "refer to --token-file instead of copying the token"},
    kJson, kHelp,
};
inline constexpr OptionGroup kLoginGroups[] = {{"Options", kLoginOptions}, kPlaneGroup};
inline constexpr Operand kUrlOperand[] = {{"URL", Kind::kText}};
inline constexpr Example kLoginExamples[] = {
    {"writ plane login https://plane.example:7172", "asks for the token without showing it"},
    {"writ plane login --name lab --token-file lab.token http://127.0.0.1:7172", "a second one"},
};
inline constexpr Command kPlaneLoginCommand{
    .name = "plane login", .summary = "Remember a plane and its token",
    .description = "Checks that the plane answers and takes the token, then keeps its URL in planes.json and the token in a file of its "
                   "own, both 0600, in the configuration directory. The token comes from --token-file or $WRIT_PLANE_TOKEN, on a "
                   "terminal it is asked for, else it is read from stdin.",
    .groups = kLoginGroups, .operands = kUrlOperand, .examples = kLoginExamples, .statuses = kPlaneStatuses, .see_also = "plane-status"};
inline constexpr Command kPlaneStatusCommand{
    .name = "plane status", .summary = "Say which plane is used and how it is",
    .description = "Shows where the plane and its token come from, the planes that are remembered, the key on record, and whether the "
                   "plane is healthy and takes the token.",
    .groups = kAdminGroups, .statuses = kPlaneStatuses, .see_also = "plane-login"};
inline constexpr Command kPlaneForgetCommand{
    .name = "plane forget", .summary = "Forget the key of a plane",
    .description = "Removes the key on record for URL, so that the next bundle that verifies puts the plane's new key there. Do it "
                   "when the plane's operator has confirmed the new key.",
    .groups = kAdminGroups, .operands = kUrlOperand, .statuses = kPlaneStatuses, .see_also = "plane-status"};

}  // namespace writ::cli
