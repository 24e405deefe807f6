#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "client/plane_answers.h"
#include "client/run_ask.h"
#include "remote/plane_connection.h"

namespace writ::client {

/// What a plane's policy said to a request: either it denied it, with its reasons, or there is an answer.
template <class T>
struct Judged {
  std::vector<std::string> denied;  ///< every reason, as the plane wrote them: escape them
  std::optional<T> answer;          ///< absent exactly when `denied` is not empty
};

/// Asks what would happen; nothing is stored. When the request has a `writ` member the plane must echo it.
/// Errors: those of PlaneConnection; kUnavailable when the plane does not know the extension; kCorrupt.
Result<Judged<DryRunAnswer>> DryRun(remote::PlaneConnection& plane, const RunAsk& ask);

/// Requests the run. A request with a `writ` member is tried again once when the answer was lost: such a plane keeps the
/// idempotency key, so it is the same run. Errors: as DryRun.
Result<Judged<Submitted>> Submit(remote::PlaneConnection& plane, const RunAsk& ask);

/// Something to put on the plane before a run is requested.
struct Upload {
  std::string hash;  ///< what its content must have
  std::string file;  ///< where it is; empty: `bytes`
  std::string bytes;
};
/// Uploads what the plane does not have yet, in order. A file that changed since it was hashed is an error.
/// Errors: those of PlaneConnection and of the files; kInvalid for content that is not `hash`; kExhausted over 64 MiB,
/// which is what a plane takes. `uploaded` counts bytes that were sent.
Result<> UploadAll(remote::PlaneConnection& plane, const std::vector<Upload>& uploads, std::uint64_t& uploaded);
inline constexpr std::size_t kBlobBytesMax = 64u << 20;

}  // namespace writ::client
