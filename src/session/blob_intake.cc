#include "session/blob_intake.h"

#include <vector>

namespace writ::session {

Result<workspace::KeptContent> BlobIntake::Put(const workspace::ContentReader& read) {
  static constexpr std::size_t kPieceBytes = 128 << 10;
  const auto writer = WRIT_TRY("keep content", blobs_.Create());
  std::vector<std::uint8_t> piece(kPieceBytes);
  secrets::Redactor redactor(redaction_);
  workspace::KeptContent kept;
  const secrets::Redactor::Sink keep = [&](ByteView bytes) {
    kept.bytes += bytes.size();
    return writer->Write(bytes);
  };
  for (;;) {
    const std::size_t n = WRIT_TRY("read content", read(piece));
    if (n == 0) break;
    WRIT_TRY("keep content", redactor.Write(ByteView(piece).first(n), keep));
  }
  WRIT_TRY("keep content", redactor.Finish(keep));
  kept.sha256 = WRIT_TRY("keep content", writer->Finish(storage::Durability::kBuffered));
  if (redactor.found() > 0) redacted_[kept.sha256] = redactor.found();
  return kept;
}

std::uint64_t BlobIntake::Redacted(std::string_view sha256) const {
  const auto found = redacted_.find(sha256);
  return found == redacted_.end() ? 0 : found->second;
}

}  // namespace writ::session
