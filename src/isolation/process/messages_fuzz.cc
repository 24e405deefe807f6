// The privileged helper reads these bodies: any bytes must be refused or read, never more.

#include "isolation/process/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::isolation::process;
  const writ::ByteView bytes(data, size);
  if (const auto body = DecodeLaunchBody(bytes)) {
    WireWriter out;
    Encode(out, *body);
    if (!DecodeLaunchBody(out.bytes())) __builtin_trap();
  }
  [[maybe_unused]] const auto take = DecodeTake(bytes);
  [[maybe_unused]] const auto cell = DecodeCellLaunch(bytes);
  [[maybe_unused]] const auto reply = DecodeCellReply(bytes);
  [[maybe_unused]] const auto hello = DecodeHello(bytes);
  WireReader in(bytes);
  [[maybe_unused]] const EntryReply entry = DecodeEntryReply(in);
  return 0;
}
