#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "workspace/manifest.h"

namespace writ::workspace {

/// Calls `see` with the pieces of a listing, one after the other.
template <class See>
void EachListingPart(const Manifest& manifest, See see) {
  constexpr std::string_view kEnd("\0", 1);
  for (const Entry& entry : manifest.entries) {
    const FileState& state = entry.state;
    see(fmt::format("{} {:o} {} {}", EntryTypeName(state.type), state.mode, state.bytes, state.sha256.empty() ? "-" : state.sha256));
    for (const std::string_view text : {std::string_view(entry.path), std::string_view(state.target)}) {
      see(kEnd);
      see(text);
    }
    see(kEnd);
  }
}
/// The text whose SHA-256 is DigestOf(manifest) (docs/formats/writ.md): what travels for a directory, so that the digest
/// in a contract names a blob like that of a file does.
std::string ListingOf(const Manifest& manifest);

struct ListingBounds {
  std::size_t entries_max = 100'000;
  std::uint64_t bytes_max = 16ull << 30;  ///< of all files together
};
/// The inverse, for a listing that somebody else wrote: nothing is accepted that ListingOf would not have written of a
/// real directory. Paths are plain (sys/beneath.h), sorted and different, every parent is a directory of the same
/// listing; links have a target; `bytes` of directories is 0.
/// Errors: kInvalid saying where; kExhausted over a bound.
Result<Manifest> ReadListing(std::string_view text, const ListingBounds& bounds = {});

}  // namespace writ::workspace
