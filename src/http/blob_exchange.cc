// Blobs in and out: streamed between the socket and the disk, never as a whole in memory.
#include <boost/asio/post.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "crypto/digest.h"
#include "http/connection.h"
#include "http/event_queue.h"

namespace writ::http {
namespace {

constexpr std::size_t kPiece = 128 << 10;

api::PlaneReply DiskFailure(const Error& error) {
  const bool full = error.code == Code::kExhausted;
  return {.status = full ? 503 : 500,
          .body = full ? R"({"error":"the store cannot keep this: no space is left"})" : R"({"error":"internal server error"})",
          .cause = error.what};
}

}  // namespace

struct Connection::BlobTarget {
  std::unique_ptr<storage::BlobWriter> writer;  // used by one piece of work on the disk's threads at a time
};

struct Connection::BlobSource {
  sys::UniqueFd fd;
  std::uint64_t left_bytes = 0;
};

void Connection::Upload() {
  core_.service.MayUpload(std::string(net::FindField(head_.fields, "authorization") ? *net::FindField(head_.fields, "authorization") : ""), address_,
                          [weak = core_.weak_from_this(), id = id_](std::optional<api::PlaneReply> refusal) {
                            const auto core = weak.lock();
                            if (core == nullptr) return;
                            core->Post(id, [refusal = std::move(refusal)](Connection& connection) mutable {
                              if (refusal) return connection.Reply(*std::move(refusal));
                              connection.UploadAllowed();
                            });
                          });
}

void Connection::UploadAllowed() {
  auto writer = core_.service.blobs().Create();
  if (!writer) return Reply(DiskFailure(writer.error()));
  target_blob_ = std::make_shared<BlobTarget>();
  target_blob_->writer = *std::move(writer);
  if (Continue(&Connection::UploadBytes)) return;
  UploadBytes();
}

void Connection::UploadBytes() {
  // The content that is here goes to the disk, then more is read: one piece in flight, so memory stays small.
  Disarm();
  std::string content;
  std::size_t used = 0;
  while (!reader_.done()) {
    const auto step = reader_.Next(std::string_view(in_).substr(used));
    if (!step) return Refuse(step.error());
    used += step->consumed_bytes;
    content += step->data;
    if (step->need_more) break;
  }
  in_.erase(0, used);
  record_.bytes_in += content.size();
  if (record_.bytes_in > core_.options.limits.body_bytes_max) return Refuse(413, "body too large");
  asio::post(core_.disk, [weak = core_.weak_from_this(), id = id_, target = target_blob_, content = std::move(content), done = reader_.done()] {
    Result<> wrote = target->writer->Write(AsBytes(content));
    Result<std::string> hash{std::string()};
    if (!wrote) hash = std::unexpected(std::move(wrote).error());
    else if (done) hash = target->writer->Finish(storage::Durability::kDurable);
    const auto core = weak.lock();
    if (core == nullptr) return;
    core->Post(id, [hash = std::move(hash)](Connection& connection) mutable { connection.UploadStored(std::move(hash)); });
  });
}

void Connection::UploadStored(Result<std::string> hash) {
  if (!hash) return Reply(DiskFailure(hash.error()));
  if (reader_.done()) return Reply({.body = R"({"hash":")" + *hash + "\"}"});
  Arm(core_.options.limits.body_pause);
  piece_.resize(kPiece);
  ReadMore(&Connection::UploadBytes);
}

void Connection::Download(std::string_view hash) {
  if (!crypto::IsHash(hash)) return ReadBody(&Connection::CallService);  // no such route
  asio::post(core_.disk, [weak = core_.weak_from_this(), id = id_, hash = std::string(hash), &blobs = core_.service.blobs()] {
    auto source = std::make_shared<BlobSource>();
    Error failure{};
    auto opened = blobs.Open(hash);
    struct stat status{};
    if (!opened) failure = std::move(opened).error();
    else if (::fstat(opened->get(), &status) != 0) failure = ErrnoError(errno, "fstat");
    else source->fd = *std::move(opened), source->left_bytes = static_cast<std::uint64_t>(status.st_size);
    const auto core = weak.lock();
    if (core == nullptr) return;
    core->Post(id, [source, failure = std::move(failure)](Connection& connection) {
      if (!source->fd.valid()) {
        if (failure.code == Code::kNotFound) return connection.Reply({.status = 404, .body = R"({"error":"blob not found"})"});
        return connection.Reply(DiskFailure(failure));
      }
      connection.answered_ = true;
      connection.source_blob_ = source;
      connection.SendHead(200, {{"Content-Type", "application/octet-stream"},
                                {"Content-Length", std::to_string(source->left_bytes)},
                                {"Cache-Control", "no-store"}});
      if (connection.head_.method == "HEAD") source->left_bytes = 0;
      connection.record_.bytes_out = source->left_bytes;
      connection.SendBlob();
    });
  });
}

/// Sends what is in `out_` after the next piece was added to it.
void Connection::SendBlob() {
  if (closed_) return;
  if (source_blob_->left_bytes == 0) return WriteOut(&Connection::Finish);
  asio::post(core_.disk, [weak = core_.weak_from_this(), id = id_, source = source_blob_] {
    std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, source->left_bytes)), '\0');
    ssize_t got = 0;
    do got = ::read(source->fd.get(), bytes.data(), bytes.size());
    while (got < 0 && errno == EINTR);
    Result<std::string> piece{std::string()};
    if (got <= 0) piece = Fail(Code::kCorrupt, "a blob ended before its end");
    else bytes.resize(static_cast<std::size_t>(got)), piece = std::move(bytes);
    const auto core = weak.lock();
    if (core == nullptr) return;
    core->Post(id, [piece = std::move(piece)](Connection& connection) mutable { connection.BlobPiece(std::move(piece)); });
  });
}

void Connection::BlobPiece(Result<std::string> piece) {
  if (!piece) {
    record_.cause = piece.error().what;
    return Close();  // the length was promised: the client sees that the rest is missing
  }
  source_blob_->left_bytes -= piece->size();
  out_ += *piece;
  WriteOut(&Connection::SendBlob);
}

}  // namespace writ::http
