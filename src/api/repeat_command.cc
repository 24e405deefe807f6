#include "api/repeat_command.h"

#include "base/limits.h"
#include "base/shell_quote.h"

namespace writ::api {
namespace {

constexpr std::size_t kBytesMax = 16 << 10;

/// The option of `writ run` that sets a limit, where it is not called like the limit.
std::string_view OptionOf(std::string_view limit) {
  if (limit == "wall-time") return "timeout";
  if (limit == "stdout") return "stdout-max";
  return limit == "stderr" ? "stderr-max" : limit;
}

class Words {
 public:
  void Add(std::string_view option, const std::string& value) {
    if (value.empty()) return;
    words_.push_back(fmt::format("--{}", option));
    words_.push_back(value);
  }
  void Flag(bool given, const char* option) {
    if (given) words_.emplace_back(option);
  }
  std::vector<std::string> Take() { return std::move(words_); }

 private:
  std::vector<std::string> words_;
};

}  // namespace

std::vector<std::string> OptionWords(const CreateRun& request) {
  Words words;
  words.Add("workspace", request.workspace);
  for (const auto& input : request.inputs) words.Add("input", input.name.empty() ? input.path : input.path + ":" + input.name);
  for (const auto& output : request.outputs) words.Add("output", output.name + (output.optional ? "?" : ""));
  words.Add("out-dir", request.out_dir);
  words.Add("root", request.root);
  words.Add("cwd", request.cwd);
  for (const auto& entry : request.env)
    words.Add("env", entry.source == EnvSource::kLiteral ? entry.name + "=" + entry.value : entry.name);
  for (const auto& secret : request.secrets)
    words.Add("secret", secret.variable.empty() ? secret.name : secret.name + "=" + secret.variable);
  words.Flag(request.stdin_fd.valid(), "-i");
  words.Flag(request.terminal.has_value(), "-t");
  for (const LimitField& field : LimitFields()) {
    const std::uint64_t value = field.get(request.limits);
    if (value != field.get(Limits{})) words.Add(OptionOf(field.name), FormatLimit(field, value));
  }
  if (request.kill_on_output_limit) words.Add("on-output-limit", "kill");
  if (request.tier != "process") words.Add("tier", request.tier);
  for (const auto& [limit, mechanism] : request.accepted) words.Add("accept", limit + "=" + mechanism);
  words.Add("policy", request.policy_file);
  words.Add("as", request.identity);
  return words.Take();
}

std::vector<std::string> OptionsOf(const CreateRun& request) {
  auto all = OptionWords(request);
  std::size_t bytes = 0;
  for (const auto& word : all) bytes += word.size() + 1;
  if (bytes > kBytesMax) all.clear();
  return all;
}

std::vector<std::string> NetworkOptions(const NetworkRequest& network) {
  Words words;
  if (network.open) words.Add("net", "open");
  for (const auto& rule : network.rules) {
    const bool long_form = rule.find(' ') != std::string::npos || rule == "none" || rule == "open";
    words.Add(long_form ? "net-rule" : "net", rule);
  }
  if (network.budget_bytes) words.Add("net-budget", std::to_string(*network.budget_bytes));
  return words.Take();
}

std::string RepeatCommand(const std::vector<std::string>& options, const NetworkRequest& network,
                          const std::vector<std::string>& argv) {
  std::vector<std::string> words{"writ", "run"};
  words.insert(words.end(), options.begin(), options.end());
  for (auto& word : NetworkOptions(network)) words.push_back(std::move(word));
  words.emplace_back("--");
  words.insert(words.end(), argv.begin(), argv.end());
  return ShellQuote(words);
}

}  // namespace writ::api
