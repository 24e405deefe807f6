#include "session/blob_intake.h"

#include <utility>

namespace writ::session {

Result<std::string> BlobIntake::Put(const workspace::ContentReader& read) {
  static constexpr std::size_t kPieceBytes = 128 << 10;
  const auto writer = WRIT_TRY("keep content", blobs_.Create());
  std::vector<std::uint8_t> piece(kPieceBytes);
  for (;;) {
    const std::size_t n = WRIT_TRY("read content", read(piece));
    if (n == 0) break;
    WRIT_TRY("keep content", writer->Write(ByteView(piece).first(n)));
  }
  std::string hash = WRIT_TRY("keep content", writer->Finish(storage::Durability::kBuffered));
  unsettled_.push_back(hash);
  return hash;
}

Result<> BlobIntake::Settle() {
  const auto hashes = std::exchange(unsettled_, {});
  if (hashes.empty()) return {};
  return blobs_.MakeDurable(hashes);
}

}  // namespace writ::session
