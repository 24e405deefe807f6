#include <cstdlib>

#include "isolation/process/dbus_message.h"

/// Whatever the bytes, reading ends with a message or an error, and what was read fits into what was given.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace dbus = writ::isolation::process::dbus;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto message = dbus::Parse(bytes);
  if (!message) return 0;
  if (message->body.size() > size || message->member.size() > size) std::abort();
  dbus::Decoder in(message->body, message->big_endian);
  std::string_view signature = message->signature;
  while (!signature.empty()) {
    const std::size_t before = signature.size();
    if (!in.Skip(signature)) return 0;
    if (signature.size() >= before) std::abort();
  }
  if (in.position() > message->body.size()) std::abort();
  return 0;
}
