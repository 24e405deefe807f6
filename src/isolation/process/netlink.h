#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"

namespace writ::isolation::process {

/// Writes netlink messages with nested attributes, one after the other, into one buffer. Lengths and padding are kept
/// right by construction. Source: netlink(7), Linux include/uapi/linux/netlink.h.
class NetlinkWriter {
 public:
  /// Begins a message; `header` is the protocol's own fixed part (nfgenmsg, rtmsg). Ends the one before.
  void Message(std::uint16_t type, std::uint16_t flags, ByteView header);
  void Attribute(std::uint16_t type, ByteView value);
  void Text(std::uint16_t type, std::string_view value);        ///< with its NUL
  void Number(std::uint16_t type, std::uint32_t value);         ///< in network byte order, as nftables has them
  void Native(std::uint16_t type, std::uint32_t value);         ///< in the machine's byte order, as routes have them
  /// Attributes written until the matching EndNested belong to this one.
  void BeginNested(std::uint16_t type);
  void EndNested();
  std::size_t count() const { return sequence_; }               ///< messages begun
  ByteView bytes() const { return buffer_; }

 private:
  void Append(const void* data, std::size_t size);
  void Pad();
  void CloseMessage();
  std::vector<std::uint8_t> buffer_;
  std::vector<std::size_t> nested_;
  std::size_t message_at_ = 0;
  std::uint32_t sequence_ = 0;
};

/// Sends the messages on a socket of `protocol` (NETLINK_ROUTE, NETLINK_NETFILTER) and reads answers until `acknowledged`
/// of them asked for one (NLM_F_ACK) and got it. Errors: the first refusal, as errno says it.
Result<> NetlinkTalk(int protocol, const NetlinkWriter& messages, std::size_t acknowledged, Deadline deadline);

}  // namespace writ::isolation::process
