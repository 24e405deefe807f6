#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "isolation/backend.h"
#include "sys/unique_fd.h"

namespace writ::api {

/// A file or directory that is staged read-only at /in/NAME.
struct InputRequest {
  std::string path;  ///< of the host; relative paths start at the caller's working directory
  std::string name;  ///< one path component; empty: the last component of `path`
};

/// A declared result under /out. `name` may have several components ("report/summary.txt").
struct OutputRequest {
  std::string name;
  bool optional = false;  ///< NAME? on the command line: its absence does not fail the run
};

enum class EnvSource : std::uint8_t {
  kLiteral,  ///< stands in the signed contract in clear
  kCaller    ///< taken from the caller's environment; the contract records the name only
};
struct EnvEntry {
  std::string name;   ///< [A-Za-z_][A-Za-z0-9_]*
  std::string value;  ///< no NUL
  EnvSource source = EnvSource::kLiteral;
};

/// A secret of the caller's own store that the run gets. It is set under its own name, as the original protocol has it,
/// and under `variable` too unless that is empty.
struct SecretRequest {
  std::string name, variable;
};

/// The way out of a run. What is not asked for is not there: without it the run's network namespace has only `lo`.
struct NetworkRequest {
  bool asked = false;                         ///< the doors are opened at all
  bool open = false;                          ///< every public host, as `--net open`
  std::vector<std::string> rules;             ///< texts of policy::ParseEgressRule
  std::optional<std::uint64_t> budget_bytes;  ///< in both directions together; more ends the run
};

/// Who asks. The name is that of the real uid, never $USER, which anybody sets.
struct Caller {
  std::uint32_t uid = 0;
  std::string name;
};

/// Everything a person can ask of one run: a plain value that every door decodes into. Nothing in it has been
/// judged yet. The descriptor is given away.
struct CreateRun {
  std::vector<std::string> argv;  ///< argv[0] is looked up in the PATH of the run
  std::string workspace;          ///< host directory shown copy-on-write at /work; empty: an empty /work
  std::string root;               ///< host directory used as root file system; empty: the system directories
  std::vector<InputRequest> inputs;
  std::vector<OutputRequest> outputs;
  std::string out_dir;            ///< host directory for released outputs; empty: fetched later with GetOutputs
  std::vector<EnvEntry> env;      ///< beyond PATH, HOME, TMPDIR, LANG, TZ; later entries of one name win
  std::vector<SecretRequest> secrets;
  NetworkRequest network;
  std::string cwd;                ///< relative to /work; empty: /work itself
  sys::UniqueFd stdin_fd;         ///< invalid: /dev/null
  std::optional<isolation::SessionSpec::Terminal> terminal;
  Limits limits;
  isolation::Mechanisms accepted;  ///< --accept LIMIT=MECHANISM
  bool kill_on_output_limit = false;
  std::string tier = "process";
  std::string policy_file;  ///< empty: policy::LoadLocal looks for one
  std::string identity;     ///< --as; empty: no identity of the policy
  Caller caller;
  /// Id of a parked run that this request repeats word for word (LocalPlane::Order): it starts if that was approved.
  std::string resume;
  bool wait_for_consent = false;  ///< a run that needs consent waits for it instead of being parked
};

}  // namespace writ::api
