#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "harness.h"

namespace writ::cli_test {

/// Answers every connection on a port of 127.0.0.1 with "200 OK", until it is destroyed.
class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      for (;;) {
        const sys::UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client.valid()) return;
        char request[4096];
        if (::recv(client.get(), request, sizeof request, 0) <= 0) continue;
        constexpr std::string_view kAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nX-Pad: ";
        const std::string answer = std::string(kAnswer) + std::string(400, 'x') + "\r\n\r\nhello";
        static_cast<void>(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
      }
    });
  }
  ~Server() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::uint16_t port() const { return port_; }
  std::string Address() const { return fmt::format("127.0.0.1:{}", port_); }

 private:
  sys::UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

/// A shell function for jobs: one GET through the proxy of the cell, the status line to stdout.
inline const std::string kGet =
    "get() { exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET http://%s/ HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' $1 $1 >&3;"
    " read -r line <&3; exec 3>&-; echo \"$line\"; }; ";

}  // namespace writ::cli_test
