#pragma once

#include <utility>

#include "api/plane/plane_service.h"
#include "http/serve/whole_export.h"
#include "http/service.h"

namespace writ::http {

/// A plane as what stands behind the transport. Borrows it.
class PlaneDoor final : public Service {
 public:
  explicit PlaneDoor(api::PlaneService& plane) : plane_(plane) {}
  void Call(api::PlaneCall call, Reply reply) override {
    if (!WholeExport::Wants(call)) return plane_.Call(std::move(call), std::move(reply));
    WholeExport::Start([&plane = plane_](api::PlaneCall part, Reply answer) { plane.Call(std::move(part), std::move(answer)); },
                       std::move(call), std::move(reply));
  }
  void MayUpload(std::string authorization, std::string address, Permission permission) override {
    plane_.MayUpload(std::move(authorization), std::move(address), std::move(permission));
  }
  void Follow(api::PlaneCall call, std::shared_ptr<FollowSink> sink, Permission permission) override {
    plane_.Follow(std::move(call), std::make_shared<Sink>(std::move(sink)), std::move(permission));
  }
  storage::BlobStore& blobs() override { return plane_.blobs(); }

 private:
  class Sink final : public api::FollowSink {
   public:
    explicit Sink(std::shared_ptr<http::FollowSink> behind) : behind_(std::move(behind)) {}
    void Event(std::string_view id, std::string_view name, std::string_view data) override { behind_->Event(id, name, data); }
    void End(std::string_view why) override { behind_->End(why); }
    std::size_t Backlog() const override { return behind_->Backlog(); }

   private:
    std::shared_ptr<http::FollowSink> behind_;
  };
  api::PlaneService& plane_;
};

}  // namespace writ::http
