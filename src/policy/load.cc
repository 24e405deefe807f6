#include "policy/load.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "policy/document.h"
#include "policy/schema.h"
#include "policy/yaml.h"
#include "sys/file.h"

namespace writ::policy {
namespace {

constexpr std::size_t kDepthMax = 32;

/// A policy in JSON is an object. YAML could begin with the same character, but nobody writes a policy on one line.
bool LooksLikeJson(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

Checked CheckJson(std::string_view text) {
  Checked checked;
  auto json = canon::Parse(text, canon::Mode::kStrict, {.bytes_max = kPolicyBytesMax, .depth_max = kDepthMax});
  if (!json) {
    Report(checked.problems, true, "", json.error().what + " (a text that starts with { is read as JSON)");
    return checked;
  }
  checked.policy = Decode(*std::move(json), checked.problems);
  return checked;
}

Checked CheckYaml(std::string_view text) {
  Checked checked;
  const auto root = ReadYaml(text, {.bytes_max = kPolicyBytesMax});
  if (!root) {
    checked.problems.push_back(
        {.path = {}, .text = root.error().text, .line = root.error().line, .column = root.error().column});
    return checked;
  }
  Document document = ConvertYaml(*root);
  const bool usable = std::ranges::none_of(document.problems, &Problem::fatal);
  checked.problems = document.problems;
  std::vector<Problem> found;
  auto policy = Decode(document.json, found);
  // What conversion left out is missing in the JSON for that reason alone.
  if (!usable) return checked;
  for (Problem& problem : found) {
    document.Locate(problem);
    Report(checked.problems, problem.fatal, problem.path, problem.text);
    checked.problems.back().line = problem.line;
    checked.problems.back().column = problem.column;
  }
  if (policy && std::ranges::none_of(checked.problems, &Problem::fatal)) {
    policy->warnings = checked.problems;
    checked.policy = std::move(policy);
  }
  return checked;
}

std::string FatalProblems(const std::vector<Problem>& problems, std::string_view source) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!problem.fatal) continue;
    if (!text.empty()) text += '\n';
    text += FormatProblem(problem, source);
  }
  return text;
}

}  // namespace

Checked Check(std::string_view text, std::string_view source) {
  Checked checked;
  if (text.size() > kPolicyBytesMax) {
    Report(checked.problems, true, "", fmt::format("is longer than {} bytes", kPolicyBytesMax));
    return checked;
  }
  checked = LooksLikeJson(text) ? CheckJson(text) : CheckYaml(text);
  if (checked.policy) checked.policy->source = source;
  return checked;
}

Result<Policy> Load(std::string_view text, std::string_view source) {
  if (text.size() > kPolicyBytesMax) {
    return Fail(Code::kExhausted, "policy {} is longer than {} bytes", source, kPolicyBytesMax);
  }
  Checked checked = Check(text, source);
  if (checked.policy) return *std::move(checked.policy);
  return Fail(Code::kInvalid, "{}", FatalProblems(checked.problems, source));
}

Result<std::string> ReadPolicyFile(const std::string& path) {
  const std::string doing = fmt::format("read policy {}", path);
  // O_NONBLOCK: opening a FIFO that nobody writes to must not wait.
  const sys::UniqueFd fd = WRIT_TRY(doing, sys::OpenFile(path, O_RDONLY | O_NONBLOCK));
  const sys::FileMeta meta = WRIT_TRY(doing, sys::MetaOf(fd.get()));
  if (meta.type != sys::FileType::kRegular) return Fail(Code::kInvalid, "{}: it is not a regular file", doing);
  if (meta.uid != 0 && meta.uid != ::geteuid()) {
    return Fail(Code::kDenied, "{}: it belongs to user {}, who could change it; a policy must belong to you or to root",
                doing, meta.uid);
  }
  if ((meta.mode & 022) != 0) {
    return Fail(Code::kDenied, "{}: others may write it (mode {:04o}); run: chmod go-w {}", doing, meta.mode, path);
  }
  return WRIT_TRY(doing, sys::ReadAll(fd.get(), kPolicyBytesMax));
}

Result<Policy> LoadFile(const std::string& path) { return Load(WRIT_TRY("load policy", ReadPolicyFile(path)), path); }

Result<std::string> LocalPolicyPath(const EnvLookup& env, bool root) {
  if (root) return "/etc/writ/policy.yaml";
  for (const auto& [variable, below] :
       {std::pair{"XDG_CONFIG_HOME", "/writ/policy.yaml"}, {"HOME", "/.config/writ/policy.yaml"}}) {
    const auto value = env(variable);
    if (!value || value->empty()) continue;
    if (value->front() != '/') {
      return Fail(Code::kInvalid, "{} is \"{}\"; it must be an absolute path", variable, *value);
    }
    return *value + below;
  }
  return Fail(Code::kInvalid,
              "neither XDG_CONFIG_HOME nor HOME is set, so there is no place for policy.yaml; "
              "set one of them or name the file with --policy");
}

Result<Policy> LoadLocal(const std::optional<std::string>& explicit_path, const EnvLookup& env) {
  if (explicit_path) return LoadFile(*explicit_path);
  const std::string path = WRIT_TRY("find policy", LocalPolicyPath(env, ::geteuid() == 0));
  auto text = ReadPolicyFile(path);
  if (text) return Load(*text, path);
  if (text.error().code == Code::kNotFound) return LocalDefault();
  return std::unexpected(std::move(text).error());
}

}  // namespace writ::policy
