#pragma once

#include <functional>
#include <memory>
#include <string>

#include "isolation/backend.h"
#include "session/live_log.h"
#include "session/redaction.h"
#include "storage/blob_store.h"

namespace writ::session {

/// Bytes on their way into a blob: in memory while they are few, then in the blob store's own temporary file.
class BlobSpill {
 public:
  explicit BlobSpill(storage::BlobStore& blobs) : blobs_(blobs) {}
  Result<> Write(ByteView bytes);
  std::uint64_t bytes() const { return bytes_; }
  /// Stores the content and returns its hash; empty content is not stored and has the hash "".
  Result<std::string> Finish(storage::Durability durability);

  static constexpr std::size_t kMemoryBytes = 64 << 10;

 private:
  storage::BlobStore& blobs_;
  std::string buffer_;
  std::unique_ptr<storage::BlobWriter> writer_;
  std::uint64_t bytes_ = 0;
};

struct CapturedStream {
  std::string hash;  ///< "" when the stream was empty: nothing is stored then
  std::uint64_t bytes = 0;
};
struct CapturedOutput {
  CapturedStream log;  ///< both streams in the order of their arrival, with a mark where one was cut
  CapturedStream out, err;
  std::uint64_t redacted_out = 0, redacted_err = 0;  ///< how often a secret was replaced
};

/// Passes a guest's output on to the caller and keeps it: one log as the evidence, and each stream by itself for
/// those who want only one. What is kept is bounded by the limits of the streams, which the backend enforces.
/// Secrets of the run are redacted in all of it. What may begin a secret waits for what follows; when the streams end
/// or are cut inside one, its beginning is replaced too.
class GuestOutput final : public isolation::OutputSink {
 public:
  /// `live` and `blobs` are borrowed.
  GuestOutput(isolation::OutputSink& live, storage::BlobStore& blobs, const Limits& limits,
              const Redaction& redaction = nullptr, LiveLogPlace live_log = {});
  Result<> Write(isolation::Stream stream, ByteView bytes) override;
  Result<> Truncated(isolation::Stream stream) override;
  int NotReady(isolation::Stream stream) override { return live_.NotReady(stream); }

  /// Both streams together may have this many bytes. The piece that crosses it is kept whole, what follows is dropped, and
  /// `crossed` is called once; it may kill the guest. Call before the guest starts.
  void EndAbove(std::uint64_t bytes_max, std::function<void()> crossed);

  /// Call now and then while the guest runs: a person may be waiting for a prompt of which a byte or two were held
  /// back, and other commands for the live log.
  Result<> Idle();

  /// Bytes of a stream that were kept so far.
  std::uint64_t kept(isolation::Stream stream) const {
    return (stream == isolation::Stream::kStdout ? out_ : err_).bytes();
  }
  /// The streams have ended: passes on what was held back and stores what was kept. Call once.
  Result<CapturedOutput> Finish(storage::Durability durability);

 private:
  /// One stream on its way to who looks on, and to the store.
  struct Redactors {
    explicit Redactors(const Redaction& redaction) : live(redaction), kept(redaction) {}
    secrets::Redactor live, kept;
  };
  Redactors& RedactorsOf(isolation::Stream stream) {
    return stream == isolation::Stream::kStdout ? out_redactors_ : err_redactors_;
  }
  secrets::Redactor::Sink ToLive(isolation::Stream stream);
  secrets::Redactor::Sink ToStore(isolation::Stream stream);
  secrets::Redactor::Sink ToLog();
  Result<> Cut(isolation::Stream stream);

  isolation::OutputSink& live_;
  const std::uint64_t stdout_max_, stderr_max_;
  BlobSpill log_, out_, err_;
  Redactors out_redactors_, err_redactors_;
  secrets::Redactor log_redactor_;  ///< a value may be written half to either stream
  LiveLog live_log_;
  const bool redacts_;
  bool marked_ = false;  ///< the log has text of our own
  std::uint64_t together_ = 0, together_max_ = UINT64_MAX;  ///< bytes of both streams
  std::function<void()> crossed_;
};

}  // namespace writ::session
