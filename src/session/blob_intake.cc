#include "session/blob_intake.h"

#include <vector>

namespace writ::session {

Result<std::string> BlobIntake::Put(const workspace::ContentReader& read) {
  static constexpr std::size_t kPieceBytes = 128 << 10;
  const auto writer = WRIT_TRY("keep content", blobs_.Create());
  std::vector<std::uint8_t> piece(kPieceBytes);
  for (;;) {
    const std::size_t n = WRIT_TRY("read content", read(piece));
    if (n == 0) return writer->Finish(storage::Durability::kBuffered);
    WRIT_TRY("keep content", writer->Write(ByteView(piece).first(n)));
  }
}

}  // namespace writ::session
