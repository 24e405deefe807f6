#pragma once

#include "cli/grammar.h"
#include "cli/run_grammar.h"

// The description of `writ serve` and `writ runner`, which the program writ-server carries out.

namespace writ::cli {

inline constexpr Option kServeListen[] = {
    {.name = "listen", .kind = Kind::kText, .value = "HOST:PORT", .help = "where to listen; port 0 takes any free one",
     .fallback = "127.0.0.1:7172"},
    {.name = "tls-cert", .kind = Kind::kFile, .value = "FILE", .help = "certificate chain, PEM; SIGHUP reads it anew"},
    {.name = "tls-key", .kind = Kind::kFile, .value = "FILE", .help = "its key, PEM"},
    {.name = "client-ca", .kind = Kind::kFile, .value = "FILE", .help = "clients need a certificate from these authorities"},
    {.name = "insecure-http", .help = "listen beyond this machine without TLS all the same"},
    {.name = "server-name", .kind = Kind::kText, .value = "NAME,...", .help = "further names that a loopback listener answers to",
     .repeatable = true},
    {.name = "trust-proxy", .help = "believe X-Forwarded-For: only behind a proxy that sets it"},
};
inline constexpr Option kServePlane[] = {
    {.name = "init", .help = "make keys, tokens, policy and settings, show the admin token once, and end"},
    {.name = "config", .kind = Kind::kFile, .value = "FILE", .help = "settings, YAML or JSON", .fallback = "serve.yaml or serve.json of the state directory"},
    {.name = "state", .kind = Kind::kDirectory, .value = "DIR", .help = "where everything is kept", .fallback = "plane/ in the state directory of writ"},
    {.name = "policy", .kind = Kind::kFile, .value = "FILE", .help = "the policy", .fallback = "policy.yaml of the state directory"},
    {.name = "admin-token", .kind = Kind::kText, .value = "T", .help = "token of the principal admin; everybody on this machine sees it here"},
    {.name = "admin-token-file", .kind = Kind::kFile, .value = "F", .help = "the same from a file"},
    {.name = "enroll-token", .kind = Kind::kText, .value = "T", .help = "token with which runners enrol, again and again"},
    {.name = "enroll-token-file", .kind = Kind::kFile, .value = "F", .help = "the same from a file"},
    {.name = "retention", .help = "delete what is older than the policy keeps"},
    {.name = "map-isolation", .kind = Kind::kText, .value = "NAME=TIER,...",
     .help = "which tier carries out an isolation that a request names", .repeatable = true},
    {.name = "idp-issuer", .kind = Kind::kText, .value = "URL", .help = "identity provider whose tokens may approve"},
    {.name = "idp-audience", .kind = Kind::kText, .value = "NAME", .help = "whom its tokens must be for"},
    {.name = "idp-jwks", .kind = Kind::kFile, .value = "FILE", .help = "its public keys, pinned"},
    {.name = "log-format", .kind = Kind::kChoice, .value = "FORMAT", .help = "of the lines on stderr", .fallback = "text on a terminal, else json",
     .choices = "json text"},
    {.name = "log-level", .kind = Kind::kChoice, .value = "LEVEL", .help = "info writes one line for each request", .fallback = "info",
     .choices = "silent error info"},
};
inline constexpr Option kServeRunner[] = {
    {.name = "with-runner", .help = "also carry out runs in this process"},
    {.name = "pool", .kind = Kind::kText, .value = "POOL", .help = "of that runner", .fallback = "default"},
    {.name = "concurrency", .kind = Kind::kCount, .value = "N", .help = "its runs at a time", .fallback = "1"},
};
inline constexpr Option kServeCommon[] = {
    {.name = "json", .help = "stdout is one JSON object: the address, or with --init what was made"}, kHelp};
inline constexpr Option kServerCommon[] = {kHelp};
inline constexpr OptionGroup kServeGroups[] = {
    {"The plane", kServePlane}, {"Listening", kServeListen}, {"A runner beside it", kServeRunner}, {"Options", kServeCommon}};
inline constexpr Example kServeExamples[] = {
    {"writ serve --init --state /var/lib/plane", "keys, a first policy and tokens"},
    {"writ serve --state /var/lib/plane --with-runner", "plane and runner in one process"},
    {"writ serve --listen 0.0.0.0:7172 --tls-cert cert.pem --tls-key key.pem --state /var/lib/plane", "for other machines"},
};
inline constexpr ExitStatus kServeStatuses[] = {
    {"0", "stopped by SIGTERM or SIGINT, after what was asked was answered"},
    {"1", "it cannot go on; the reason is on stderr"},
    {"2", "the command line or a setting is wrong"},
};
inline constexpr Command kServeCommand{
    .name = "serve",
    .summary = "Run a plane: take requests, hold approvals, keep evidence",
    .description = "Serves the HTTP API that clients and runners use. Every option is also a setting of a file, in camelCase, and a "
                   "variable of the environment; docs/formats/serve.md lists them. The address stands on stdout and in plane.url of the "
                   "state directory as soon as it listens.",
    .groups = kServeGroups,
    .usage_status = 2,
    .examples = kServeExamples,
    .statuses = kServeStatuses,
    .see_also = "runner",
};

inline constexpr Option kRunnerPlane[] = {
    {.name = "plane", .kind = Kind::kText, .value = "URL", .help = "the plane", .fallback = "$WARRANT_PLANE_URL"},
    {.name = "pool", .kind = Kind::kText, .value = "POOL", .help = "the pool to enrol in", .fallback = "$WARRANT_POOL, else default"},
    {.name = "token-file", .kind = Kind::kFile, .value = "FILE", .help = "holds the enroll token, readable by its owner only",
     .fallback = "$WARRANT_ENROLL_TOKEN"},
    {.name = "token", .kind = Kind::kText, .value = "TOKEN", .help = "the same in sight of every user of this machine"},
    {.name = "dir", .kind = Kind::kDirectory, .value = "DIR", .help = "identity, keys, cache and store",
     .fallback = "$WARRANT_RUNNER_DIR, else .warrant-runner"},
    {.name = "plane-key", .kind = Kind::kText, .value = "K", .help = "PEM file or key id: contracts must be signed by this key"},
    {.name = "ca-file", .kind = Kind::kFile, .value = "FILE", .help = "authorities to trust instead of the system's"},
    {.name = "client-cert", .kind = Kind::kFile, .value = "FILE", .help = "certificate for a plane that wants one"},
    {.name = "client-key", .kind = Kind::kFile, .value = "FILE", .help = "its key"},
    {.name = "poll-interval", .kind = Kind::kDuration, .value = "D", .help = "between claims, at a plane without long polling", .fallback = "1s"},
};
inline constexpr Option kRunnerRuns[] = {
    {.name = "concurrency", .kind = Kind::kCount, .value = "N", .help = "runs at a time", .fallback = "1"},
    {.name = "labels", .kind = Kind::kText, .value = "K=V,...", .help = "what sets this runner apart", .repeatable = true},
    {.name = "policy", .kind = Kind::kFile, .value = "FILE",
     .help = "never more than this policy allows, whatever the plane signs; without it the plane decides"},
    {.name = "once", .help = "carry out one run and end"},
    {.name = "agent", .kind = Kind::kText, .value = "KIND=DIR[:BIN]",
     .help = "a vendor's agent program (claude-code, codex) and its files, shown to jobs read-only", .repeatable = true},
    {.name = "inherit", .kind = Kind::kText, .value = "NAME,...", .help = "variables that contracts may take from this process", .repeatable = true},
};
inline constexpr OptionGroup kRunnerGroups[] = {{"The plane", kRunnerPlane}, {"Runs", kRunnerRuns}, {"Options", kServerCommon}};
inline constexpr Example kRunnerExamples[] = {
    {"writ runner --plane https://plane.example:7172 --pool build --token-file enroll.token --dir /var/lib/runner", "a runner of the pool build"},
};
inline constexpr ExitStatus kRunnerStatuses[] = {
    {"0", "stopped by SIGTERM or SIGINT, after its runs had ended"},
    {"1", "it cannot go on; the reason is on stderr"},
    {"2", "the command line is wrong"},
    {"3", "with --once: no run waited"},
};
inline constexpr Command kRunnerCommand{
    .name = "runner",
    .summary = "Claim runs of a plane and carry them out here",
    .description = "Opens no port: all connections go out to the plane, through $HTTPS_PROXY or $HTTP_PROXY where they are set. "
                   "SIGTERM lets what is running end.",
    .groups = kRunnerGroups,
    .usage_status = 2,
    .examples = kRunnerExamples,
    .statuses = kRunnerStatuses,
    .see_also = "serve",
};

}  // namespace writ::cli
