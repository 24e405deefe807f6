#include "client/input_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "workspace/listing.h"

namespace writ::client {
namespace {

Result<> CheckSize(std::string_view what, std::uint64_t bytes) {
  if (bytes <= kBlobBytesMax) return {};
  return Fail(Code::kExhausted, "{} has {} bytes; a plane takes files of at most {} MiB", what, bytes, kBlobBytesMax >> 20);
}

}  // namespace

Result<CarriedInputs> CarryInputs(const std::vector<workspace::InputRequest>& requests) {
  CarriedInputs carried;
  if (requests.empty()) return carried;
  carried.copies.emplace(WRIT_TRY("inputs", sys::TemporaryDirectory::Create("/tmp", "writ-inputs.")));
  const auto staged = WRIT_TRY("inputs", workspace::StageInputs(requests, carried.copies->fd()));
  for (const auto& input : staged) {
    const std::string place = carried.copies->path() + "/" + input.name;
    const std::string what = fmt::format("input {:?}", input.name);
    carried.digests.push_back({input.name, std::string(workspace::EntryTypeName(input.type)), input.sha256, input.bytes, input.executable});
    if (input.type == workspace::EntryType::kFile) {
      WRIT_TRY("inputs", CheckSize(what, input.bytes));
      carried.uploads.push_back({input.sha256, place, {}});
      continue;
    }
    std::string listing = workspace::ListingOf(input.files);
    WRIT_TRY("inputs", CheckSize("the listing of " + what, listing.size()));
    carried.uploads.push_back({input.sha256, {}, std::move(listing)});
    for (const auto& entry : input.files.entries) {
      if (entry.state.type != workspace::EntryType::kFile) continue;
      WRIT_TRY("inputs", CheckSize(fmt::format("{}: {:?}", what, entry.path), entry.state.bytes));
      carried.uploads.push_back({entry.state.sha256, place + "/" + entry.path, {}});
    }
  }
  return carried;
}

Result<Upload> ReadStdin(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return FailErrno("stdin");
  if (S_ISDIR(status.st_mode)) return Fail(Code::kInvalid, "stdin is a directory; it must be a file or a pipe");
  if (::isatty(fd) == 1) {
    return Fail(Code::kInvalid, "stdin is a terminal, and what a run elsewhere reads is sent before it starts: give it a file or a pipe");
  }
  auto bytes = sys::ReadAll(fd, kBlobBytesMax);
  if (!bytes && bytes.error().code == Code::kExhausted) {
    return Fail(Code::kExhausted, "stdin has more than {} MiB, which is what a plane takes", kBlobBytesMax >> 20);
  }
  if (!bytes) return std::unexpected(std::move(bytes).error().Doing("stdin"));
  std::string hash = crypto::Sha256Hex(*bytes);
  return Upload{std::move(hash), {}, *std::move(bytes)};
}

}  // namespace writ::client
