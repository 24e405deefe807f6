#include "workspace/collect.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "sys/beneath.h"
#include "workspace/content.h"
#include "workspace/walk.h"

namespace writ::workspace {
namespace {

constexpr std::size_t kUndeclaredEntriesMax = 1'000'000;
constexpr std::size_t kOutputsMax = 1000;

bool IsAtOrBelow(std::string_view path, std::string_view directory) {
  return path == directory || (path.size() > directory.size() && path.starts_with(directory) &&
                               path[directory.size()] == '/');
}

/// Walks the whole of /out once: declared outputs are taken, directories on the way to one are entered, everything
/// else is listed by its topmost name.
class Collector final : public TreeVisitor {
 public:
  Collector(const std::vector<DeclaredOutput>& declared, const CollectLimits& limits, BlobSink& sink)
      : declared_(declared), limits_(limits), sink_(sink) {}

  Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) override {
    const sys::FileType type = entry.meta.type;
    const DeclaredOutput* output = OutputOf(path);
    if (output == nullptr) {
      if (type == sys::FileType::kDirectory && LeadsToOutput(path)) return true;
      Undeclared(path);
      return false;
    }
    if (type != sys::FileType::kRegular && type != sys::FileType::kDirectory) {
      Refuse(path, output->name,
             type == sys::FileType::kSymlink ? "a symbolic link is not collected"
                                             : fmt::format("a {} is not collected", SpecialFileName(entry)));
      return false;
    }
    if (++entries_ > limits_.entries_max) {
      return Fail(Code::kExhausted, "declared outputs hold more than {} files and directories", limits_.entries_max);
    }
    FileState state;
    state.mode = entry.meta.mode;
    state.links = type == sys::FileType::kDirectory ? 1 : entry.meta.links;
    if (type == sys::FileType::kDirectory) {
      state.type = EntryType::kDirectory;
    } else {
      if (entry.meta.bytes > limits_.bytes_max - bytes_) {
        return Fail(Code::kExhausted, "declared outputs hold more than {} bytes", limits_.bytes_max);
      }
      bytes_ += entry.meta.bytes;
      auto kept = WRIT_TRY("collect", sink_.Put(ReadExactly(entry.fd.get(), entry.meta.bytes)));
      state.sha256 = std::move(kept.sha256);
      state.bytes = kept.bytes;
    }
    CollectedOutput& collected = found_[output->name];
    if (path == output->name) {
      collected.type = state.type;
      collected.mode = state.mode;
      collected.bytes = state.bytes;
      collected.sha256 = state.sha256;
    } else {
      collected.files.entries.push_back({path.substr(output->name.size() + 1), std::move(state)});
    }
    return true;
  }

  Result<> OnUnreadable(const std::string& path, const Error& error) override {
    if (error.code == Code::kExhausted) return std::unexpected(error);
    if (const DeclaredOutput* output = OutputOf(path)) {
      Refuse(path, output->name, error.what);
    } else {
      Undeclared(path);
    }
    return {};
  }

  Result<> OnTooLong(const std::string& parent) override {
    if (OutputOf(parent) != nullptr) return Fail(Code::kExhausted, "a path in {:?} is longer than 4095 bytes", parent);
    ++collection_.undeclared_count;
    return {};
  }

  Collection Finish() && {
    const auto by_path = [](const auto& a, const auto& b) { return a.path < b.path; };
    for (const DeclaredOutput& output : declared_) {
      const auto found = found_.find(output.name);
      if (found == found_.end()) {
        if (!output.optional) collection_.missing.push_back({output.name, WhyMissing(output.name)});
        continue;
      }
      CollectedOutput& collected = found->second;
      collected.name = output.name;
      if (collected.type == EntryType::kDirectory) {
        std::sort(collected.files.entries.begin(), collected.files.entries.end(), by_path);
        for (const Entry& entry : collected.files.entries) collected.files.bytes += entry.state.bytes;
        collected.bytes = collected.files.bytes;
        collected.sha256 = DigestOf(collected.files);
      }
      collection_.outputs.push_back(std::move(collected));
    }
    std::sort(collection_.refused.begin(), collection_.refused.end(), by_path);
    std::sort(collection_.undeclared.begin(), collection_.undeclared.end());
    return std::move(collection_);
  }

 private:
  const DeclaredOutput* OutputOf(std::string_view path) const {
    for (const DeclaredOutput& output : declared_) {
      if (IsAtOrBelow(path, output.name)) return &output;
    }
    return nullptr;
  }
  bool LeadsToOutput(std::string_view path) const {
    return std::any_of(declared_.begin(), declared_.end(),
                       [&](const DeclaredOutput& output) { return IsAtOrBelow(output.name, path); });
  }
  void Undeclared(const std::string& path) {
    ++collection_.undeclared_count;
    if (collection_.undeclared.size() < limits_.undeclared_max) collection_.undeclared.push_back(path);
  }
  void Refuse(const std::string& path, const std::string& output, std::string reason) {
    if (path == output) reasons_[output] = reason;
    collection_.refused.push_back({path, std::move(reason)});
  }
  std::string WhyMissing(const std::string& name) const {
    const auto reason = reasons_.find(name);
    return reason == reasons_.end() ? "the run did not write it" : reason->second;
  }

  const std::vector<DeclaredOutput>& declared_;
  const CollectLimits& limits_;
  BlobSink& sink_;
  std::map<std::string, CollectedOutput, std::less<>> found_;
  std::map<std::string, std::string> reasons_;
  std::size_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  Collection collection_;
};

}  // namespace

Result<DeclaredOutput> ParseOutput(std::string_view argument) {
  DeclaredOutput output{.name = std::string(argument), .optional = argument.ends_with('?')};
  if (output.optional) output.name.pop_back();
  const bool visible = std::none_of(output.name.begin(), output.name.end(),
                                    [](unsigned char c) { return c < ' ' || c == 0x7F; });
  if (!visible || !sys::IsPlainRelativePath(output.name)) {
    return Fail(Code::kInvalid,
                "output {:?} must be a path below /out like \"result.txt\" or \"report/html\", without empty, \".\" or "
                "\"..\" components and control characters; NAME? makes it optional",
                argument.substr(0, 300));
  }
  return output;
}

Result<> CheckOutputs(const std::vector<DeclaredOutput>& declared) {
  if (declared.size() > kOutputsMax) {
    return Fail(Code::kInvalid, "more than {} outputs; declare a directory that holds them", kOutputsMax);
  }
  for (std::size_t i = 0; i < declared.size(); ++i) {
    for (std::size_t j = 0; j < declared.size(); ++j) {
      if (i == j || !IsAtOrBelow(declared[j].name, declared[i].name)) continue;
      return Fail(Code::kInvalid, "output {:?} is declared inside output {:?}; declare one of them", declared[j].name,
                  declared[i].name);
    }
  }
  return {};
}

Result<Collection> Collect(const sys::UniqueFd& out, sys::TreeOpener& opener,
                           const std::vector<DeclaredOutput>& declared, const CollectLimits& limits, BlobSink& sink) {
  WRIT_TRY("collect outputs", CheckOutputs(declared));
  Collector collector(declared, limits, sink);
  WRIT_TRY("collect outputs", Walk(out, opener,
                                   {.entries_max = limits.entries_max + kUndeclaredEntriesMax, .path_bytes_max = 4095},
                                   collector));
  return std::move(collector).Finish();
}

}  // namespace writ::workspace
