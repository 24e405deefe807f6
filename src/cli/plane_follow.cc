#include "cli/plane_follow.h"

#include <poll.h>

#include <atomic>
#include <thread>

#include "client/run_stream.h"
#include "contract/extension.h"

namespace writ::cli {
namespace {

using canon::Json;
using client::WaitEnd;
using isolation::Stream;

constexpr Millis kAfterCancel{30'000};  // a runner that was told to stop reports within its heartbeat
constexpr Millis kStreamEnd{2'000};     // how long live output may trail the end of its run
constexpr std::uint64_t kStreamBytesMax = 1ull << 40;

/// Writes a piece, however slow its reader is; the thread that calls waits.
Result<> WriteOut(LiveOutput& live, api::RunControl& control, Stream stream, std::string_view bytes) {
  WRIT_TRY("output", live.Write(stream, AsBytes(bytes)));
  for (int fd = live.NotReady(stream); fd >= 0 && !control.cancelled(); fd = live.NotReady(stream)) {
    pollfd wait{.fd = fd, .events = POLLOUT, .revents = 0};
    ::poll(&wait, 1, 50);
  }
  return {};
}

/// Follows the live output of one run on a thread and a connection of its own. Destruction ends both.
class LiveThread {
 public:
  LiveThread(std::unique_ptr<remote::PlaneConnection> plane, std::string run_id, LiveOutput& live, api::RunControl& control)
      : plane_(std::move(plane)), thread_([this, run_id = std::move(run_id), &live, &control] {
          result_ = client::FollowLog(
              *plane_, run_id,
              [&](const client::LogPiece& piece) { return WriteOut(live, control, piece.stream, joiner_.Take(piece)); }, Deadline::Never());
          done_.store(true, std::memory_order_release);
        }) {}
  ~LiveThread() { End(Millis{0}); }
  LiveThread(const LiveThread&) = delete;

  /// Waits for the end of the stream, at most `patience`, then cuts it off. What was passed on is known afterwards.
  void End(Millis patience) {
    if (!thread_.joinable()) return;
    const Deadline deadline = Deadline::After(patience);
    while (!done() && !deadline.Passed()) ::poll(nullptr, 0, 2);
    plane_->Cancel();
    thread_.join();
  }
  bool done() const { return done_.load(std::memory_order_acquire); }
  const client::LogJoiner& joiner() const { return joiner_; }  ///< after End
  const Result<>& result() const { return result_; }           ///< after End

 private:
  std::unique_ptr<remote::PlaneConnection> plane_;
  client::LogJoiner joiner_;
  Result<> result_;
  std::atomic<bool> done_{false};
  std::thread thread_;
};

bool MayHaveOutput(std::string_view status) { return status != "awaiting_approval" && !client::IsEnded(status); }

}  // namespace

Result<client::Moved> CancelRun(remote::PlaneConnection& plane, std::string_view run_id, bool stop) {
  Json body = Json::MakeObject();
  if (stop) body.Set("writ", Json::Of({{"v", contract::kExtensionVersion}, {"stop", true}}));
  const Json answer = WRIT_TRY("plane", plane.Post(fmt::format("/v1/runs/{}/cancel", run_id), body));
  return client::DecodeMoved(answer);
}

Result<Followed> RunFollower::Follow(std::string_view run_id, const FollowOptions& options) {
  std::unique_ptr<LiveThread> live;
  const auto start_live = [&](const client::RunView& view) {
    if (!options.live || live || !MayHaveOutput(view.status)) return;
    if (auto another = link_.Another()) live = std::make_unique<LiveThread>(*std::move(another), std::string(run_id), *options.live, control_);
  };
  client::WaitOptions wait;
  wait.deadline = options.deadline;
  wait.approval_ends = options.approval_ends;
  wait.stop = [&] { return control_.cancelled(); };
  wait.changed = [&](const client::RunView& view) {
    if (options.changed) options.changed(view);
    start_live(view);
  };
  auto waited = WRIT_TRY("wait", client::WaitForRun(link_.plane(), run_id, wait));
  Followed followed;
  if (waited.how == WaitEnd::kStopped && options.cancel_on_stop) {
    followed.cancelled = true;
    const auto told = CancelRun(link_.plane(), run_id, true);
    if (!told) {
      followed.note = fmt::format("the plane could not be told to cancel it: {}", told.error().what);
    } else {
      client::WaitOptions end;
      end.deadline = Deadline::After(kAfterCancel);
      waited = WRIT_TRY("wait", client::WaitForRun(link_.plane(), run_id, end));
    }
  }
  if (live) {
    live->End(waited.how == WaitEnd::kEnded && !control_.cancelled() ? kStreamEnd : Millis{0});
    passed_[0] = live->joiner().passed(Stream::kStdout);
    passed_[1] = live->joiner().passed(Stream::kStderr);
  }
  followed.how = waited.how;
  followed.run = std::move(waited.run);
  return followed;
}

Result<> RunFollower::CompleteOutput(const client::Evidence& evidence, LiveOutput& live) {
  bool known = false;
  for (const Stream stream : {Stream::kStdout, Stream::kStderr}) {
    const client::KeptStream kept = client::StreamKept(evidence.bundle, stream == Stream::kStdout ? "stdout" : "stderr");
    std::uint64_t& passed = passed_[stream == Stream::kStdout ? 0 : 1];
    known |= !kept.hash.empty() || passed > 0;
    if (kept.hash.empty() || passed >= kept.bytes) continue;
    std::uint64_t skip = passed;
    WRIT_TRY("output", link_.plane().GetBlob(
                           kept.hash,
                           [&](ByteView piece) -> Result<> {
                             const std::uint64_t drop = std::min<std::uint64_t>(skip, piece.size());
                             skip -= drop;
                             passed += piece.size() - drop;
                             return WriteOut(live, control_, stream, AsText(piece.subspan(drop)));
                           },
                           kStreamBytesMax));
  }
  const std::string log = known ? std::string() : client::ArtifactHash(evidence.bundle, "log");
  if (log.empty()) return {};
  // A runner of the original protocol keeps one log of both streams.
  return link_.plane().GetBlob(log, [&](ByteView piece) { return WriteOut(live, control_, Stream::kStdout, AsText(piece)); }, kStreamBytesMax);
}

}  // namespace writ::cli
