#include "workspace/git_head.h"

#include <algorithm>

#include "sys/beneath.h"

namespace writ::workspace {
namespace {

constexpr std::size_t kReferenceBytesMax = 4096;
constexpr std::size_t kPackedBytesMax = 64u << 20;
constexpr int kSymbolicMax = 5;  // as git: more are a loop

bool IsObjectName(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool IsReferenceName(std::string_view name) {
  return name.starts_with("refs/") && sys::IsPlainRelativePath(name) && name.find("..") == name.npos &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c <= ' ' || c == 0x7F; });
}

Result<std::optional<std::string>> ReadIfThere(const sys::UniqueFd& root, const std::string& path, std::size_t max) {
  auto text = sys::ReadFileBeneath(root, path, max);
  if (text) return std::optional(*std::move(text));
  if (text.error().code == Code::kNotFound) return std::nullopt;
  return std::unexpected(std::move(text).error());
}

}  // namespace

Result<GitReference> ParseGitReference(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (IsObjectName(text)) return GitReference{.commit = std::string(text), .symbolic = {}};
  constexpr std::string_view kPrefix = "ref:";
  if (text.starts_with(kPrefix)) {
    text.remove_prefix(kPrefix.size());
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    if (IsReferenceName(text)) return GitReference{.commit = {}, .symbolic = std::string(text)};
  }
  return Fail(Code::kCorrupt, "neither a commit nor \"ref: refs/...\": {:?}", text.substr(0, 80));
}

std::optional<std::string> FindPackedReference(std::string_view packed_refs, std::string_view name) {
  while (!packed_refs.empty()) {
    const std::size_t end = std::min(packed_refs.find('\n'), packed_refs.size());
    std::string_view line = packed_refs.substr(0, end);
    packed_refs.remove_prefix(std::min(end + 1, packed_refs.size()));
    // "# pack-refs with: ..." and "^commit of the tag above" have no space after 40 or 64 digits.
    const std::size_t space = line.find(' ');
    if (space != line.npos && line.substr(space + 1) == name && IsObjectName(line.substr(0, space))) {
      return std::string(line.substr(0, space));
    }
  }
  return std::nullopt;
}

Result<std::optional<std::string>> ReadGitHead(const sys::UniqueFd& root) {
  auto directory = sys::StatBeneath(root, ".git");
  if (!directory && directory.error().code != Code::kNotFound) return std::unexpected(std::move(directory).error());
  if (!directory || directory->type != sys::FileType::kDirectory) return std::nullopt;
  std::string file = "HEAD";
  for (int depth = 0; depth <= kSymbolicMax; ++depth) {
    const auto text = WRIT_TRY("read git HEAD", ReadIfThere(root, ".git/" + file, kReferenceBytesMax));
    if (!text) {
      if (file == "HEAD") return std::nullopt;
      const auto packed = WRIT_TRY("read git HEAD", ReadIfThere(root, ".git/packed-refs", kPackedBytesMax));
      return packed ? FindPackedReference(*packed, file) : std::nullopt;
    }
    GitReference reference = WRIT_TRY(fmt::format("read .git/{}", file), ParseGitReference(*text));
    if (reference.symbolic.empty()) return std::optional(std::move(reference.commit));
    file = std::move(reference.symbolic);
  }
  return Fail(Code::kCorrupt, "git HEAD goes through more than {} symbolic references", kSymbolicMax);
}

}  // namespace writ::workspace
