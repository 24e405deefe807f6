#include "client/output_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "contract/extension.h"
#include "crypto/digest.h"
#include "session/output_record.h"
#include "sys/file.h"
#include "workspace/danger.h"
#include "workspace/release.h"

namespace writ::client {
namespace {

using canon::Json;
using workspace::CollectedOutput;
using workspace::EntryType;

constexpr std::uint64_t kRecordBytesMax = 64u << 20;

/// What the last `writ.outputs.recorded` of the run's last claim names; empty: nothing was released.
std::string RecordHash(const Json& bundle) {
  std::string found;
  const Json* events = bundle.Find("events");
  if (events == nullptr || !events->is_array()) return found;
  for (const Json& entry : events->array()) {
    const Json* event = entry.Find("event");
    const std::string* type = event != nullptr ? event->FindString("type") : nullptr;
    if (type == nullptr) continue;
    if (*type == "run.claimed") found.clear();
    const Json* writ = *type == "writ.outputs.recorded" ? event->Find("writ") : nullptr;
    const std::string* hash = writ != nullptr ? writ->FindString("sha256") : nullptr;
    if (hash != nullptr && crypto::IsHash(*hash)) found = *hash;
  }
  return found;
}

/// Contents on their way from a plane to their place, each in a file that has no name any more when it is handed out.
class FetchedContents final : public workspace::BlobSource {
 public:
  FetchedContents(remote::PlaneConnection& plane, const sys::TemporaryDirectory& folder) : plane_(plane), folder_(folder) {}

  void Allow(const std::string& sha256, std::uint64_t bytes) { bytes_[sha256] = bytes; }

  Result<sys::UniqueFd> Open(std::string_view sha256) override {
    const auto known = bytes_.find(sha256);
    if (known == bytes_.end() || !crypto::IsHash(sha256)) return Fail(Code::kNotFound, "no output has that content");
    const std::string path = fmt::format("{}/{}", folder_.path(), sha256);
    sys::UniqueFd file = WRIT_TRY("fetch", sys::OpenFile(path, O_RDWR | O_CREAT | O_EXCL, 0600));
    if (::unlink(path.c_str()) != 0) return FailErrno("fetch");
    WRIT_TRY("fetch", plane_.GetBlob(sha256, [&](ByteView piece) { return sys::WriteAll(file.get(), piece); }, known->second));
    if (::lseek(file.get(), 0, SEEK_SET) != 0) return FailErrno("fetch");
    return file;
  }

 private:
  remote::PlaneConnection& plane_;
  const sys::TemporaryDirectory& folder_;
  std::map<std::string, std::uint64_t, std::less<>> bytes_;
};

}  // namespace

Result<std::vector<CollectedOutput>> OutputsOf(remote::PlaneConnection& plane, const Json& bundle) {
  const Json* receipt = bundle.Find("receipt");
  const Json* writ = receipt != nullptr ? receipt->Find("writ") : nullptr;
  if (writ == nullptr) return std::vector<CollectedOutput>{};
  const auto stated = WRIT_TRY("receipt", contract::DecodeReceiptExtension(*writ)).outputs;
  const std::string hash = RecordHash(bundle);
  if (hash.empty() && stated.empty()) return std::vector<CollectedOutput>{};
  if (hash.empty()) return Fail(Code::kCorrupt, "the receipt lists outputs, but no record of them is named");
  const std::string text = WRIT_TRY("record of outputs", plane.GetBlob(hash, kRecordBytesMax));
  const Json record = WRIT_TRY("record of outputs", canon::Parse(text, canon::Mode::kWire));
  auto outputs = WRIT_TRY("record of outputs", session::DecodeOutputs(record));
  const auto same = [](const CollectedOutput& output, const contract::OutputDigest& digest) {
    return output.name == digest.name && output.sha256 == digest.sha256 && output.bytes == digest.bytes;
  };
  if (!std::ranges::equal(outputs, stated, same)) return Fail(Code::kCorrupt, "the record of outputs is not what the receipt lists");
  // Whoever ran the job could name more than was asked for, and the caller's directory may be any.
  const Json* asked = bundle.Find("contract")->Find("writ");
  std::set<std::string_view> declared;
  const auto contract = asked != nullptr ? contract::DecodeContractExtension(*asked) : Fail(Code::kNotFound, "none");
  if (contract) {
    for (const auto& output : contract->outputs) declared.insert(output.name);
  }
  for (const auto& output : outputs) {
    if (declared.erase(output.name) == 0) return Fail(Code::kCorrupt, "output {:?} was not asked for, or is there twice", output.name);
  }
  return outputs;
}

std::vector<DangerousOutput> DangersIn(const std::vector<CollectedOutput>& outputs, std::string_view only) {
  std::vector<DangerousOutput> dangers;
  const auto look = [&](const std::string& path, const workspace::FileState& state) {
    if (auto why = workspace::DangerOf(path, state); !why.empty() && path != only) dangers.push_back({path, std::move(why)});
  };
  for (const auto& output : outputs) {
    if (!only.empty() && output.name != only) continue;
    look(output.name, {.type = output.type, .mode = output.mode & 0777, .sha256 = {}, .target = {}});
    for (const auto& entry : output.files.entries) {
      // Links are not written, and no bit but those of permissions.
      if (entry.state.type == EntryType::kFile)
        look(output.name + "/" + entry.path, {.type = EntryType::kFile, .mode = entry.state.mode & 0777, .sha256 = {}, .target = {}});
    }
  }
  return dangers;
}

Result<> WriteOutputs(remote::PlaneConnection& plane, const std::vector<CollectedOutput>& outputs, const std::string& directory,
                      std::string_view only) {
  const auto folder = WRIT_TRY("outputs", sys::TemporaryDirectory::Create("/tmp", "writ-outputs."));
  FetchedContents contents(plane, folder);
  for (const auto& output : outputs) {
    if (output.type == EntryType::kFile) contents.Allow(output.sha256, output.bytes);
    for (const auto& entry : output.files.entries) {
      if (entry.state.type == EntryType::kFile) contents.Allow(entry.state.sha256, entry.state.bytes);
    }
  }
  WRIT_TRY("outputs", sys::MakeDirectories(directory, 0755));
  const auto root = WRIT_TRY("outputs", sys::OpenDirectory(directory));
  return workspace::Release(outputs, contents, root, only);
}

}  // namespace writ::client
