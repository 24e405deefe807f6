#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace writ::api {

/// One request to a plane, whatever brought it.
struct PlaneCall {
  std::string method;  ///< "GET", "POST"
  std::string path;    ///< "/v1/runs", without the query, percent-decoding left alone
  std::vector<std::pair<std::string, std::string>> query{};  ///< decoded, in order
  std::string authorization{};    ///< value of the header, or empty
  std::string idempotency_key{};  ///< likewise
  std::string address{};          ///< of the client, as text, for lock-outs and logs
  std::string body{};
  /// Set by the transport when the peer has gone: a call that waits is then not given a run. May be null.
  std::shared_ptr<const std::atomic<bool>> gone{};
};

struct PlaneReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string caller{};  ///< principal or runner that asked, for the request log; empty: nobody known
  std::string cause{};   ///< why it failed, for the request log; not for the caller
};

}  // namespace writ::api
