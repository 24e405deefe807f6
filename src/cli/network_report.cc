#include "cli/network_report.h"

#include <algorithm>

#include "api/repeat_command.h"
#include "base/escape.h"
#include "base/shell_quote.h"
#include "cli/context.h"
#include "cli/table.h"

namespace writ::cli {
namespace {

using canon::Json;

constexpr std::size_t kEndsShown = 50;  // of each list; the JSON form has more

template <class Item>
Json List(const std::vector<Item>& items) {
  Json list = Json::MakeArray();
  for (const auto& item : items) list.Append(api::ToJson(item));
  return list;
}

Json Texts(const std::vector<std::string>& texts) {
  Json list = Json::MakeArray();
  for (const auto& text : texts) list.Append(text);
  return list;
}

std::string RefusalLines(const api::NetworkStory& story) {
  std::string out;
  for (std::size_t i = 0; i < std::min(story.refused.size(), kEndsShown); ++i) {
    const auto& one = story.refused[i];
    std::string what = EscapeVisible(one.target, kTextColumns);
    if (!one.method.empty()) what += fmt::format(" {} {}", EscapeVisible(one.method, 40), EscapeVisible(one.path, kTextColumns));
    out += fmt::format("  {}  ({}{})\n", what, EscapeVisible(one.via, 40), one.count > 1 ? fmt::format(", {} times", one.count) : "");
    out += fmt::format("    {}{}\n", EscapeVisible(one.reason, kTextColumns),
                       one.rule.empty() ? "" : fmt::format(" (rule {})", EscapeVisible(one.rule, kTextColumns)));
    if (!one.grant.empty()) {
      api::NetworkRequest grant{.asked = true, .open = false, .rules = {one.grant}, .budget_bytes = {}};
      out += fmt::format("    would be allowed by: {}\n", EscapeVisible(ShellQuote(api::NetworkOptions(grant)), kTextColumns));
    }
  }
  const std::size_t more = story.refused.size() - std::min(story.refused.size(), kEndsShown);
  if (more > 0 || story.refused_more > 0) out += fmt::format("  and {} more\n", more + story.refused_more);
  return out;
}

}  // namespace

std::string RenderRefusals(const api::Explanation& explained) {
  const auto& story = explained.story;
  const std::string state = explained.live ? ", which is going on," : "";
  if (story.refused.empty()) return fmt::format("run {}{} was refused nothing\n", ShortRunId(explained.run_id), state);
  std::string out = fmt::format("run {}{} was refused\n{}", ShortRunId(explained.run_id), state, RefusalLines(story));
  if (explained.granting_command.empty()) return out;
  if (story.WithGrants().rules == story.granted.rules) return out + "no grant would allow any of it\n";
  return out + fmt::format("to allow it, repeat the run so:\n  {}\n", EscapeVisible(explained.granting_command));
}

std::string RenderLearned(const api::Explanation& explained) {
  const auto& story = explained.story;
  std::string out = fmt::format("writ: learned from run {} under open rules\n", ShortRunId(explained.run_id));
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min(story.used.size(), kEndsShown); ++i) {
    const auto& used = story.used[i];
    rows.push_back({i == 0 ? "  used" : "", fmt::format("{} port {}", EscapeVisible(used.host, kTextColumns), used.port), fmt::format("{} connections", used.connections)});
  }
  if (const std::size_t more = story.used.size() - std::min(story.used.size(), kEndsShown) + story.used_more; more > 0)
    rows.push_back({"", fmt::format("and {} more", more), ""});
  if (story.used.empty()) rows.push_back({"  used", "no host", ""});
  rows.push_back({"  changed", fmt::format("{} files", story.files.size() + story.files_more), ""});
  out += RenderTable(rows, 1000);
  if (!story.refused.empty()) out += "refused even so\n" + RefusalLines(story);
  return out + fmt::format("the least that this run needed:\n  {}\n", EscapeVisible(explained.least_command));
}

Json ExplanationJson(const api::Explanation& explained) {
  const auto& story = explained.story;
  Json json = Json::Of({{"runId", explained.run_id}, {"live", explained.live}, {"refused", List(story.refused)}});
  if (story.refused_more > 0) json.Set("refusedMore", story.refused_more);
  return json.Set("rules", Texts(story.WithGrants().rules)).Set("command", explained.granting_command);
}

Json LearnedJson(const api::Explanation& explained) {
  const auto& story = explained.story;
  Json json = Json::Of({{"rules", Texts(story.Least().rules)}, {"used", List(story.used)}, {"files", Texts(story.files)}, {"refused", List(story.refused)}});
  if (story.used_more > 0) json.Set("usedMore", story.used_more);
  if (story.files_more > 0) json.Set("filesMore", story.files_more);
  if (story.refused_more > 0) json.Set("refusedMore", story.refused_more);
  return json.Set("command", explained.least_command);
}

}  // namespace writ::cli
