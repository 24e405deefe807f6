#pragma once

#include "cli/run_grammar.h"

// The description of the commands about a run's network.

namespace writ::cli {

inline constexpr Option kNetworkOptions[] = {kJson, kHelp};
inline constexpr OptionGroup kNetworkGroups[] = {{"Options", kNetworkOptions}};
inline constexpr Operand kExplainOperands[] = {{"RUN", Kind::kRun}};
inline constexpr ExitStatus kNetworkStatuses[] = {
    {"0", "done"},
    {"1", "it failed; the reason is on stderr"},
    {"2", "the command line is wrong"},
};
inline constexpr Example kExplainExamples[] = {{"writ explain 3f2a", "what was refused, and the command that would allow it"}};

inline constexpr Command kExplainCommand{
    .name = "explain",
    .summary = "Say what a run was refused and what would allow it",
    .description =
        "Lists every attempt of a run to reach something that was refused, grouped, with the rule that spoke, the reason and "
        "the smallest grant, and prints the complete command that repeats the run with these grants. Works while the run "
        "goes on too. A grant is what the job asked for, not what it should have: read before you repeat.",
    .groups = kNetworkGroups,
    .operands = kExplainOperands,
    .examples = kExplainExamples,
    .statuses = kNetworkStatuses,
    .see_also = "run learn show",
};

inline constexpr Option kNetOptions[] = {
    {.name = "timeout", .kind = Kind::kDuration, .value = "TIME", .help = "how long to wait for the run's answer", .fallback = "10s"},
    kJson, kHelp,
};
inline constexpr OptionGroup kNetGroups[] = {{"Options", kNetOptions}};
inline constexpr Operand kNetOperands[] = {{"RUN", Kind::kRun}, {"add|remove|list", Kind::kText}, {"RULE", Kind::kText, true}};
inline constexpr Example kNetExamples[] = {
    {"writ net 3f2a add packages.example:443", "let a run that goes on reach one more host"},
    {"writ net 3f2a remove '*.example.org'", "cut it off from these hosts, open connections too"},
    {"writ net 3f2a list", "what it may connect to now"},
};
inline constexpr Command kNetCommand{
    .name = "net",
    .summary = "Change what a run that goes on may connect to",
    .description =
        "Adds or removes one rule, in the form of --net and --net-rule of `writ run`, or `open`. The process that owns the run "
        "decides by the policy the run was judged by, writes the decision and an event, and then applies the change; "
        "connections that are no longer granted are cut. A run that was started without a network has no door to open.",
    .groups = kNetGroups,
    .operands = kNetOperands,
    .examples = kNetExamples,
    .statuses = kNetworkStatuses,
    .see_also = "run explain ps",
};

inline constexpr Example kLearnExamples[] = {
    {"writ learn --workspace . -- npm ci", "find out which hosts an installation needs"},
    {"writ learn --json -- ./fetch.sh | jq -r .learned.command", "only the command"},
};
inline constexpr Command kLearnCommand{
    .name = "learn",
    .summary = "Run a command with an open network and propose the least contract",
    .description =
        "Runs COMMAND as `writ run --net open` does: every public host, no private, loopback or link-local address unless "
        "--net names it. The receipt says that the network was open. Afterwards it lists the hosts and ports that were "
        "used, the files that were changed and what was refused even so, and prints the `writ run` line that grants what "
        "was used and nothing else.\n\n"
        "Use it for code that you would let reach any host once; what another run needs may differ.",
    .groups = kRunGroups,
    .operands = kJobOperands,
    .takes_job = true,
    .usage_status = 125,
    .examples = kLearnExamples,
    .statuses = kRunStatuses,
    .see_also = "run explain",
};

}  // namespace writ::cli
