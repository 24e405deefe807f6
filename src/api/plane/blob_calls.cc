#include "api/plane/gate.h"
#include "api/plane/route.h"

namespace writ::api {
namespace {

using plane::Capability;

/// What one call carries in memory; larger blobs are streamed by the transport (PlaneService::blobs).
constexpr std::uint64_t kBlobBytesMax = 64u << 20;

Answer<PlaneReply> GetBlob(Asked& asked) {
  auto content = asked.core.blobs.Get(asked.parameter(0), kBlobBytesMax);
  if (!content && content.error().code == Code::kNotFound) return plane::Plain(404, "blob not found");
  if (!content) return std::unexpected(plane::FromError(std::move(content).error()));
  return PlaneReply{.content_type = "application/octet-stream", .body = *std::move(content)};
}

Answer<PlaneReply> PutBlob(Asked& asked) {
  WRIT_ANSWER(MayUploadBlob(asked.core, asked.call.authorization, asked.caller));
  const std::string hash = WRIT_ANSWER(asked.core.blobs.Put(AsBytes(asked.call.body), storage::Durability::kDurable));
  return JsonReply(canon::Json::Of({{"hash", hash}}));
}

constexpr Route kBlobRoutes[] = {
    {"POST", "/v1/blobs", Capability::kNone, Body::kRaw, Effect::kReads, PutBlob},
    {"GET", "/v1/blobs/{hash}", Capability::kNone, Body::kIgnored, Effect::kReads, GetBlob},
};

}  // namespace

std::span<const Route> BlobRoutes() { return kBlobRoutes; }

}  // namespace writ::api
