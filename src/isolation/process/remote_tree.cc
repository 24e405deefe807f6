#include "isolation/process/remote_tree.h"

#include "sys/socket.h"

namespace writ::isolation::process {
namespace {
}

Result<sys::TreeEntry> RemoteTreeOpener::Open(const sys::UniqueFd& directory, std::string_view name) {
  if (name.size() > 255) return Fail(Code::kInvalid, "a name has at most 255 bytes");
  WireWriter request;
  request.U32(static_cast<std::uint32_t>(InitRequest::kOpen)).Text(name);
  const int fd = directory.get();
  WRIT_TRY("ask PID 1", sys::SendMessage(*control_, request.bytes(), std::span(&fd, 1), Deadline::After(kAnswerWait)));
  auto answer = WRIT_TRY("ask PID 1", sys::ReceiveMessage(*control_, kMessageBytesMax, Deadline::After(kAnswerWait)));
  if (answer.end) return Fail(Code::kUnavailable, "the cell's PID 1 has ended");
  WireReader in(answer.bytes);
  if (static_cast<InitReport>(in.U32()) != InitReport::kEntry) return Fail(Code::kInternal, "PID 1 sent an unexpected report");
  EntryReply reply = DecodeEntryReply(in);
  WRIT_TRY("ask PID 1", in.Done());
  if (reply.error) return std::unexpected(std::move(*reply.error));
  if (answer.fds.size() != 1) return Fail(Code::kInternal, "PID 1 sent {} descriptors", answer.fds.size());
  reply.entry.fd = std::move(answer.fds[0]);
  return std::move(reply.entry);
}

}  // namespace writ::isolation::process
