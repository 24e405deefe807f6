#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/plane/plane_call.h"
#include "storage/blob_store.h"

namespace writ::http {

/// Takes the events of one run for a client that follows it.
class FollowSink {
 public:
  virtual ~FollowSink() = default;
  virtual void Event(std::string_view id, std::string_view name, std::string_view data) = 0;
  virtual void End(std::string_view why) = 0;
  virtual std::size_t Backlog() const = 0;  ///< bytes not yet taken by the client; huge once it has gone
};

/// What stands behind the transport. Every method may be called from any thread; what is passed is called back exactly
/// once, from any thread, also after the server has stopped.
class Service {
 public:
  using Reply = std::move_only_function<void(api::PlaneReply)>;
  using Permission = std::move_only_function<void(std::optional<api::PlaneReply> refusal)>;

  virtual ~Service() = default;
  /// The answer to GET /metrics gets the transport's own counters appended.
  virtual void Call(api::PlaneCall call, Reply reply) = 0;
  virtual void MayUpload(std::string authorization, std::string address, Permission permission) = 0;
  /// Permission comes before the first event.
  virtual void Follow(api::PlaneCall call, std::shared_ptr<FollowSink> sink, Permission permission) = 0;
  virtual storage::BlobStore& blobs() = 0;
};

}  // namespace writ::http
