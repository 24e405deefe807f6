#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "isolation/process/dbus_message.h"
#include "sys/unique_fd.h"

namespace writ::isolation::process::test {

/// A directory that is gone afterwards.
class TemporaryRuntime {
 public:
  TemporaryRuntime() {
    char path[] = "/tmp/writ_bus_XXXXXX";
    if (::mkdtemp(path) != nullptr) path_ = path;
    std::filesystem::create_directory(path_ + "/systemd");
  }
  ~TemporaryRuntime() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// One end of a conversation, as the bus sees it.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  /// Exactly `count` bytes, less when the client has gone.
  std::string Read(std::size_t count) {
    std::string bytes(count, '\0');
    std::size_t have = 0;
    while (have < count) {
      const ssize_t got = ::recv(fd_, bytes.data() + have, count - have, 0);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }
  std::string ReadLine() {
    std::string line;
    while (!line.ends_with("\r\n")) {
      const std::string next = Read(1);
      if (next.empty()) break;
      line += next;
    }
    return line;
  }
  std::string ReadMessage() {
    const std::string head = Read(dbus::kFixedHeader);
    const auto size = dbus::MessageSize(head);
    return size ? head + Read(*size - head.size()) : head;
  }
  bool Send(std::string_view bytes) {
    return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  /// The authentication that every good conversation starts with.
  void Accept() {
    ReadLine();
    Send("OK 0123456789abcdef0123456789abcdef\r\n");
    ReadLine();
  }

 private:
  int fd_;
};

/// Listens at a path and plays `script` with the first client, on a thread of its own.
class FakeBus {
 public:
  FakeBus(const std::string& path, std::function<void(Peer&)> script) {
    listener_ = sys::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
    if (::listen(listener_.get(), 1) != 0) return;
    thread_ = std::thread([this, script = std::move(script)] {
      const sys::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      Peer peer(client.get());
      if (client.valid()) script(peer);
    });
  }
  ~FakeBus() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }

 private:
  sys::UniqueFd listener_;
  std::thread thread_;
};

/// A message as the bus sends it. `error_name` and `member` may be empty.
inline std::string FromBus(dbus::Type type, std::uint32_t reply_serial, std::string_view error_name,
                           std::string_view member, std::string_view signature, std::string_view body) {
  dbus::Encoder out;
  out.Byte('l'), out.Byte(static_cast<std::uint8_t>(type)), out.Byte(0), out.Byte(1);
  out.U32(static_cast<std::uint32_t>(body.size())), out.U32(99);
  const std::size_t fields = out.BeginArray(8);
  const auto text = [&](std::uint8_t code, std::string_view kind, std::string_view value) {
    if (value.empty()) return;
    out.Align(8), out.Byte(code), out.Signature(kind);
    kind == "g" ? out.Signature(value) : out.String(value);
  };
  if (reply_serial != 0) out.Align(8), out.Byte(5), out.Signature("u"), out.U32(reply_serial);
  text(4, "s", error_name);
  text(3, "s", member);
  text(8, "g", signature);
  out.EndArray(fields), out.Align(8);
  return out.bytes() + std::string(body);
}

}  // namespace writ::isolation::process::test
