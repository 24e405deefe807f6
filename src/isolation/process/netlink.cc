#include "isolation/process/netlink.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "sys/socket.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process {

void NetlinkWriter::Append(const void* data, std::size_t size) {
  const auto* bytes = static_cast<const std::uint8_t*>(data);
  buffer_.insert(buffer_.end(), bytes, bytes + size);
}

void NetlinkWriter::Pad() { buffer_.resize((buffer_.size() + NLA_ALIGNTO - 1) / NLA_ALIGNTO * NLA_ALIGNTO); }

void NetlinkWriter::CloseMessage() {
  if (sequence_ == 0) return;
  const auto length = static_cast<std::uint32_t>(buffer_.size() - message_at_);
  std::memcpy(buffer_.data() + message_at_ + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

void NetlinkWriter::Message(std::uint16_t type, std::uint16_t flags, ByteView header) {
  message_at_ = buffer_.size();
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = flags;
  head.nlmsg_seq = ++sequence_;
  Append(&head, sizeof head);
  Append(header.data(), header.size());
  Pad();
  CloseMessage();
}

void NetlinkWriter::Attribute(std::uint16_t type, ByteView value) {
  const nlattr head{static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), type};
  Append(&head, sizeof head);
  Append(value.data(), value.size());
  Pad();
  CloseMessage();
}

void NetlinkWriter::Text(std::uint16_t type, std::string_view value) {
  std::vector<std::uint8_t> text(value.begin(), value.end());
  text.push_back(0);
  Attribute(type, text);
}

void NetlinkWriter::Number(std::uint16_t type, std::uint32_t value) { Native(type, htonl(value)); }

void NetlinkWriter::Native(std::uint16_t type, std::uint32_t value) {
  Attribute(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
}

void NetlinkWriter::BeginNested(std::uint16_t type) {
  nested_.push_back(buffer_.size());
  const nlattr head{sizeof(nlattr), static_cast<std::uint16_t>(type | NLA_F_NESTED)};
  Append(&head, sizeof head);
}

void NetlinkWriter::EndNested() {
  const auto length = static_cast<std::uint16_t>(buffer_.size() - nested_.back());
  std::memcpy(buffer_.data() + nested_.back(), &length, sizeof length);
  nested_.pop_back();
  CloseMessage();
}

Result<> NetlinkTalk(int protocol, const NetlinkWriter& messages, std::size_t acknowledged, Deadline deadline) {
  const sys::UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)};
  if (!socket.valid()) return FailErrno("netlink socket");
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  const ByteView bytes = messages.bytes();
  if (::sendto(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) !=
      static_cast<ssize_t>(bytes.size()))
    return FailErrno("send to netlink");
  alignas(nlmsghdr) char answer[8192];
  while (acknowledged > 0) {
    if (!sys::WaitReadable(socket.get(), deadline)) return Fail(Code::kDeadline, "the kernel did not answer on netlink");
    const ssize_t got = ::recv(socket.get(), answer, sizeof answer, MSG_DONTWAIT);
    if (got < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      return FailErrno("receive from netlink");
    }
    auto left = static_cast<unsigned>(got);
    for (auto* head = reinterpret_cast<nlmsghdr*>(answer); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type != NLMSG_ERROR || head->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) continue;
      const int error = static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
      if (error != 0) return std::unexpected(ErrnoError(-error, fmt::format("netlink message {}", head->nlmsg_seq)));
      if (acknowledged > 0) --acknowledged;
    }
  }
  return {};
}

}  // namespace writ::isolation::process
