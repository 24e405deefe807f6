#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/create_run.h"
#include "api/network_story.h"
#include "api/run_control.h"
#include "api/run_result.h"
#include "base/clock.h"
#include "base/env.h"
#include "canon/json.h"
#include "crypto/secret.h"
#include "egress/upstream_proxy.h"
#include "isolation/backend.h"
#include "secrets/credentials.h"
#include "storage/store.h"

namespace writ::api {

struct LocalPlaneOptions {
  std::string state_dir;         ///< empty: $WRIT_STATE, else the XDG state directory (root: /var/lib/writ)
  const Clock* clock = nullptr;  ///< borrowed; null: the machine's clocks
  /// One per tier. May be empty for commands that run nothing.
  std::vector<std::unique_ptr<isolation::Backend>> backends;
  /// Digest of the probe report that goes into receipts; not called for commands that run nothing. Absent: the
  /// receipt carries none.
  std::function<Result<std::string>()> probe_digest;
  /// Where $WRIT_STATE and the configuration directory are looked up. Absent: this process's environment.
  EnvLookup env;
  /// The HTTP proxy through which this network is left; see api/upstream_proxy.h.
  std::optional<egress::UpstreamProxy> upstream_proxy;
  /// What this process took out of its environment for the secret store. Absent: nothing, so the key file counts.
  std::shared_ptr<const secrets::Credentials> credentials;
  /// For tests: called at the labelled points of a run's life (session/fault_point.h).
  std::function<void(std::string_view label)> fault_hook;
  /// For tests: puts another store in front of the one that was opened, to make its writes fail.
  std::function<std::unique_ptr<storage::Store>(std::unique_ptr<storage::Store>)> wrap_store;
};

/// A row of `writ ps` and `writ list`.
struct RunRow {
  std::string run_id;
  std::string status;      ///< running, completed, failed, cancelled, or interrupted while not yet recovered
  std::string created_at;  ///< timestamp as in the contract
  std::string ended_at;    ///< empty while it runs
  std::string command;     ///< shell-quoted; NOT escaped for a terminal
  std::optional<int> exit_code;  ///< what `writ run` returned; absent while it runs
  bool live = false;             ///< its writ holds the run's lock
};

struct RunDetails {
  RunRow row;
  canon::Json contract;
  std::optional<canon::Json> receipt;
  std::size_t events = 0;
};

/// A change of what a running job may connect to.
struct RuleChange {
  bool add = true;   ///< false: remove
  std::string rule;  ///< as policy::ParseEgressRule reads it, or `open` for every public host
  std::string by;    ///< who asks, 1 to 256 bytes
};
/// What became of it. Texts are NOT escaped for a terminal.
struct RuleAnswer {
  bool applied = false;
  std::string rule, reason, grant;  ///< of the decision; `grant` is empty when it was applied
  bool open = false;                ///< what the run may connect to now
  std::vector<std::string> rules;
};

/// What a run reached and was refused, and how to ask for no less and no more. Texts are NOT escaped for a terminal.
struct Explanation {
  std::string run_id;
  bool live = false;
  NetworkStory story;
  std::string granting_command;  ///< repeats the run with a grant for each refusal; empty without a readable contract
  std::string least_command;     ///< repeats it with what was used and nothing else
};

struct ArtifactRow {
  std::string kind;  ///< diff, log, stdout, stderr, output, changes
  std::string name;  ///< of an output; else empty
  std::string sha256;
  std::uint64_t bytes = 0;
};

struct VerifyReport {
  bool ok = false;
  bool pinned = false;
  std::vector<std::string> problems;  ///< texts of docs/formats/evidence.md, then those of the store
  std::vector<std::string> warnings;  ///< no problems in the protocol, but a reader should know them
  canon::Json bundle;
};

struct ApplyRequest {
  std::string run;
  std::string directory;  ///< empty: the workspace the run was given
  bool dry_run = false;
  bool force = false;
  bool flagged = false;   ///< also what the caller's own tools might execute (ChangeFact::danger)
};
struct ApplyResult {
  bool applied = false;                ///< false with conflicts, and always with dry_run
  std::vector<std::string> paths;      ///< written or removed, or what would be
  std::vector<std::string> conflicts;  ///< nothing was changed if there are any and `force` was not set
  std::vector<std::string> held_back;  ///< "PATH: why": dangerous changes, and what cannot be applied
  std::vector<std::string> warnings;
  std::string stopped;                 ///< empty, or the error after which the rest was not done
};

struct GcRequest {
  Millis older_than{std::chrono::hours{24 * 30}};
  std::size_t keep_last = 20;  ///< the newest runs stay, however old
  bool dry_run = false;
};
struct GcResult {
  std::vector<std::string> runs;  ///< removed, or what would be
  std::size_t blobs = 0;
  std::uint64_t bytes = 0;
};

struct KeyView {
  std::string role;  ///< "plane", "runner"
  std::string key_id;
  std::string public_key_pem;
  std::string file;
};

/// A row of `writ secret list`: never a value.
struct SecretView {
  std::string name;
  std::string host;        ///< empty: not bound to one
  std::string source;      ///< "store", or where each run reads it anew
  std::string updated_at;  ///< timestamp
};

/// A secret to keep: a value, or the place where each run reads it.
struct SecretDraft {
  std::string name;
  crypto::SecretBytes value;
  std::string source;  ///< empty: the value is kept
  std::string host;
};

/// A run that a crash had left without a receipt.
struct Recovered {
  std::string run_id;
  std::string problem;  ///< empty: ended with a receipt; else why it could not be
};

/// An answer to a parked run.
struct ConsentAnswer {
  std::string run;
  bool approve = false;
  std::string digest;  ///< of what was shown; empty: of whatever is asked
  std::string reason;  ///< of a denial
  Caller caller;       ///< who answers
};
/// What became of it.
struct ConsentResult {
  std::string run_id;
  std::string status;  ///< `approved`: it may be started; awaiting_approval: more answers are needed; cancelled
};

/// What a parked run was asked with: words for `writ run`, to be read in the directory they were given in.
struct RecordedOrder {
  std::string run_id, directory;
  std::vector<std::string> words;  ///< options, `--`, command
};

/// The plane, the runner and their store in one process: what `writ` on one machine is. Opens its state directory,
/// store and keys when they are first needed, so that a dry run writes nothing. One thread uses it at a time;
/// several processes may share a state directory. Runs are named by full id or a unique prefix, with or without
/// `run_`: kNotFound, or kInvalid with the candidates when ambiguous.
class LocalPlane {
 public:
  /// Checks nothing that costs: a bad state directory shows at the first call that needs it.
  static std::unique_ptr<LocalPlane> Create(LocalPlaneOptions options);
  ~LocalPlane();
  LocalPlane(const LocalPlane&) = delete;
  LocalPlane& operator=(const LocalPlane&) = delete;

  /// Decides and shows what would be signed. Stores nothing, makes no directory and no key.
  /// Errors: kInvalid for a request that can never run; kDenied, kNotFound for its files.
  Result<Preview> DryRun(const CreateRun& request);

  /// One whole run. `sink` gets the guest's output live, both are borrowed.
  /// A decision other than kAllow is a result, not an error. Once contracted, every end is a result with a receipt.
  /// Errors, nothing having been started: kInvalid for the request; kUnavailable when the tier cannot enforce what
  ///   was asked (the text names the --accept list); kDenied, kNotFound, kExhausted for files and the store.
  /// Errors, after the contract: only when the log or the receipt could not be stored; the guest has been killed,
  ///   and Recover ends the run later.
  Result<RunResult> Run(CreateRun request, isolation::OutputSink& sink, RunControl& control);

  /// The runs that wait for consent, as docs/formats/plane.md shows them. Those that have waited too long are ended.
  Result<std::vector<canon::Json>> Pending();
  /// One of them. Errors: kNotFound; kInvalid when it does not wait.
  Result<canon::Json> Approval(std::string_view run);
  /// Errors: kNotFound; kInvalid when the run does not wait, has changed or was answered by the same person before;
  /// kDenied for who may not answer.
  Result<ConsentResult> Answer(const ConsentAnswer& answer);
  Result<RecordedOrder> Order(std::string_view run);

  /// Asks the process that owns the run to cancel it and waits for its end. Never signals a process.
  /// Errors: kDeadline; kInvalid when it has ended.
  Result<> Kill(std::string_view run, Deadline deadline);

  Result<std::string> Resolve(std::string_view run);  ///< the full run id
  Result<std::vector<RunRow>> List(std::size_t limit, bool live_only);  ///< newest first
  Result<RunDetails> Show(std::string_view run);
  Result<std::vector<canon::Json>> Events(std::string_view run);  ///< chain entries, by seq
  /// Asks the process that owns the run to change what it may connect to. A denied change is a result, not an error.
  /// Errors: kInvalid for the rule or when the run has ended; kDeadline.
  Result<RuleAnswer> ChangeRule(std::string_view run, const RuleChange& change, Deadline deadline);
  Result<Explanation> Explain(std::string_view run);
  Result<std::vector<ArtifactRow>> Artifacts(std::string_view run);

  using Writer = std::function<Result<>(ByteView)>;
  /// Streams an artifact's bytes after checking their digest. Errors: kNotFound; kCorrupt; those of `write`.
  Result<> ReadArtifact(const ArtifactRow& artifact, const Writer& write);
  enum class Until : std::uint8_t {
    kNow,  ///< what a running guest has written so far
    kEnd   ///< waits for the run's end, and passes output on as it comes
  };
  /// `kind`: "log" (both streams as they arrived), "stdout", "stderr", "diff". An empty one writes nothing.
  /// Errors: kUnavailable for the diff of a run that has not ended.
  Result<> ReadKind(std::string_view run, std::string_view kind, const Writer& write, Until until = Until::kNow);

  /// Errors: kUnavailable while the run has no receipt.
  Result<canon::Json> Bundle(std::string_view run);
  /// The bundle with the store's own plane key pinned, and the stored artifacts against their digests.
  Result<VerifyReport> Verify(std::string_view run);
  /// Writes the run's changes into a directory (workspace/apply.h).
  Result<ApplyResult> Apply(const ApplyRequest& request);
  /// Copies released outputs (all, or the one named) into `directory`.
  Result<std::vector<OutputFact>> GetOutputs(std::string_view run, std::string_view name, const std::string& directory);

  Result<std::vector<canon::Json>> Decisions(std::size_t limit);  ///< newest first
  Result<> VerifyDecisions();  ///< kCorrupt names the entry that breaks the chain
  Result<std::vector<KeyView>> Keys();
  /// Names, hosts and sources, by name. Errors: kDenied for a wrong master key.
  Result<std::vector<SecretView>> Secrets();
  /// Sets all of them or none. Errors: kInvalid for a name, a value or a source; those of the store.
  Result<> SetSecrets(std::vector<SecretDraft> drafts);
  Result<> RemoveSecret(std::string_view name);  ///< kNotFound when there is none
  Result<GcResult> Gc(const GcRequest& request);

  /// Ends runs that a crash left without a receipt. Cheap when there are none. The runs of living processes are told
  /// apart by their locks. Called by Run, List, Show, Bundle and Verify of their own accord.
  Result<std::vector<Recovered>> Recover();

 private:
  class Impl;
  explicit LocalPlane(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace writ::api
