#include "workspace/inputs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "crypto/digest.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/content.h"
#include "workspace/walk.h"

namespace writ::workspace {
namespace {

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         std::none_of(name.begin(), name.end(), [](unsigned char c) { return c == '/' || c < ' ' || c == 0x7F; });
}

Result<> CheckName(std::string_view name) {
  if (IsName(name)) return {};
  return Fail(Code::kInvalid,
              "{:?} cannot name an input: it must be one path component of 1 to 255 bytes without control characters",
              name.substr(0, 300));
}

/// Copies one input; its bounds are shared with the inputs before it.
class Stager final : public TreeVisitor {
 public:
  Stager(const sys::UniqueFd& staging, const InputLimits& limits)
      : staging_(staging), limits_(limits), entries_left_(limits.entries_max), bytes_left_(limits.bytes_max),
        buffer_(kPiece) {}

  Result<StagedInput> Stage(const InputRequest& request) {
    WRIT_TRY("input", CheckName(request.name));
    // The path the caller named may be a link; nothing below it may.
    const sys::UniqueFd source = WRIT_TRY("open", sys::OpenFile(request.path, O_RDONLY | O_NONBLOCK));
    const sys::FileMeta meta = WRIT_TRY("look", sys::MetaOf(source.get()));
    StagedInput input;
    input.name = request.name;
    name_ = request.name;
    manifest_ = {};
    WRIT_TRY("count", Count());
    if (meta.type == sys::FileType::kRegular) {
      const FileState state = WRIT_TRY("copy", Copy(source.get(), meta, request.name, request.executable));
      input.sha256 = state.sha256;
      input.bytes = state.bytes;
      input.executable = (state.mode & 0111) != 0;
      return input;
    }
    if (meta.type != sys::FileType::kDirectory) {
      return Fail(Code::kInvalid, "{} is neither a file nor a directory", request.path);
    }
    if (::mkdirat(staging_.get(), request.name.c_str(), 0700) != 0) return FailErrno("make directory");
    sys::LocalTreeOpener opener;
    WRIT_TRY("copy", Walk(source, opener, {.entries_max = entries_left_ + 1, .path_bytes_max = 4095 - 256}, *this));
    return FinishDirectory(std::move(input));
  }

  Result<bool> OnEntry(const std::string& path, sys::TreeEntry& entry) override {
    WRIT_TRY("count", Count());
    const std::string staged = fmt::format("{}/{}", name_, path);
    FileState state;
    switch (entry.meta.type) {
      case sys::FileType::kDirectory: {
        const auto place = WRIT_TRY("reach", sys::OpenParentBeneath(staging_, staged));
        if (::mkdirat(place.parent.get(), place.name.c_str(), 0700) != 0) return FailErrno("make directory");
        state = {.type = EntryType::kDirectory, .mode = 0555, .sha256 = {}, .target = {}};
        break;
      }
      case sys::FileType::kSymlink: {
        const auto place = WRIT_TRY("reach", sys::OpenParentBeneath(staging_, staged));
        if (::symlinkat(entry.link_target.c_str(), place.parent.get(), place.name.c_str()) != 0) {
          return FailErrno("make link");
        }
        state = {.type = EntryType::kSymlink, .mode = 0777, .bytes = entry.link_target.size(), .sha256 = {},
                 .target = entry.link_target};
        break;
      }
      case sys::FileType::kRegular:
        state = WRIT_TRY("copy", Copy(entry.fd.get(), entry.meta, staged));
        break;
      default:
        return Fail(Code::kInvalid, "a {} cannot be an input", SpecialFileName(entry));
    }
    manifest_.entries.push_back({path, std::move(state)});
    return true;
  }

  Result<> OnUnreadable(const std::string&, const Error& error) override { return std::unexpected(error); }
  Result<> OnTooLong(const std::string& parent) override {
    return Fail(Code::kExhausted, "a path in {:?} is too long for an input", parent);
  }

 private:
  Result<> Count() {
    if (entries_left_ == 0) return Fail(Code::kExhausted, "more than {} files and directories", limits_.entries_max);
    --entries_left_;
    return {};
  }

  Result<FileState> Copy(int from, const sys::FileMeta& meta, const std::string& staged, bool executable = false) {
    if (meta.bytes > bytes_left_) return Fail(Code::kExhausted, "inputs have more than {} bytes", limits_.bytes_max);
    bytes_left_ -= meta.bytes;
    const sys::UniqueFd to = WRIT_TRY("create", sys::OpenBeneath(staging_, staged, O_WRONLY | O_CREAT | O_EXCL, 0600));
    const ContentReader read = ReadExactly(from, meta.bytes);
    for (;;) {
      const auto count = read(buffer_);
      if (!count) {
        (void)sha256_.Finish();  // ready for the next file
        return std::unexpected(count.error());
      }
      if (*count == 0) break;
      sha256_.Update({buffer_.data(), *count});
      WRIT_TRY("write", sys::WriteAll(to.get(), ByteView{buffer_.data(), *count}));
    }
    FileState state{.mode = executable || (meta.mode & 0111) != 0 ? 0555u : 0444u, .bytes = meta.bytes,
                    .sha256 = sha256_.FinishHex(), .target = {}};
    const sys::FileMeta now = WRIT_TRY("look again", sys::MetaOf(from));
    if (now.bytes != meta.bytes || now.mtime_ns != meta.mtime_ns || now.ctime_ns != meta.ctime_ns) {
      return Fail(Code::kUnavailable, "the file changed while it was copied; try again when it stands still");
    }
    if (::fchmod(to.get(), state.mode) != 0) return FailErrno("set mode");
    return state;
  }

  Result<StagedInput> FinishDirectory(StagedInput input) {
    auto& entries = manifest_.entries;
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
    for (const Entry& entry : entries) {
      if (entry.state.type == EntryType::kFile) manifest_.bytes += entry.state.bytes;
      if (entry.state.type != EntryType::kDirectory) continue;
      WRIT_TRY("finish", MakeReadOnly(fmt::format("{}/{}", name_, entry.path)));
    }
    WRIT_TRY("finish", MakeReadOnly(name_));
    input.type = EntryType::kDirectory;
    input.sha256 = DigestOf(manifest_);
    input.bytes = manifest_.bytes;
    input.files = std::move(manifest_);
    return input;
  }

  Result<> MakeReadOnly(const std::string& staged) {
    const sys::UniqueFd fd = WRIT_TRY("open", sys::OpenBeneath(staging_, staged, O_RDONLY | O_DIRECTORY));
    if (::fchmod(fd.get(), 0555) != 0) return FailErrno("set mode");
    return {};
  }

  const sys::UniqueFd& staging_;
  const InputLimits limits_;
  std::size_t entries_left_;
  std::uint64_t bytes_left_;
  std::string name_;
  Manifest manifest_;
  crypto::Sha256 sha256_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace

Result<InputRequest> ParseInput(std::string_view argument) {
  InputRequest request{.path = std::string(argument), .name = {}, .executable = false};
  const std::size_t colon = argument.rfind(':');
  if (colon != argument.npos && argument.find('/', colon) == argument.npos) {
    request.path = argument.substr(0, colon);
    request.name = argument.substr(colon + 1);
  } else {
    std::string_view path = argument;
    while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
    request.name = path.substr(path.rfind('/') + 1);
    if (request.name == "." || request.name == ".." || request.name.empty()) {
      return Fail(Code::kInvalid, "input {:?} needs a name: PATH:NAME", argument);
    }
  }
  if (request.path.empty()) return Fail(Code::kInvalid, "input {:?} has no path; write PATH or PATH:NAME", argument);
  WRIT_TRY(fmt::format("input {:?}", argument), CheckName(request.name));
  return request;
}

Result<std::vector<StagedInput>> StageInputs(const std::vector<InputRequest>& requests, const sys::UniqueFd& staging,
                                             const InputLimits& limits) {
  Stager stager(staging, limits);
  std::set<std::string_view> names;
  std::vector<StagedInput> inputs;
  for (const InputRequest& request : requests) {
    if (!names.insert(request.name).second) {
      return Fail(Code::kInvalid, "two inputs are named {:?}; give one another name with PATH:NAME", request.name);
    }
    inputs.push_back(WRIT_TRY(fmt::format("input {}", request.path), stager.Stage(request)));
  }
  // The guest is another user and has to enter; whether others of the host can is up to the directory above.
  if (::fchmod(staging.get(), 0755) != 0) return FailErrno("open the staging directory to the guest");
  return inputs;
}

}  // namespace writ::workspace
