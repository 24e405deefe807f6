#pragma once

#include <cstddef>
#include <functional>

#include "api/plane/plane_call.h"

namespace writ::http {

inline constexpr std::size_t kExportBytesMax = 64u << 20;

/// Answers GET /v1/export in one piece for a client that does not ask for parts (docs/formats/plane.md): asks `send` for
/// part after part and joins them. A longer export is 413 and says how to ask for parts; nothing is cut silently.
class WholeExport {
 public:
  using Reply = std::move_only_function<void(api::PlaneReply)>;
  /// Passes a call on; calls back once, from any thread.
  using Send = std::function<void(api::PlaneCall, Reply)>;

  /// Whether this call wants the whole: neither `limit` nor `cursor` is in its query.
  static bool Wants(const api::PlaneCall& call);
  static void Start(Send send, api::PlaneCall call, Reply reply, std::size_t bytes_max = kExportBytesMax);
};

}  // namespace writ::http
