#include "contract/manifest.h"

#include "contract/extension_parts.h"
#include "contract/names.h"
#include "contract/object_reader.h"
#include "contract/validators.h"

namespace writ::contract {

using canon::Json;

namespace {

constexpr std::size_t kFilesMax = 100000, kPatternsMax = 10000, kPatternLengthMax = 512, kPathLengthMax = 4096;

using extension_parts::TextArray;

Result<> CheckPath(const std::string& path, std::string_view where) {
  if (auto checked = CheckWorkspacePath(path); !checked) return std::unexpected(std::move(checked).error().Doing(where));
  return {};
}

Result<UntrackedFile> DecodeUntracked(const Json& json, std::string_view path) {
  UntrackedFile file;
  ObjectReader reader(json, path);
  reader.Text("path", file.path, 1, kPathLengthMax);
  reader.Hash("hash", file.hash);
  reader.Integer("bytes", file.bytes);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  if (auto done = CheckPath(file.path, path); !done) return std::unexpected(std::move(done).error());
  return file;
}

}  // namespace

WorkspaceManifest EmptyManifest() {
  WorkspaceManifest manifest;
  manifest.base_ref = kNoBaseRef;
  manifest.bundle_hash = kHashOfNothing;
  return manifest;
}

Json ToJson(const WorkspaceManifest& manifest) {
  Json::Array files;
  files.reserve(manifest.untracked_files.size());
  for (const UntrackedFile& file : manifest.untracked_files) {
    files.push_back(Json::Of({{"path", file.path}, {"hash", file.hash}, {"bytes", file.bytes}}));
  }
  Json json = Json::Of({{"version", kManifestVersion}, {"baseRef", manifest.base_ref}, {"bundleHash", manifest.bundle_hash}});
  if (manifest.dirty_diff_hash) json.Set("dirtyDiffHash", *manifest.dirty_diff_hash);
  json.Set("untrackedFiles", std::move(files));
  json.Set("deniedPatterns", TextArray(manifest.denied_patterns));
  json.Set("deniedPaths", TextArray(manifest.denied_paths));
  return json;
}

Result<WorkspaceManifest> DecodeManifest(const Json& json, std::string_view path) {
  WorkspaceManifest manifest;
  ObjectReader reader(json, path);
  std::string version;
  reader.Text("version", version, 1, 64);
  if (version != kManifestVersion) reader.Refuse("version", fmt::format("must be \"{}\"", kManifestVersion));
  reader.Text("baseRef", manifest.base_ref, 1, 256);
  reader.Hash("bundleHash", manifest.bundle_hash);
  reader.Hash("dirtyDiffHash", manifest.dirty_diff_hash);
  reader.Each("untrackedFiles", kFilesMax, true, [&](const Json& item, std::string_view where) -> Result<> {
    auto file = DecodeUntracked(item, where);
    if (!file) return std::unexpected(std::move(file).error());
    manifest.untracked_files.push_back(*std::move(file));
    return {};
  });
  reader.Texts("deniedPatterns", manifest.denied_patterns, kPatternsMax, kPatternLengthMax);
  reader.Texts("deniedPaths", manifest.denied_paths, kFilesMax, kPathLengthMax);
  if (auto done = reader.Finish(); !done) return std::unexpected(std::move(done).error());
  for (const std::string& denied : manifest.denied_paths) {
    if (auto done = CheckPath(denied, "deniedPaths"); !done) return std::unexpected(std::move(done).error());
  }
  return manifest;
}

}  // namespace writ::contract
