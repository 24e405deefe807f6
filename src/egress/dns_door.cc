#include "egress/dns_door.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "egress/sockets.h"

namespace writ::egress {
namespace {
constexpr std::size_t kBatch = 32;
constexpr int kBatchesPerTurn = 16;           // then the others have their turn
constexpr std::size_t kQuestionBytes = 1024;  // more than any question; what is cut off is refused as malformed
constexpr std::size_t kOutBytesMax = 64U << 10;
}  // namespace

struct DnsUdpDoor::Batch {
  std::array<mmsghdr, kBatch> in{}, out{};
  std::array<iovec, kBatch> in_parts{}, out_parts{};
  std::array<sockaddr_storage, kBatch> peers{};
  std::array<std::array<std::uint8_t, kQuestionBytes>, kBatch> questions{};
  std::array<std::string, kBatch> answers;
};

DnsUdpDoor::DnsUdpDoor(Core& core, DnsStub& stub, sys::UniqueFd socket)
    : core_(core), stub_(stub), socket_(std::move(socket)), batch_(std::make_unique<Batch>()), again_(*this) {}

DnsUdpDoor::~DnsUdpDoor() = default;

Result<> DnsUdpDoor::Start() {
  const int flags = ::fcntl(socket_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) return FailErrno("fcntl O_NONBLOCK");
  return watch_.Start(core_.loop, socket_.get(), *this);
}

void DnsUdpDoor::OnEvents(Watch&, std::uint32_t) { Serve(); }
void DnsUdpDoor::OnTimer(Timer&) { Serve(); }

void DnsUdpDoor::Serve() {
  Batch& batch = *batch_;
  for (int turn = 0; turn < kBatchesPerTurn; ++turn) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      batch.in_parts[i] = {batch.questions[i].data(), batch.questions[i].size()};
      msghdr& header = batch.in[i].msg_hdr;
      header = {};
      header.msg_name = &batch.peers[i];
      header.msg_namelen = sizeof batch.peers[i];
      header.msg_iov = &batch.in_parts[i];
      header.msg_iovlen = 1;
    }
    const int got = ::recvmmsg(socket_.get(), batch.in.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (got < 0 && errno != EINTR) return;
    if (!core_.accepts()) continue;  // nobody is answered any more
    unsigned to_send = 0;
    for (int i = 0; i < got; ++i) {
      const auto index = static_cast<std::size_t>(i);
      batch.answers[to_send] = stub_.Answer({batch.questions[index].data(), batch.in[index].msg_len}, 0);
      if (batch.answers[to_send].empty()) continue;
      batch.out_parts[to_send] = {batch.answers[to_send].data(), batch.answers[to_send].size()};
      msghdr& header = batch.out[to_send].msg_hdr;
      header = {};
      header.msg_name = &batch.peers[index];
      header.msg_namelen = batch.in[index].msg_hdr.msg_namelen;
      header.msg_iov = &batch.out_parts[to_send];
      header.msg_iovlen = 1;
      ++to_send;
    }
    for (unsigned sent = 0; sent < to_send;) {
      const int now = ::sendmmsg(socket_.get(), batch.out.data() + sent, to_send - sent, MSG_DONTWAIT);
      sent += now > 0 ? static_cast<unsigned>(now) : 1;  // the one that cannot be sent is lost
    }
    if (got >= 0 && static_cast<std::size_t>(got) < kBatch) return;
  }
  again_.ArmNow(core_.loop);
}

DnsTcpConnection::DnsTcpConnection(Core& core, DnsStub& stub, sys::UniqueFd socket)
    : Connection(core), stub_(stub), socket_(std::move(socket)), silence_(*this), again_(*this) {}

void DnsTcpConnection::Start() {
  if (!watch_.Start(core_.loop, socket_.get(), *this)) return Close();
  silence_.Arm(core_.loop, core_.loop.now() + kSilenceMax);
}

void DnsTcpConnection::OnReady(Watch&, std::uint32_t) { Turn(); }

void DnsTcpConnection::OnDue(Timer& timer) {
  if (&timer == &silence_) return Close();
  Turn();
}

bool DnsTcpConnection::AnswerAll() {
  bool answered = false;
  std::size_t at = 0;
  while (in_.size() - at >= 2 && out_.size() < kOutBytesMax) {
    const std::size_t length = static_cast<std::uint8_t>(in_[at]) << 8 | static_cast<std::uint8_t>(in_[at + 1]);
    if (length > kQuestionBytes) {
      Close();
      return false;
    }
    if (in_.size() - at - 2 < length) break;
    const std::string answer = stub_.Answer(AsBytes(std::string_view(in_).substr(at + 2, length)), net::kDnsMessageMax);
    if (closed()) return false;
    at += 2 + length;
    answered = true;
    if (answer.empty()) continue;
    out_ += static_cast<char>(answer.size() >> 8);
    out_ += static_cast<char>(answer.size() & 0xFF);
    out_ += answer;
  }
  in_.erase(0, at);
  if (answered) silence_.Arm(core_.loop, core_.loop.now() + kSilenceMax);
  return true;
}

void DnsTcpConnection::Turn() {
  for (int turn = 0; turn < kBatchesPerTurn; ++turn) {
    while (!out_.empty()) {
      const Io io = Send(socket_.get(), out_.data(), out_.size());
      if (io.end == IoEnd::kBlocked) return;
      if (io.end != IoEnd::kMoved) return Close();
      out_.erase(0, io.bytes);
    }
    if (!AnswerAll()) return;
    if (!out_.empty()) continue;
    if (ended_) return Close();
    const Io io = Receive(socket_.get(), core_.scratch.data(), kQuestionBytes + 2);
    if (io.end == IoEnd::kBlocked) return;
    if (io.end == IoEnd::kBroken) return Close();
    ended_ = io.end == IoEnd::kEnd;
    in_.append(core_.scratch.data(), io.bytes);
  }
  again_.ArmNow(core_.loop);
}

}  // namespace writ::egress
