#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/limits.h"
#include "canon/json.h"

/// The `writ` member of contracts, receipts and requests (docs/formats/writ.md has every member and its meaning).
/// Encoding leaves out what is empty; decoding refuses a wrong type, range or version with the member's path, ignores
/// unknown members in contracts and receipts, and refuses them in requests.
namespace writ::contract {

inline constexpr std::string_view kExtension = "writ";
inline constexpr int kExtensionVersion = 1;

/// limit or property -> mechanism
using MechanismMap = std::map<std::string, std::string, std::less<>>;

struct InputDigest {
  std::string name;
  std::string type = "file";  ///< "file" or "directory"
  std::string sha256;
  std::uint64_t bytes = 0;
  bool executable = false;            ///< of a file; a directory's listing says it of each of its files
  bool operator==(const InputDigest&) const = default;
};
/// What a run reads as its standard input, known before it starts.
struct StdinDigest {
  std::string sha256;
  std::uint64_t bytes = 0;
  bool operator==(const StdinDigest&) const = default;
};
struct DeclaredOutput {
  std::string name;
  bool optional = false;
  bool operator==(const DeclaredOutput&) const = default;
};
struct WorkspaceView {
  std::string mode = "copy-on-write";
  std::string sha256;
  bool operator==(const WorkspaceView&) const = default;
};
struct RootImage {
  std::string label;                  ///< for people
  std::optional<std::string> sha256;  ///< absent: the directory was not hashed
  bool operator==(const RootImage&) const = default;
};

/// What a run may connect to beyond its own cell.
struct EgressGrant {
  std::vector<std::string> rules;             ///< texts as docs/formats/egress.md has them; at most kEgressRulesMax
  bool open = false;                          ///< every public host
  std::optional<std::uint64_t> budget_bytes;  ///< both directions together; at least 1
  bool operator==(const EgressGrant&) const = default;
};
inline constexpr std::size_t kEgressRulesMax = 1000;
canon::Json ToJson(const EgressGrant& grant);
Result<EgressGrant> DecodeEgressGrant(const canon::Json& json, std::string_view path = "contract.writ.egress");

struct ContractExtension {
  std::string tier = "process";
  std::string weakest = "process";
  Limits limits;
  MechanismMap accept;
  bool kill_on_output_limit = false;
  std::vector<InputDigest> inputs;      ///< at most 10000
  std::vector<DeclaredOutput> outputs;  ///< at most 10000
  std::optional<WorkspaceView> workspace;
  std::optional<RootImage> root;
  std::vector<std::string> env_from_caller;
  bool terminal = false;
  std::optional<StdinDigest> stdin_content;  ///< absent: none, or (`stdin: true`) what is said while the run goes on
  MechanismMap labels;                  ///< a runner must announce each of them with this value; at most 100
  std::optional<std::string> on_lost;   ///< IsOnLost; absent: fail
  std::optional<EgressGrant> egress;    ///< absent: no way out at all
  std::optional<std::string> identity;  ///< of the policy, that it was judged as; 1 to 256 bytes
  std::string decision;                 ///< head of the decision log
  std::optional<std::string> approval;
  std::string nonce;                    ///< MakeNonce()
  bool operator==(const ContractExtension&) const = default;
};
/// 32 random hex characters.
std::string MakeNonce();
canon::Json ToJson(const ContractExtension& extension);
Result<ContractExtension> DecodeContractExtension(const canon::Json& json, std::string_view path = "contract.writ");

struct BackendVersion {
  std::string name, version;
  bool operator==(const BackendVersion&) const = default;
};
struct TerminationRecord {
  std::string how = "not_started";      ///< IsTerminationName
  std::optional<std::uint64_t> code;    ///< exit code or signal number
  std::optional<std::string> message;   ///< cut to 4096 characters when encoded
  bool operator==(const TerminationRecord&) const = default;
};
/// exited, signal, time_limit, cpu_limit, memory_limit, output_limit, disk_limit, egress_budget, cancelled,
/// interrupted, not_started.
bool IsTerminationName(std::string_view how);
/// `completed`, `cancelled` or `failed`: the receipt's status word that belongs to an end.
std::string_view StatusOf(const TerminationRecord& termination);

struct ResourceRecord {
  std::uint64_t wall_us = 0;
  std::optional<std::uint64_t> cpu_user_us, cpu_system_us, memory_peak_bytes;
  std::uint64_t stdout_bytes = 0, stderr_bytes = 0;
  bool operator==(const ResourceRecord&) const = default;
};
struct OutputDigest {
  std::string name, sha256;
  std::uint64_t bytes = 0;
  bool operator==(const OutputDigest&) const = default;
};
struct UndeclaredOutput {
  std::string name;
  std::uint64_t bytes = 0;
  bool operator==(const UndeclaredOutput&) const = default;
};

/// What a run exchanged with one host and port.
struct HostUse {
  std::string host;                ///< name or address as it was judged; 1 to 1024
  std::uint64_t port = 0;          ///< 0: the attempt named none, as a question to the DNS stub
  std::uint64_t connections = 0;   ///< that were allowed
  std::uint64_t refused = 0;
  std::uint64_t bytes_in = 0;      ///< from the host
  std::uint64_t bytes_out = 0;     ///< to the host
  std::vector<std::string> intercepted = {};  ///< protocols in which its requests were read inside TLS
  bool operator==(const HostUse&) const = default;
};
canon::Json ToJson(const HostUse& use);

struct ReceiptExtension {
  std::string tier = "none";               ///< "none": nothing was started
  BackendVersion backend;
  std::string kernel;
  std::string version;                     ///< of the program that wrote the receipt
  MechanismMap enforced;
  std::string probe;                       ///< digest of the probe report
  TerminationRecord termination;
  ResourceRecord use;
  std::uint64_t duration_us = 0;           ///< claim to receipt, monotonic clock
  std::vector<OutputDigest> outputs;
  std::vector<std::string> missing;
  std::vector<UndeclaredOutput> undeclared;  ///< the first kUndeclaredMax are encoded
  std::uint64_t undeclared_more = 0;         ///< encoding adds what it cut off
  bool stdout_truncated = false, stderr_truncated = false;
  std::vector<HostUse> network;              ///< by host and port; the first kHostsListedMax are encoded
  std::uint64_t network_more = 0;            ///< hosts that are not listed; encoding adds what it cut off
  bool operator==(const ReceiptExtension&) const = default;
};
inline constexpr std::size_t kUndeclaredMax = 1000;
inline constexpr std::size_t kHostsListedMax = 1000;
canon::Json ToJson(const ReceiptExtension& extension);
Result<ReceiptExtension> DecodeReceiptExtension(const canon::Json& json, std::string_view path = "receipt.writ");
/// Sorts by host and port, and sets `network` and `networkMore` of an encoded receipt.writ.
void SetNetwork(canon::Json& json, std::vector<HostUse> hosts, std::uint64_t more);
canon::Json ToJson(const TerminationRecord& termination);
canon::Json ToJson(const ResourceRecord& use);
canon::Json ToJson(const BackendVersion& backend);
canon::Json ToJson(const MechanismMap& mechanisms);

/// What a request asks for; members that are absent take the plane's defaults.
struct RequestExtension {
  std::optional<std::string> tier, weakest;
  std::map<std::string, std::uint64_t, std::less<>> limits;  ///< JSON member ("memoryBytes") -> value
  MechanismMap accept;
  bool kill_on_output_limit = false;
  std::vector<InputDigest> inputs;
  std::vector<DeclaredOutput> outputs;
  std::optional<WorkspaceView> workspace;
  std::optional<RootImage> root;
  std::vector<std::string> env_from_caller;
  bool terminal = false;
  std::optional<StdinDigest> stdin_content;
  MechanismMap labels;
  std::optional<std::string> on_lost;
  std::optional<EgressGrant> egress;  ///< beyond the hosts that `network` of the request names
  bool operator==(const RequestExtension&) const = default;
};
/// `^[A-Za-z0-9_.:-]{1,128}$`: a label of a runner, and its value.
bool IsLabelText(std::string_view text);
/// What becomes of a run whose runner is lost: `fail` ends it with a receipt, `requeue` gives it to another runner.
bool IsOnLost(std::string_view what);
canon::Json ToJson(const RequestExtension& extension);
Result<RequestExtension> DecodeRequestExtension(const canon::Json& json, std::string_view path = "request.writ");

}  // namespace writ::contract
