#include "runner/given_inputs.h"

#include "session/tree_writer.h"
#include "sys/file.h"
#include "workspace/listing.h"

namespace writ::runner {
namespace {

using workspace::EntryType;

constexpr std::size_t kListingBytesMax = 64u << 20;  // what a plane takes
constexpr std::size_t kEntriesMax = workspace::InputLimits{}.entries_max;

/// What is left for the inputs that follow.
struct Room {
  std::size_t entries;
  std::uint64_t bytes;
};

Result<> CheckFile(const contract::InputDigest& input, FetchedBlobs& blobs, Room& room) {
  const auto opened = WRIT_TRY("fetch", blobs.Open(input.sha256));
  const auto meta = WRIT_TRY("fetch", sys::MetaOf(opened.get()));
  if (meta.bytes != input.bytes) return Fail(Code::kCorrupt, "it has {} bytes, not {}", meta.bytes, input.bytes);
  if (meta.bytes > room.bytes) return Fail(Code::kExhausted, "all inputs together have more bytes than may be staged");
  room.bytes -= meta.bytes;  // each is copied for the run, also where several are one blob
  return {};
}

/// Writes a directory as its listing has it. Its digest is compared when it is staged.
Result<> WriteDirectory(const contract::InputDigest& input, FetchedBlobs& blobs, const std::string& place, Room& room, Deadline deadline) {
  const auto from = WRIT_TRY("fetch its listing", blobs.Open(input.sha256));
  const std::string text = WRIT_TRY("read its listing", sys::ReadAll(from.get(), kListingBytesMax));
  const auto listed = WRIT_TRY("listing", workspace::ReadListing(text, {room.entries, room.bytes}));
  if (listed.bytes != input.bytes) return Fail(Code::kCorrupt, "its files have {} bytes, not {}", listed.bytes, input.bytes);
  room.entries -= listed.entries.size();
  room.bytes -= listed.bytes;
  WRIT_TRY("unpack", sys::MakeDirectories(place, 0755));
  const auto root = WRIT_TRY("unpack", sys::OpenDirectory(place));
  session::TreeWriter writer(root, {listed.entries.size(), listed.bytes});
  for (const auto& entry : listed.entries) {
    if (deadline.Passed()) return Fail(Code::kDeadline, "not all of it came in time");
    switch (entry.state.type) {
      case EntryType::kDirectory: WRIT_TRY("unpack", writer.Directory(entry.path)); break;
      case EntryType::kSymlink: WRIT_TRY("unpack", writer.Link(entry.path, entry.state.target)); break;
      case EntryType::kFile: {
        const auto content = WRIT_TRY(fmt::format("{:?}", entry.path), blobs.Open(entry.state.sha256));
        const std::string copied =
            WRIT_TRY("unpack", writer.File(entry.path, session::ReadToEnd(content.get()), (entry.state.mode & 0111) != 0));
        if (copied != entry.state.sha256) return Fail(Code::kCorrupt, "blob hash mismatch for {:?}", entry.path);
        break;
      }
    }
  }
  return {};
}

}  // namespace

Result<std::vector<workspace::InputRequest>> FetchInputs(const std::vector<contract::InputDigest>& inputs, FetchedBlobs& blobs,
                                                         const std::string& folder, std::uint64_t bytes_max, Deadline deadline) {
  Room room{kEntriesMax, bytes_max};
  std::vector<workspace::InputRequest> requests;
  for (const auto& input : inputs) {
    const std::string doing = fmt::format("input {:?}", input.name);
    if (deadline.Passed()) return Fail(Code::kDeadline, "{}: it did not come in time", doing);
    if (room.entries == 0) return Fail(Code::kExhausted, "{}: more than {} files and directories", doing, kEntriesMax);
    --room.entries;
    if (input.type == "directory") {
      const std::string place = fmt::format("{}/unpacked/{}", folder, requests.size());
      WRIT_TRY(doing, WriteDirectory(input, blobs, place, room, deadline));
      requests.push_back({place, input.name, false});
    } else {
      WRIT_TRY(doing, CheckFile(input, blobs, room));
      requests.push_back({WRIT_TRY(doing, blobs.PathOf(input.sha256)), input.name, input.executable});
    }
  }
  return requests;
}

}  // namespace writ::runner
