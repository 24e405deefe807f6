#pragma once

#include "cli/run_grammar.h"

// The description of `writ secret`.

namespace writ::cli {

inline constexpr Option kSecretSetOptions[] = {
    {.name = "from", .kind = Kind::kText, .value = "SOURCE",
     .help = "take the value from env:NAME, file:PATH, fd:N or vault:MOUNT/PATH#FIELD", .fallback = "stdin"},
    {.name = "link", .help = "keep the source instead of the value: each run reads it anew"},
    {.name = "host", .kind = Kind::kText, .value = "HOST",
     .help = "bind it to one host: a job never gets the value, requests to HOST do"},
    kJson, kHelp,
};
inline constexpr OptionGroup kSecretSetGroups[] = {{"Options", kSecretSetOptions}};
inline constexpr Option kSecretOptions[] = {kJson, kHelp};
inline constexpr OptionGroup kSecretGroups[] = {{"Options", kSecretOptions}};
inline constexpr Operand kSecretName[] = {{"NAME", Kind::kText}};
inline constexpr Operand kSecretFile[] = {{"FILE|-", Kind::kFile}};
inline constexpr ExitStatus kSecretStatuses[] = {
    {"0", "done"},
    {"1", "it failed; the reason is on stderr"},
    {"2", "the command line is wrong"},
};
inline constexpr Example kSecretSetExamples[] = {
    {"writ secret set GITHUB_TOKEN", "asks for the value without showing it"},
    {"pass show api | writ secret set API_KEY", "the value comes from a pipe"},
    {"writ secret set DB_PASSWORD --from vault:kv/app#password --link", "read from Vault by each run"},
    {"writ run --secret GITHUB_TOKEN -- ./release.sh", "a run that gets it as a variable"},
};
inline constexpr Example kSecretImportExamples[] = {{"writ secret import .env", "every NAME=VALUE of a file"}};

inline constexpr Command kSecretSetCommand{
    .name = "secret set",
    .summary = "Keep a secret in the sealed store",
    .description =
        "Keeps a value under NAME, encrypted. The value comes from stdin, up to its end and without the line end at its end; "
        "on a terminal it is asked for and not shown. It is never an argument: arguments can be seen by every user of the "
        "machine. A value has 4 bytes to 64 KiB and no NUL byte.\n\n"
        "The store is sealed under $WRIT_MASTER_KEY if that is set, else under master.key in the state directory, which "
        "is made with the first secret. A run gets a secret by `writ run --secret NAME`, if policy allows; the value is "
        "replaced by [redacted:NAME] in everything that leaves the run.",
    .groups = kSecretSetGroups,
    .operands = kSecretName,
    .examples = kSecretSetExamples,
    .statuses = kSecretStatuses,
    .see_also = "secret-list secret-remove secret-import run",
};
inline constexpr Command kSecretListCommand{
    .name = "secret list",
    .summary = "List the names of secrets",
    .description = "Lists names, hosts and sources. No command shows a value.",
    .groups = kSecretGroups,
    .statuses = kSecretStatuses,
    .see_also = "secret-set",
};
inline constexpr Command kSecretRemoveCommand{
    .name = "secret remove",
    .summary = "Forget a secret",
    .groups = kSecretGroups,
    .operands = kSecretName,
    .statuses = kSecretStatuses,
    .see_also = "secret-set secret-list",
};
inline constexpr Command kSecretImportCommand{
    .name = "secret import",
    .summary = "Keep every NAME=VALUE line of a file",
    .description =
        "Reads lines NAME=VALUE and sets all of them or none. Empty lines and lines that begin with # count for nothing. A "
        "value is bare, in single quotes (everything as it stands) or in double quotes (with \\\\ \\\" \\$ \\n \\r \\t). "
        "What readers of such files disagree about is refused with the number of the line.",
    .groups = kSecretGroups,
    .operands = kSecretFile,
    .examples = kSecretImportExamples,
    .statuses = kSecretStatuses,
    .see_also = "secret-set secret-list",
};

}  // namespace writ::cli
