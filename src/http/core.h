#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "http/any_stream.h"
#include "http/gate.h"
#include "http/server.h"

namespace writ::http {

class Connection;

/// What all connections of a server share. Everything but Post belongs to the thread that runs `io`.
struct ServerCore : std::enable_shared_from_this<ServerCore> {
  ServerCore(ServerOptions given, Service& behind) : options(std::move(given)), service(behind) {}

  const ServerOptions options;
  Service& service;
  GateRules gate;
  asio::io_context io{1};
  asio::thread_pool disk{2};
  std::shared_ptr<asio::ssl::context> tls;
  Counters counters;
  std::uint64_t bodies_bytes = 0;  ///< being received into memory
  bool stopping = false;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> open;
  std::map<std::string, std::size_t, std::less<>> by_address;
  std::list<std::uint64_t> idle;  ///< longest first
  std::uint64_t next_id = 1;
  SystemClock clock;

  /// Calls `act` with the connection on the server's thread, if it still exists. From any thread; does nothing once
  /// the server has stopped.
  template <class Act>
  void Post(std::uint64_t id, Act act) {
    asio::post(io, [this, id, act = std::move(act)]() mutable {
      if (const auto found = open.find(id); found != open.end()) {
        const std::shared_ptr<Connection> keep = found->second;
        act(*keep);
      }
    });
  }

  void Admit(asio::ip::tcp::socket socket, const std::string& address);
  void Forget(Connection& connection);  ///< it has closed
  /// Closes the connection that has been idle longest; false when none is.
  bool CloseOldestIdle();
};

}  // namespace writ::http
