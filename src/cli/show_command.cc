#include <algorithm>

#include "base/escape.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/plane_link.h"
#include "cli/run_report.h"
#include "cli/table.h"
#include "contract/extension.h"
#include "contract/hash.h"

namespace writ::cli {
namespace {

using canon::Json;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::size_t kLinesShown = 20;        // of each list
constexpr std::size_t kRowColumns = 1000;

/// A member on a path of names, or nullptr.
const Json* At(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* here = &json;
  for (const auto name : path) {
    if (here) here = here->Find(name);
  }
  return here;
}

/// Text of a member, escaped; "-" when it is absent or no text.
std::string Text(const Json& json, std::initializer_list<std::string_view> path) {
  const Json* found = At(json, path);
  return found && found->is_string() && !found->string().empty() ? EscapeVisible(found->string(), kTextColumns) : "-";
}

void AddList(Rows& rows, std::string_view title, const std::vector<std::string>& lines) {
  for (std::size_t i = 0; i < std::min(lines.size(), kLinesShown); ++i) rows.push_back({i == 0 ? std::string(title) : "", lines[i]});
  if (lines.size() > kLinesShown) rows.push_back({"", fmt::format("and {} more", lines.size() - kLinesShown)});
}

void AddView(Rows& rows, const Json& contract, const contract::ContractExtension& asked) {
  rows.push_back({"  root", asked.root ? EscapeVisible(asked.root->label, kTextColumns) : "the host's system directories, read-only"});
  rows.push_back({"  /work", asked.workspace ? fmt::format("{} view, digest {}", EscapeVisible(asked.workspace->mode), EscapeVisible(asked.workspace->sha256.substr(0, 16)))
                                             : std::string("empty and writable")});
  std::vector<std::string> inputs, variables;
  for (const auto& input : asked.inputs) {
    inputs.push_back(fmt::format("/in/{}  {}  {}", EscapeVisible(input.name), FormatSize(input.bytes), EscapeVisible(input.sha256.substr(0, 16))));
  }
  AddList(rows, "  inputs", inputs);
  if (const Json* given = At(contract, {"execution", "env", "vars"}); given && given->is_object()) {
    for (const auto& [name, value] : given->object()) {
      variables.push_back(fmt::format("{}={}", EscapeVisible(name), value.is_string() ? EscapeVisible(value.string(), 60) : "?"));
    }
  }
  for (const auto& name : asked.env_from_caller) variables.push_back(fmt::format("{} (value not recorded)", EscapeVisible(name)));
  AddList(rows, "  env", variables);
  std::vector<std::string> hosts;
  if (asked.egress && asked.egress->open) hosts.push_back("every public host");
  if (asked.egress) {
    for (const auto& rule : asked.egress->rules) hosts.push_back(EscapeVisible(rule, kTextColumns));
    if (asked.egress->budget_bytes) hosts.push_back(fmt::format("at most {}", FormatSize(*asked.egress->budget_bytes)));
  } else if (const Json* allowed = At(contract, {"network", "allowHosts"}); allowed && allowed->is_array()) {
    for (const auto& host : allowed->array()) hosts.push_back(host.is_string() ? EscapeVisible(host.string()) : "?");
  }
  if (hosts.empty()) hosts.push_back("none");
  AddList(rows, "  network", hosts);
}

void AddEnd(Rows& rows, const contract::ReceiptExtension& got) {
  const auto& use = got.use;
  std::string how = EscapeVisible(got.termination.how);
  if (got.termination.code) how += fmt::format(" {}", *got.termination.code);
  if (got.termination.message) how += fmt::format(": {}", EscapeVisible(*got.termination.message, kTextColumns));
  rows.push_back({"  end", how});
  rows.push_back({"  time", fmt::format("{:.2f}s{}", static_cast<double>(use.wall_us) / 1e6,
                                        use.cpu_user_us || use.cpu_system_us
                                            ? fmt::format(", cpu {:.2f}s", static_cast<double>(use.cpu_user_us.value_or(0) + use.cpu_system_us.value_or(0)) / 1e6)
                                            : "")});
  if (use.memory_peak_bytes) rows.push_back({"  memory", FormatSize(*use.memory_peak_bytes)});
  rows.push_back({"  output", fmt::format("stdout {}, stderr {}", FormatSize(use.stdout_bytes), FormatSize(use.stderr_bytes))});
  std::vector<std::string> enforced;
  for (const auto& [limit, mechanism] : got.enforced) enforced.push_back(fmt::format("{} {}", EscapeVisible(limit), EscapeVisible(mechanism)));
  rows.push_back({"  enforced", enforced.empty() ? "nothing was started" : fmt::format("{}", fmt::join(enforced, ", "))});
}

void AddHosts(Rows& rows, const contract::ReceiptExtension& got) {
  std::vector<std::string> reached, refused;
  for (const auto& use : got.network) {
    const bool brackets = use.host.find(':') != std::string::npos;
    const std::string end = fmt::format("{}{}{}:{}", brackets ? "[" : "", EscapeVisible(use.host, kTextColumns), brackets ? "]" : "", use.port);
    if (use.connections > 0) {
      reached.push_back(fmt::format("{}  {} connections, {} in, {} out", end, use.connections, FormatSize(use.bytes_in), FormatSize(use.bytes_out)));
    }
    if (use.refused > 0) refused.push_back(fmt::format("{}  {} times", end, use.refused));
  }
  AddList(rows, "  reached", reached);
  AddList(rows, "  refused", refused);
  if (got.network_more > 0) rows.push_back({"", fmt::format("and {} more hosts in the events", got.network_more)});
}

void AddChanges(Rows& rows, const std::vector<Json>& events, const contract::ReceiptExtension& got) {
  std::vector<std::string> changed, outputs, undeclared;
  for (const auto& entry : events) {
    const Json* event = entry.Find("event");
    const std::string* type = event ? event->FindString("type") : nullptr;
    if (type && *type == "file.changed") changed.push_back(Text(*event, {"path"}));
  }
  if (changed.empty()) changed.push_back("no files");
  AddList(rows, "  changed", changed);
  for (const auto& output : got.outputs) outputs.push_back(fmt::format("{}  {}", EscapeVisible(output.name, kTextColumns), FormatSize(output.bytes)));
  AddList(rows, "  outputs", outputs);
  for (const auto& other : got.undeclared) undeclared.push_back(EscapeVisible(other.name, kTextColumns));
  AddList(rows, "  undeclared", undeclared);
}

/// The screen of `writ show`. An object of the store that cannot be read shows as far as it can.
std::string Render(const api::RunDetails& run, const std::vector<Json>& events) {
  const Json& contract = run.contract;
  const Json* asked_json = contract.Find("writ");
  const auto asked = contract::DecodeContractExtension(asked_json ? *asked_json : Json());
  Rows rows;
  rows.push_back({"Run", fmt::format("{}  {}", EscapeVisible(run.row.run_id), EscapeVisible(run.row.status))});
  rows.push_back({"Who asked", fmt::format("{} ({}), {} UTC", Text(contract, {"requestedBy", "id"}), Text(contract, {"requestedBy", "kind"}), ShowTime(run.row.created_at))});
  if (asked && asked->identity) rows.push_back({"  as", EscapeVisible(*asked->identity)});
  rows.push_back({"What was asked", EscapeVisible(run.row.command, kTextColumns)});
  rows.push_back({"  tier", asked ? EscapeVisible(asked->tier) : "the contract's extension cannot be read"});
  rows.push_back({"  policy", Text(contract, {"policyHash"})});
  if (asked) {
    rows.push_back({"What it could see", ""});
    AddView(rows, contract, *asked);
  }
  rows.push_back({"What happened", fmt::format("{} events", run.events)});
  if (run.receipt) {
    const Json* got_json = run.receipt->Find("writ");
    const auto got = contract::DecodeReceiptExtension(got_json ? *got_json : Json());
    if (got) {
      AddEnd(rows, *got);
      AddHosts(rows, *got);
    } else {
      rows.push_back({"  end", "the receipt's extension cannot be read"});
    }
    rows.push_back({"What changed", ""});
    AddChanges(rows, events, got.value_or(contract::ReceiptExtension{}));
    rows.push_back({"Receipt", ReceiptHash(*run.receipt)});
    rows.push_back({"  verify", fmt::format("writ verify {}", ShortRunId(run.row.run_id))});
  } else {
    rows.push_back({"Receipt", run.row.live ? "not yet: the run is going on" : "none"});
  }
  return RenderTable(rows, kRowColumns);
}

Json ToJson(const api::RunDetails& run, const std::vector<api::ArtifactRow>& artifacts) {
  Json list = Json::MakeArray();
  for (const auto& artifact : artifacts) {
    Json one = Json::Of({{"kind", artifact.kind}});
    if (!artifact.name.empty()) one.Set("name", artifact.name);
    one.Set("sha256", artifact.sha256).Set("bytes", artifact.bytes);
    list.Append(std::move(one));
  }
  Json json = Json::Of({{"run", RunRowJson(run.row)}, {"contract", run.contract}});
  if (run.receipt) json.Set("receipt", *run.receipt).Set("receiptHash", ReceiptHash(*run.receipt));
  json.Set("events", run.events).Set("artifacts", std::move(list));
  return json;
}

}  // namespace

int ShowCommand(Context& context) {
  if (NamesPlane(context)) return PlaneShowCommand(context);
  if (const auto confined = context.wiring.confine(Network::kNone); !confined) return Complain(context, confined.error());
  const auto plane = OpenPlane();
  const auto run = plane->Show(context.operand(0));
  if (!run) return Complain(context, run.error());
  if (context.json()) {
    const auto artifacts = plane->Artifacts(run->row.run_id);
    if (!artifacts) return Complain(context, artifacts.error());
    return PrintJson(context, ToJson(*run, *artifacts));
  }
  const auto events = plane->Events(run->row.run_id);
  if (!events) return Complain(context, events.error());
  return Print(context, Render(*run, *events));
}

}  // namespace writ::cli
