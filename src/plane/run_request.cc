#include "plane/run_request.h"

#include <algorithm>
#include <array>

#include "base/utf8.h"
#include "contract/validators.h"

namespace writ::plane {

using canon::Json;

namespace {

constexpr std::size_t kPromptMax = 1000000, kSecretsMax = 256, kHostsMax = 1000;
constexpr std::array<std::string_view, 3> kIsolations = {"process", "hermetic", "vercel-sandbox"};

std::string TypeName(const Json* value) {
  if (value == nullptr) return "undefined";
  if (value->is_null()) return "null";
  if (value->is_bool()) return "boolean";
  if (value->is_number()) return "number";
  if (value->is_string()) return "string";
  return value->is_array() ? "array" : "object";
}

/// `a.b[3].c` -> `a.b.3.c`: paths of the wire have dots only.
std::string WirePath(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '[') {
      out += '.';
    } else if (c != ']') {
      out += c;
    }
  }
  return out;
}

/// Gathers what is wrong, one issue per member.
class Issues {
 public:
  void Add(std::string_view path, std::string_view text) { issues_.push_back(fmt::format("{}: {}", path, text)); }

  /// An error of a decoder: `path: text`. An unknown member is an issue of the object that has it.
  void AddError(const Error& error, std::string_view path) {
    constexpr std::string_view kUnknown = ": is not a known member";
    std::string_view what = error.what;
    if (what.ends_with(kUnknown)) {
      const std::string_view member = what.substr(0, what.size() - kUnknown.size());
      const auto dot = member.rfind('.');
      if (dot != std::string_view::npos)
        return Add(WirePath(member.substr(0, dot)), fmt::format("Unrecognized key: \"{}\"", member.substr(dot + 1)));
    }
    const auto colon = what.find(": ");
    if (what.starts_with(path) && colon != std::string_view::npos)
      return Add(WirePath(what.substr(0, colon)), what.substr(colon + 2));
    Add(path, what);
  }
  template <class T, class Out>
  void Take(Out& out, Result<T> value, std::string_view path) {
    if (value) {
      out = *std::move(value);
    } else {
      AddError(value.error(), path);
    }
  }
  bool empty() const { return issues_.empty(); }
  std::vector<std::string> Take() { return std::move(issues_); }

 private:
  std::vector<std::string> issues_;
};

class RequestReader {
 public:
  RequestReader(const Json& json, Issues& issues) : json_(json), issues_(issues) {}

  RunRequest Read() {
    RunRequest request;
    Object("requestedBy", request.requested_by, contract::DecodeActor);
    Text("agentKind", request.agent.kind, 1, 64);
    if (json_.Find("agentVersion") != nullptr) Text("agentVersion", request.agent.version.emplace(), 0, 128);
    Text("prompt", request.prompt, 1, kPromptMax);
    Checked("pool", request.pool, contract::CheckPoolName);
    Names(request.secret_names);
    Object("workspace", request.workspace, contract::DecodeManifest);
    Object("network", request.network, contract::DecodeNetwork);
    NormaliseHosts(request.network.allow_hosts);
    Object("budget", request.budget, contract::DecodeBudget);
    Text("disclosure", request.disclosure, 1, 64);
    if (json_.FindString("disclosure") != nullptr && !request.disclosure.empty() && !contract::IsDisclosureMode(request.disclosure))
      issues_.Add("request.disclosure", R"(Invalid option: expected one of "none"|"metadata-only"|"redacted"|"minimal-context"|"full")");
    if (json_.Find("execution") != nullptr) Object("execution", request.execution, contract::DecodeExecution);
    if (json_.Find("isolation") != nullptr) {
      Text("isolation", request.isolation.emplace(), 0, 64);
      if (json_.FindString("isolation") != nullptr && std::ranges::find(kIsolations, *request.isolation) == kIsolations.end())
        issues_.Add("request.isolation", R"(Invalid option: expected one of "process"|"hermetic"|"vercel-sandbox")");
    }
    if (json_.Find("continuation") != nullptr) Object("continuation", request.continuation, contract::DecodeContinuation);
    if (json_.Find("writ") != nullptr) Object("writ", request.writ, contract::DecodeRequestExtension);
    return request;
  }

 private:
  static std::string Path(std::string_view name) { return fmt::format("request.{}", name); }

  const Json* Required(std::string_view name, std::string_view type) {
    const Json* member = json_.Find(name);
    const bool right = member != nullptr && TypeName(member) == type;
    if (!right) issues_.Add(Path(name), fmt::format("Invalid input: expected {}, received {}", type, TypeName(member)));
    return right ? member : nullptr;
  }
  template <class Out, class T>
  void Object(std::string_view name, Out& out, Result<T> (*decode)(const Json&, std::string_view)) {
    const std::string path = Path(name);
    if (const Json* member = Required(name, "object")) issues_.Take(out, decode(*member, path), path);
  }
  void Text(std::string_view name, std::string& out, std::size_t min, std::size_t max) {
    const Json* member = Required(name, "string");
    if (member == nullptr) return;
    const std::size_t length = Utf16Length(member->string());
    if (length < min) return issues_.Add(Path(name), fmt::format("Too small: expected string to have >={} characters", min));
    if (length > max) return issues_.Add(Path(name), fmt::format("Too big: expected string to have <={} characters", max));
    out = member->string();
  }
  void Checked(std::string_view name, std::string& out, Result<std::string> (*check)(std::string_view)) {
    const std::string path = Path(name);
    if (const Json* member = Required(name, "string")) issues_.Take(out, check(member->string()), path);
  }
  void Names(std::vector<std::string>& out) {
    const Json* list = Required("secretNames", "array");
    if (list == nullptr) return;
    if (list->array().size() > kSecretsMax)
      return issues_.Add("request.secretNames", fmt::format("Too big: expected array to have <={} items", kSecretsMax));
    for (std::size_t i = 0; i < list->array().size(); ++i) {
      const Json& item = list->array()[i];
      const std::string path = fmt::format("request.secretNames.{}", i);
      if (!item.is_string()) {
        issues_.Add(path, fmt::format("Invalid input: expected string, received {}", TypeName(&item)));
        continue;
      }
      issues_.Take(out.emplace_back(), contract::CheckSecretName(item.string()), path);
    }
  }
  void NormaliseHosts(std::vector<std::string>& hosts) {
    for (std::size_t i = 0; i < std::min(hosts.size(), kHostsMax); ++i) {
      const std::string host = hosts[i];
      issues_.Take(hosts[i], contract::CheckAllowHost(host), fmt::format("request.network.allowHosts.{}", i));
    }
  }

  const Json& json_;
  Issues& issues_;
};

}  // namespace

Answer<Submission> DecodeSubmission(const Json& body) {
  Issues issues;
  if (!body.is_object()) {
    issues.Add("(root)", fmt::format("Invalid input: expected object, received {}", TypeName(&body)));
    return InvalidRequest(issues.Take());
  }
  Submission submission;
  if (const Json* dry_run = body.Find("dryRun")) {
    if (dry_run->is_bool()) {
      submission.dry_run = dry_run->boolean();
    } else {
      issues.Add("dryRun", fmt::format("Invalid input: expected boolean, received {}", TypeName(dry_run)));
    }
  }
  const Json* request = body.Find("request");
  if (request == nullptr || !request->is_object()) {
    issues.Add("request", fmt::format("Invalid input: expected object, received {}", TypeName(request)));
  } else {
    submission.request = RequestReader(*request, issues).Read();
  }
  if (!issues.empty()) return InvalidRequest(issues.Take());
  return submission;
}

contract::ExecutionSpec ExecutionOf(const RunRequest& request) {
  return request.execution ? *request.execution : contract::DefaultExecution(request.agent, request.prompt);
}

}  // namespace writ::plane
