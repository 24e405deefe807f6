#include "api/network_story.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "api/json_texts.h"
#include "contract/extension.h"
#include "net/host_name.h"
#include "policy/egress_rule.h"

namespace writ::api {
namespace {

using canon::Json;

std::uint16_t PortOf(const Json& facts) {
  const Json* port = facts.Find("port");
  if (port == nullptr || !port->is_number() || !(port->number() >= 0 && port->number() <= 65535)) return 0;
  return static_cast<std::uint16_t>(port->number());
}

std::string Endpoint(const std::string& host, std::uint16_t port) {
  const bool brackets = host.find(':') != host.npos && !host.starts_with('[');
  const std::string shown = brackets ? "[" + host + "]" : host;
  return port == 0 ? shown : fmt::format("{}:{}", shown, port);
}

/// The rule inside `--net RULE` or `--net-rule 'RULE'`; empty when there is none that can be read.
std::string RuleOfGrant(std::string_view grant) {
  const std::size_t space = grant.find(' ');
  if (!grant.starts_with("--net") || space == grant.npos) return {};
  std::string_view rule = grant.substr(space + 1);
  if (rule.size() >= 2 && rule.starts_with('\'') && rule.ends_with('\'')) rule = rule.substr(1, rule.size() - 2);
  return policy::ParseEgressRule(rule) ? std::string(rule) : std::string();
}

class Teller {
 public:
  void Contract(const Json& contract) {
    if (const Json* execution = contract.Find("execution")) {
      if (auto command = TextOf(*execution, "command"); !command.empty()) story_.argv.push_back(std::move(command));
      if (const Json* args = execution->Find("args"); args != nullptr && args->is_array()) {
        for (const Json& arg : args->array())
          if (arg.is_string()) story_.argv.push_back(arg.string());
      }
    }
    const Json* writ = contract.Find(contract::kExtension);
    const Json* egress = writ == nullptr ? nullptr : writ->Find("egress");
    if (egress == nullptr) return;
    const auto grant = contract::DecodeEgressGrant(*egress);
    if (grant) story_.granted = {.asked = true, .open = grant->open, .rules = grant->rules, .budget_bytes = grant->budget_bytes};
  }

  void Entry(const Json& entry) {
    const Json* event = entry.Find("event");
    if (event == nullptr) return;
    const std::string type = TextOf(*event, "type");
    if (type == "file.changed") return File(TextOf(*event, "path"));
    const Json* facts = event->Find(contract::kExtension);
    static const Json kNone = Json::MakeObject();
    const Json& writ = facts != nullptr && facts->is_object() ? *facts : kNone;
    if (type == "writ.network.changed") {
      Change(TextOf(writ, "change"), TextOf(writ, "rule"));
    } else if (type == "writ.access.refused") {
      Refuse({.target = TextOf(writ, "subject"), .via = TextOf(writ, "what"), .method = {}, .path = {}, .rule = {},
              .reason = "refused by the tier", .grant = {}, .count = 1});
    } else if (type == "network.connected" && TextOf(*event, "decision") == "allowed") {
      if (const auto port = PortOf(writ); port != 0) ++used_[{TextOf(*event, "host"), port}];
    } else if (type == "network.connected") {
      Refuse({.target = Endpoint(TextOf(*event, "host"), PortOf(writ)), .via = TextOf(writ, "via"), .method = TextOf(writ, "method"),
              .path = TextOf(writ, "path"), .rule = TextOf(writ, "rule"), .reason = TextOf(writ, "reason"),
              .grant = RuleOfGrant(TextOf(writ, "grant")), .count = 1});
    }
  }

  NetworkStory Finish() {
    for (const auto& [end, connections] : used_) {
      if (story_.used.size() < kStoryGroupsMax) {
        story_.used.push_back({end.first, end.second, connections});
      } else {
        ++story_.used_more;
      }
    }
    return std::move(story_);
  }

 private:
  void Change(std::string_view change, const std::string& rule) {
    auto& granted = story_.granted;
    if (rule == "open") {
      granted.open = change == "add";
    } else if (change == "add") {
      granted.rules.push_back(rule);
    } else {
      std::erase(granted.rules, rule);
    }
  }

  void File(std::string path) {
    if (story_.files.size() < kStoryGroupsMax) {
      story_.files.push_back(std::move(path));
    } else {
      ++story_.files_more;
    }
  }

  void Refuse(RefusedAttempt attempt) {
    const auto key = std::tuple(attempt.target, attempt.via, attempt.method, attempt.path, attempt.rule);
    if (const auto known = groups_.find(key); known != groups_.end()) {
      ++story_.refused[known->second].count;
    } else if (story_.refused.size() < kStoryGroupsMax) {
      groups_.emplace(key, story_.refused.size());
      story_.refused.push_back(std::move(attempt));
    } else {
      ++story_.refused_more;
    }
  }

  NetworkStory story_;
  std::map<std::pair<std::string, std::uint16_t>, std::uint64_t> used_;
  std::map<std::tuple<std::string, std::string, std::string, std::string, std::string>, std::size_t> groups_;
};

void AddRule(NetworkRequest& network, std::string rule) {
  if (rule.empty() || std::ranges::find(network.rules, rule) != network.rules.end()) return;
  network.asked = true;
  network.rules.push_back(std::move(rule));
}

}  // namespace

NetworkRequest NetworkStory::WithGrants() const {
  NetworkRequest network = granted;
  // A name that was only looked up needs no rule of its own when a connection to it was refused too.
  const auto connected = [&](const std::string& host) {
    return std::ranges::any_of(refused, [&](const RefusedAttempt& other) {
      return other.via != "dns" && !other.grant.empty() && other.grant.starts_with(host + ":");
    });
  };
  for (const auto& attempt : refused)
    if (attempt.via != "dns" || !connected(attempt.target)) AddRule(network, attempt.grant);
  return network;
}

NetworkRequest NetworkStory::Least() const {
  NetworkRequest network;
  for (const auto& text : granted.rules) {
    const auto rule = policy::ParseEgressRule(text);
    if (rule && (rule->kind == policy::EgressRule::Kind::kRange || rule->by_request())) AddRule(network, text);
  }
  for (const auto& one : used) {
    const auto host = net::NormaliseHost(one.host);
    if (!host) continue;
    const bool by_request = std::ranges::any_of(network.rules, [&](const std::string& text) {
      const auto rule = policy::ParseEgressRule(text);
      return rule && rule->by_request() && rule->Matches({*host, one.port, {}});
    });
    if (!by_request) AddRule(network, Endpoint(one.host, one.port));
  }
  if (network.asked) network.budget_bytes = granted.budget_bytes;
  return network;
}

NetworkStory TellNetwork(const Json& contract, const std::vector<Json>& entries) {
  Teller teller;
  teller.Contract(contract);
  for (const Json& entry : entries) teller.Entry(entry);
  return teller.Finish();
}

Json ToJson(const RefusedAttempt& attempt) {
  Json json = Json::Of({{"target", attempt.target}, {"via", attempt.via}, {"count", attempt.count}});
  if (!attempt.method.empty()) json.Set("method", attempt.method);
  if (!attempt.path.empty()) json.Set("path", attempt.path);
  if (!attempt.rule.empty()) json.Set("rule", attempt.rule);
  json.Set("reason", attempt.reason);
  if (!attempt.grant.empty()) json.Set("grant", attempt.grant);
  return json;
}

Json ToJson(const UsedHost& used) {
  return Json::Of({{"host", used.host}, {"port", used.port}, {"connections", used.connections}});
}

}  // namespace writ::api
