#include "session/live_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "sys/file.h"

namespace writ::session {
namespace {

constexpr std::size_t kHeader = 5;
constexpr std::size_t kPendingMax = 64 << 10;
constexpr std::uint8_t kStreams = kLiveLog | kLiveStdout | kLiveStderr;

std::uint32_t LengthAt(const std::uint8_t* header) {
  return header[1] | std::uint32_t{header[2]} << 8 | std::uint32_t{header[3]} << 16 | std::uint32_t{header[4]} << 24;
}

void SetLength(std::string& frames, std::size_t at, std::size_t length) {
  for (std::size_t i = 0; i < 4; ++i) frames[at + 1 + i] = static_cast<char>(length >> (8 * i) & 0xFF);
}

}  // namespace

void LiveLog::Add(std::uint8_t streams, ByteView bytes) {
  if (place_.directory < 0) return;
  while (!bytes.empty() && !given_up_) {
    std::size_t length = pending_.empty() ? 0 : pending_.size() - last_frame_ - kHeader;
    if (pending_.empty() || static_cast<std::uint8_t>(pending_[last_frame_]) != streams || length == kFrameMax) {
      last_frame_ = pending_.size();
      pending_.append(kHeader, '\0');
      pending_[last_frame_] = static_cast<char>(streams);
      length = 0;
    }
    const ByteView piece = bytes.first(std::min(bytes.size(), kFrameMax - length));
    pending_ += AsText(piece);
    SetLength(pending_, last_frame_, length + piece.size());
    bytes = bytes.subspan(piece.size());
    if (pending_.size() >= kPendingMax) Publish();
  }
}

void LiveLog::Publish() {
  if (pending_.empty() || given_up_) return;
  if (!file_.valid())
    file_ = sys::UniqueFd(::openat(place_.directory, place_.name.c_str(),
                                   O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  given_up_ = !file_.valid() || bytes_ + pending_.size() > bytes_max_ || !sys::WriteAll(file_.get(), AsBytes(pending_));
  bytes_ += pending_.size();
  pending_.clear();
  if (given_up_) pending_.shrink_to_fit();
}

Result<> LiveLogFrames::Feed(ByteView piece, LiveStream stream, const Writer& write) {
  while (!piece.empty()) {
    if (left_ == 0) {
      header_[header_bytes_++] = piece.front();
      piece = piece.subspan(1);
      if (header_bytes_ < header_.size()) continue;
      header_bytes_ = 0;
      left_ = LengthAt(header_.data());
      if (left_ == 0 || left_ > LiveLog::kFrameMax || header_[0] == 0 || (header_[0] & ~kStreams) != 0)
        return Fail(Code::kCorrupt, "the live log has a frame of streams {} and {} bytes", header_[0], left_);
      continue;
    }
    const ByteView text = piece.first(std::min(piece.size(), left_));
    left_ -= text.size();
    piece = piece.subspan(text.size());
    if ((header_[0] & stream) != 0) WRIT_TRY("live log", write(text));
  }
  return {};
}

Result<std::optional<LiveLogReader>> LiveLogReader::Open(const LiveLogPlace& place) {
  sys::UniqueFd file(::openat(place.directory, place.name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid() && errno == ENOENT) return std::nullopt;
  if (!file.valid()) return FailErrno("open the live log " + place.name);
  struct stat meta{};
  if (::fstat(file.get(), &meta) != 0 || !S_ISREG(meta.st_mode))
    return Fail(Code::kInvalid, "the live log {} is no file", place.name);
  return LiveLogReader(std::move(file));
}

Result<> LiveLogReader::Read(LiveStream stream, const LiveLogFrames::Writer& write) {
  std::array<std::uint8_t, 64 << 10> piece;
  for (;;) {
    const std::size_t n = WRIT_TRY("read the live log", sys::ReadFull(file_.get(), piece));
    if (n == 0) return {};
    WRIT_TRY("read the live log", frames_.Feed(ByteView(piece).first(n), stream, [&](ByteView text) {
      passed_ += text.size();
      return write(text);
    }));
  }
}

}  // namespace writ::session
