#include "workspace/release.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/ids.h"
#include "crypto/digest.h"
#include "sys/beneath.h"
#include "sys/file.h"
#include "workspace/content.h"

namespace writ::workspace {
namespace {

class Releaser {
 public:
  Releaser(BlobSource& blobs, const sys::UniqueFd& directory) : blobs_(blobs), directory_(directory), buffer_(kPiece) {}

  Result<> Write(const CollectedOutput& output) {
    if (output.type == EntryType::kFile) return File(output.name, output.sha256, output.mode);
    WRIT_TRY("make", sys::MakeDirectoriesBeneath(directory_, output.name, 0755));
    for (const Entry& entry : output.files.entries) {
      const std::string path = fmt::format("{}/{}", output.name, entry.path);
      if (entry.state.type == EntryType::kDirectory) {
        WRIT_TRY(fmt::format("{:?}", path), sys::MakeDirectoriesBeneath(directory_, path, 0755));
      } else if (entry.state.type == EntryType::kFile) {
        WRIT_TRY(fmt::format("{:?}", path), File(path, entry.state.sha256, entry.state.mode));
      }
    }
    return {};
  }

 private:
  Result<> File(const std::string& path, const std::string& sha256, std::uint32_t mode) {
    if (const std::size_t slash = path.rfind('/'); slash != path.npos) {
      WRIT_TRY("make", sys::MakeDirectoriesBeneath(directory_, std::string_view(path).substr(0, slash), 0755));
    }
    const auto place = WRIT_TRY("reach", sys::OpenParentBeneath(directory_, path));
    const auto there = sys::StatBeneath(place.parent, place.name);
    if (there && there->type != sys::FileType::kRegular) {
      return Fail(Code::kInvalid, "something that is no plain file is in the way; it is not replaced");
    }
    if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
    const sys::UniqueFd from = WRIT_TRY("open content", blobs_.Open(sha256));
    const std::string temporary = MakeId(".writ-out-");
    sys::UniqueFd to =
        WRIT_TRY("create", sys::OpenBeneath(place.parent, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600));
    auto written = Copy(from, to, sha256, mode);
    if (written) written = Rename(place, temporary, there.has_value());
    if (!written) ::unlinkat(place.parent.get(), temporary.c_str(), 0);
    return written;
  }

  Result<> Copy(const sys::UniqueFd& from, const sys::UniqueFd& to, const std::string& sha256, std::uint32_t mode) {
    crypto::Sha256 hash;
    for (std::size_t count = buffer_.size(); count == buffer_.size();) {
      count = WRIT_TRY("read content", sys::ReadFull(from.get(), buffer_));
      hash.Update({buffer_.data(), count});
      WRIT_TRY("write", sys::WriteAll(to.get(), ByteView{buffer_.data(), count}));
    }
    if (hash.FinishHex() != sha256) return Fail(Code::kCorrupt, "the kept content does not have the SHA-256 {}", sha256);
    if (::fchmod(to.get(), (mode & 0100) != 0 ? 0755 : 0644) != 0) return FailErrno("set mode");
    return sys::SyncFd(to.get());
  }

  static Result<> Rename(const sys::ParentAndName& place, const std::string& temporary, bool replace) {
    const unsigned flags = replace ? 0 : RENAME_NOREPLACE;
    const int parent = place.parent.get();
    if (::renameat2(parent, temporary.c_str(), parent, place.name.c_str(), flags) != 0) return FailErrno("rename");
    return {};
  }

  BlobSource& blobs_;
  const sys::UniqueFd& directory_;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace

Result<> Release(const std::vector<CollectedOutput>& outputs, BlobSource& blobs, const sys::UniqueFd& directory,
                 std::string_view only) {
  Releaser releaser(blobs, directory);
  bool found = only.empty();
  for (const CollectedOutput& output : outputs) {
    if (!only.empty() && output.name != only) continue;
    found = true;
    WRIT_TRY(fmt::format("write output {:?}", output.name), releaser.Write(output));
  }
  if (!found) return Fail(Code::kNotFound, "there is no output named {:?}", only);
  return {};
}

}  // namespace writ::workspace
