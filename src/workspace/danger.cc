#include "workspace/danger.h"

#include <algorithm>

#include "base/utf8.h"
#include "base/escape.h"

namespace writ::workspace {
namespace {

struct Line {
  std::string_view part;  ///< looked for in "/path/", so a slash at an end is the border of a component
  std::string_view why;
};

constexpr Line kLines[] = {
    // What git runs or obeys.
    {"/.git/hooks/", "git runs its hooks"},
    {"/.git/config/", "git configuration can name programs (core.fsmonitor, aliases, filters)"},
    {"/.git/config.worktree/", "git configuration can name programs (core.fsmonitor, aliases, filters)"},
    {"/.git/info/attributes/", "git attributes choose filters and merge programs"},
    {"/.git/objects/info/alternates/", "git reads objects of another repository"},
    {"/.git/commondir/", "git takes hooks and configuration from another directory"},
    {"/.git/gitdir/", "git takes hooks and configuration from another directory"},
    {"/.git/modules/", "a submodule's repository has hooks and configuration of its own"},
    {"/.git/worktrees/", "a worktree's repository has configuration of its own"},
    {"/git~1/", "another name of .git on some file systems"},
    {"/.gitmodules/", "git clones the submodules it names, and runs the updates it names"},
    {"/.gitattributes/", "git attributes choose filters and merge programs"},
    {"/.husky/", "installed as git hooks"},
    {"/.githooks/", "git runs its hooks where core.hooksPath names it"},
    {"/.git-hooks/", "git runs its hooks where core.hooksPath names it"},
    {"/.pre-commit-config.yaml/", "installed as git hooks"},
    {"/lefthook.yml/", "installed as git hooks"},
    {"/lefthook.yaml/", "installed as git hooks"},
    {"/.lefthook.yml/", "installed as git hooks"},
    {"/.lefthook.yaml/", "installed as git hooks"},
    // What shells and environment loaders read.
    {"/.env/", "loaded into the environment of programs started here"},
    {"/.env.", "loaded into the environment of programs started here"},
    {"/.envrc/", "direnv runs it on entering the directory"},
    {"/.mise.toml/", "sets the environment and runs hooks on entering the directory"},
    {"/mise.toml/", "sets the environment and runs hooks on entering the directory"},
    {"/.bashrc/", "run by every new shell"},
    {"/.bash_profile/", "run by every login shell"},
    {"/.bash_logout/", "run when a shell ends"},
    {"/.profile/", "run by every login shell"},
    {"/.zshrc/", "run by every new shell"},
    {"/.zshenv/", "run by every new shell"},
    {"/.zprofile/", "run by every login shell"},
    {"/.config/fish/", "run by every new shell"},
    {"/.config/systemd/", "started by the user's service manager"},
    {"/.config/autostart/", "started at login"},
    {"/.config/git/", "git configuration can name programs"},
    {"/.gitconfig/", "git configuration can name programs"},
    {"/.ssh/", "decides who may log in and what ssh runs"},
    // What editors, debuggers and assistants run or obey.
    {"/.vscode/", "the editor runs tasks and takes program paths from it"},
    {"/.idea/", "the editor runs tasks and takes program paths from it"},
    {"/.fleet/", "the editor runs tasks and takes program paths from it"},
    {"/.zed/", "the editor runs tasks and takes program paths from it"},
    {"/.devcontainer/", "the editor builds and starts a container from it"},
    {"/.devcontainer.json/", "the editor builds and starts a container from it"},
    {".code-workspace/", "the editor runs tasks and takes program paths from it"},
    {"/.dir-locals.el/", "the editor evaluates it"},
    {"/.exrc/", "the editor evaluates it"},
    {"/.vimrc/", "the editor evaluates it"},
    {"/.nvim.lua/", "the editor evaluates it"},
    {"/.nvimrc/", "the editor evaluates it"},
    {"/.gdbinit/", "the debugger runs it"},
    {"/.lldbinit/", "the debugger runs it"},
    {"/.claude/", "coding assistants take commands and permissions from it"},
    {"/.cursor/", "coding assistants take commands and permissions from it"},
    {"/.codex/", "coding assistants take commands and permissions from it"},
    {"/.gemini/", "coding assistants take commands and permissions from it"},
    {"/.mcp.json/", "coding assistants start the programs it names"},
    // What package managers, language runtimes and build services read.
    {"/.npmrc/", "chooses registries, tokens and the programs npm runs"},
    {"/.yarnrc/", "names the program yarn runs"},
    {"/.yarnrc.yml/", "names the program yarn runs and its plugins"},
    {"/.pnpmfile.cjs/", "run by pnpm"},
    {"/.pypirc/", "chooses where packages are published"},
    {"/pip.conf/", "chooses where packages come from"},
    {"/sitecustomize.py/", "run by every Python that finds it"},
    {"/usercustomize.py/", "run by every Python that finds it"},
    {".pth/", "run by every Python that finds it"},
    {"/.cargo/config/", "names the compiler, runners and registries of cargo"},
    {"/.cargo/config.toml/", "names the compiler, runners and registries of cargo"},
    {"/.mvn/", "names extensions and options of Maven"},
    {"/.bazelrc/", "names options and programs of Bazel"},
    {"/.github/workflows/", "run by the build service after a push"},
    {"/.github/actions/", "run by the build service after a push"},
    {"/.gitlab-ci.yml/", "run by the build service after a push"},
    {"/.circleci/", "run by the build service after a push"},
    {"/jenkinsfile/", "run by the build service after a push"},
};

/// Lower case, without characters that some file systems ignore in names, with a slash at each end.
std::string Normalized(std::string_view path) {
  std::string text = "/";
  for (std::size_t at = 0; at < path.size();) {
    const Utf8Step step = DecodeUtf8(path, at);
    if (step.code < 0x80 && step.valid) {
      text += step.code >= 'A' && step.code <= 'Z' ? static_cast<char>(step.code + 32) : static_cast<char>(step.code);
    } else if (!step.valid || !IsHiddenCodePoint(step.code)) {
      text += path.substr(at, step.bytes);
    }
    at += step.bytes;
  }
  text += '/';
  return text;
}

bool LeadsOut(std::string_view path, std::string_view target) {
  if (target.starts_with('/')) return true;
  auto depth = std::count(path.begin(), path.end(), '/');
  for (std::size_t start = 0; start <= target.size();) {
    const std::size_t end = std::min(target.find('/', start), target.size());
    const std::string_view part = target.substr(start, end - start);
    if (part == "..") {
      if (--depth < 0) return true;
    } else if (!part.empty() && part != ".") {
      ++depth;
    }
    start = end + 1;
  }
  return false;
}

}  // namespace

std::string DangerOf(std::string_view path, const FileState& after) {
  if (after.type == EntryType::kDirectory) return {};
  const std::string text = Normalized(path);
  for (const Line& line : kLines) {
    if (text.find(line.part) != text.npos) return std::string(line.why);
  }
  // A `.git` that is no directory points to a repository elsewhere.
  if (text.ends_with("/.git/")) return "git takes hooks and configuration from the directory it names";
  if (after.type == EntryType::kFile && (after.mode & 06000) != 0) return "runs with the rights of its owner or group";
  if (after.type == EntryType::kSymlink && LeadsOut(path, after.target)) return "a link that leads out of the workspace";
  return {};
}

}  // namespace writ::workspace
