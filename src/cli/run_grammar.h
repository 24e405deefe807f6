#pragma once

#include "cli/grammar.h"

// The description of `writ run`. The defaults of the limits shown here are compared with base/limits.h by a test.

namespace writ::cli {

inline constexpr Option kJson{.name = "json", .help = "print one JSON object on stdout (docs/formats/cli-json.md)"};
inline constexpr Option kHelp{.name = "help", .letter = 'h', .help = "show this help"};

/// Where a plane is and how it is known; every command that talks to one has them.
inline constexpr Option kPlaneOptions[] = {
    {.name = "plane", .kind = Kind::kText, .value = "URL|NAME", .help = "the plane: a URL, or a name of `writ plane login`"},
    {.name = "token-file", .kind = Kind::kFile, .value = "FILE", .help = "file with the token, readable by you only",
     .fallback = "$WRIT_PLANE_TOKEN, else the one kept for this plane"},
    {.name = "ca-file", .kind = Kind::kFile, .value = "FILE", .help = "certificates to trust instead of the system's"},
    {.name = "client-cert", .kind = Kind::kFile, .value = "FILE", .help = "certificate for a plane that wants one"},
    {.name = "client-key", .kind = Kind::kFile, .value = "FILE", .help = "its key"},
    {.name = "plane-key", .kind = Kind::kText, .value = "KEY", .help = "accept this plane key only: a key id or a PEM file",
     .fallback = "the key seen first", .repeatable = true},
    {.name = "insecure-http", .help = "send the token over http:// to another machine"},
};
inline constexpr Option kRunElsewhere[] = {
    {.name = "pool", .kind = Kind::kText, .value = "POOL", .help = "with --plane: runners that may take it", .fallback = "default"},
    {.name = "label", .kind = Kind::kText, .value = "NAME=VALUE", .help = "with --plane: only a runner that announces this label may take it",
     .repeatable = true},
    {.name = "wait", .help = "wait for an approval where nobody sits at the terminal"},
    {.name = "resume", .kind = Kind::kText, .value = "RUN",
     .help = "start a run of this machine that waited for approval, exactly as it was asked for"},
};

inline constexpr Option kRunFiles[] = {
    {.name = "workspace", .kind = Kind::kDirectory, .value = "DIR",
     .help = "show a copy-on-write view of DIR at /work; see `writ diff` and `writ apply`"},
    {.name = "input", .kind = Kind::kFile, .value = "PATH[:NAME]",
     .help = "stage a file or directory read-only at /in/NAME; its digest stands in the contract", .repeatable = true},
    {.name = "output", .kind = Kind::kText, .value = "NAME[?]",
     .help = "release /out/NAME when the run has ended; a missing one fails the run unless `?` follows the name",
     .repeatable = true},
    {.name = "out-dir", .kind = Kind::kDirectory, .value = "DIR",
     .help = "write the released outputs to DIR at once; `writ get` fetches them later"},
    {.name = "root", .kind = Kind::kDirectory, .value = "DIR",
     .help = "use DIR as root file system, read-only", .fallback = "the host's system directories"},
    {.name = "cwd", .kind = Kind::kText, .value = "PATH", .help = "working directory, relative to /work",
     .fallback = "/work"},
};
inline constexpr Option kRunTerminal[] = {
    {.name = "env", .letter = 'e', .kind = Kind::kText, .value = "NAME[=VALUE]",
     .help = "set a variable; its value stands in the signed contract in clear. Without `=VALUE` the caller's value "
             "is passed and only the name is recorded",
     .repeatable = true},
    {.name = "secret", .kind = Kind::kText, .value = "NAME[=VARIABLE]",
     .help = "give the job a secret of the store (`writ secret set`) as the variable NAME, and as VARIABLE too; its value "
             "is redacted from everything that leaves the run",
     .repeatable = true},
    {.name = "interactive", .letter = 'i', .help = "pass stdin to the job; otherwise it reads /dev/null"},
    {.name = "tty", .letter = 't', .help = "give the job a pseudo-terminal; its output reaches yours unfiltered"},
};
inline constexpr Option kRunNetwork[] = {
    {.name = "net", .kind = Kind::kText, .value = "HOST[:PORT]",
     .help = "let the job connect to HOST, also *.SUFFIX, an address or a range; without a port to every port. `none` is "
             "the default; `open` means every public host, never private addresses",
     .fallback = "none", .repeatable = true},
    {.name = "net-rule", .kind = Kind::kText, .value = "RULE",
     .help = "a rule with methods and paths, for example `api.test:443 GET,HEAD /v1/**` (docs/formats/egress.md)",
     .repeatable = true},
    {.name = "net-budget", .kind = Kind::kSize, .value = "SIZE",
     .help = "bytes exchanged with all hosts together; more ends the run"},
};
inline constexpr Option kRunLimits[] = {
    {.name = "timeout", .kind = Kind::kDuration, .value = "TIME", .help = "wall-clock time", .fallback = "10m"},
    {.name = "cpu-time", .kind = Kind::kDuration, .value = "TIME", .help = "processor time of all processes together",
     .fallback = "10m"},
    {.name = "cpus", .kind = Kind::kText, .value = "N", .help = "cores used at any moment", .fallback = "2"},
    {.name = "memory", .kind = Kind::kSize, .value = "SIZE", .help = "memory of all processes and files they write",
     .fallback = "1G"},
    {.name = "pids", .kind = Kind::kCount, .value = "N", .help = "processes and threads at any moment",
     .fallback = "256"},
    {.name = "files", .kind = Kind::kCount, .value = "N", .help = "open files per process", .fallback = "1024"},
    {.name = "stdout-max", .kind = Kind::kSize, .value = "SIZE", .help = "bytes kept of stdout", .fallback = "16M"},
    {.name = "stderr-max", .kind = Kind::kSize, .value = "SIZE", .help = "bytes kept of stderr", .fallback = "16M"},
    {.name = "disk", .kind = Kind::kSize, .value = "SIZE", .help = "bytes in all writable places together",
     .fallback = "512M"},
    {.name = "inodes", .kind = Kind::kCount, .value = "N", .help = "files in all writable places together; up to 16 more get through",
     .fallback = "64K"},
    {.name = "on-output-limit", .kind = Kind::kChoice, .value = "WHAT",
     .help = "over --stdout-max or --stderr-max: cut the stream with a mark and go on, or kill the run",
     .fallback = "cut", .choices = "cut kill"},
};
inline constexpr Option kRunRules[] = {
    {.name = "tier", .kind = Kind::kChoice, .value = "TIER", .help = "kind of isolation", .fallback = "process",
     .choices = "process"},
    {.name = "accept", .kind = Kind::kText, .value = "LIMIT=MECHANISM",
     .help = "accept a weaker mechanism for a limit, for example memory=rlimit; without it a run that this host cannot "
             "limit properly is refused, and the message says what to accept",
     .repeatable = true},
    {.name = "policy", .kind = Kind::kFile, .value = "FILE", .help = "judge the run by this policy",
     .fallback = "policy.yaml of the configuration directory, else the built-in local-default"},
    {.name = "as", .kind = Kind::kText, .value = "IDENTITY", .help = "run as an identity that the policy names"},
};
inline constexpr Option kRunOutput[] = {
    {.name = "dry-run", .help = "show the decision, what would be signed and what the run could see; store nothing"},
    {.name = "json", .help = "print one JSON object on stdout, the job's output inside it (docs/formats/cli-json.md)"},
    {.name = "quiet", .letter = 'q', .help = "no summary, no progress line"},
    kHelp,
};
inline constexpr OptionGroup kRunGroups[] = {
    {"Files", kRunFiles},           {"Environment and terminal", kRunTerminal}, {"Network", kRunNetwork},
    {"Limits", kRunLimits},
    {"Isolation and policy", kRunRules}, {"Plane", kPlaneOptions}, {"On a plane", kRunElsewhere}, {"Output", kRunOutput},
};
inline constexpr Operand kJobOperands[] = {{"COMMAND", Kind::kText}, {"ARG", Kind::kText, true, true}};
inline constexpr Example kRunExamples[] = {
    {"writ run -- python3 -c 'print(6*7)'", "run a program that sees an empty /work and no network"},
    {"writ run --workspace . --timeout 5m -- make test", "run on a copy-on-write view of this directory"},
    {"writ run --input data.csv --output report.txt --out-dir . -- sh -c 'wc -l /in/data.csv > /out/report.txt'",
     "hand in a file, take out a declared result"},
    {"writ run --secret GITHUB_TOKEN -- ./release.sh", "hand in a secret that no file, log or result will show"},
    {"writ run --net packages.example:443 -- ./fetch.sh", "let it reach one host and port, and nothing else"},
    {"writ run -it -- bash", "look around inside"},
    {"writ run --dry-run --workspace . -- ./build.sh", "see what would be signed"},
};
inline constexpr ExitStatus kRunStatuses[] = {
    {"N", "exit status of the job"},
    {"128+N", "the job was killed by signal N"},
    {"122", "denied by policy"},
    {"123", "needs approval"},
    {"124", "time limit or processor time limit reached"},
    {"125", "writ could not run it: the reason is on stderr, and in the receipt when there is one"},
    {"126", "the command was found but cannot be executed"},
    {"127", "the command was not found"},
    {"130", "cancelled: Ctrl-C, SIGTERM, SIGHUP, or the reader of the output went away"},
    {"137", "memory limit reached, or killed"},
};

inline constexpr Command kRunCommand{
    .name = "run",
    .summary = "Run a command under a signed contract and get a signed receipt",
    .description =
        "Runs COMMAND in a sandbox of its own: private file system, process table and user ids, no network, no "
        "privileges, every resource limited. What was authorised stands in a signed contract before it starts, what "
        "happened in a signed receipt after its last process is dead.\n\n"
        "The environment is PATH, HOME, TMPDIR, LANG and TZ and what --env adds. /work is the working directory, "
        "empty and writable unless --workspace gives one; nothing is written back unasked. Files under /out that no "
        "--output declares are listed, never released.\n\n"
        "The job's stdout and stderr are passed on as they come and are kept up to --stdout-max and --stderr-max. To a "
        "pipe or file they go byte for byte. On a terminal, without -t, everything but text, newline, tab, carriage "
        "return and colours is made visible, so that a job cannot set the title, write the clipboard or forge links. "
        "A slow reader slows the job down. If the reader of the output goes away, the run is cancelled.\n\n"
        "With --plane the run happens on another machine: the command is requested from a plane, a runner takes it, output comes "
        "through as it is written, and the exit status, the summary and Ctrl-C are the same. --workspace is then a git "
        "repository that is sent; its changes come back with `writ pull`. Inputs, and with -i all of stdin up to its end, are uploaded "
        "beforehand and their digests stand in the contract; a plane takes files of at most 64 MiB. --root, -t, --policy, --as and "
        "--env without a value are refused.\n\n"
        "Sizes take K, M, G or T (powers of 1024), times h, m, s or ms. Zero is refused: no limit can be switched off.",
    .groups = kRunGroups,
    .operands = kJobOperands,
    .takes_job = true,
    .usage_status = 125,
    .examples = kRunExamples,
    .statuses = kRunStatuses,
    .see_also = "show verify diff get doctor",
};

}  // namespace writ::cli
