#include "client/submit.h"

#include "base/escape.h"
#include "base/ids.h"
#include "crypto/digest.h"
#include "sys/file.h"

namespace writ::client {
namespace {

using canon::Json;
using remote::PlaneConnection;

constexpr std::string_view kRuns = "/v1/runs";

/// The reasons of a denial by policy, or none when the last answer was something else.
std::vector<std::string> Denied(const PlaneConnection& plane) {
  if (plane.last_answer().status != 403) return {};
  const auto body = canon::Parse(plane.last_answer().body, canon::Mode::kWire);
  return body ? DeniedReasons(*body) : std::vector<std::string>{};
}

template <class T>
Result<Judged<T>> Judge(PlaneConnection& plane, Result<Json> answer, Result<T> (*decode)(const Json&)) {
  Judged<T> judged;
  if (!answer) {
    judged.denied = Denied(plane);
    if (judged.denied.empty()) return std::unexpected(std::move(answer).error());
    return judged;
  }
  judged.answer = WRIT_TRY("request", decode(*answer));
  return judged;
}

bool IsThere(PlaneConnection& plane, const std::string& hash) {
  const auto head = plane.http().Send({.method = "HEAD", .target = "/v1/blobs/" + hash, .fields = {}, .body = {}}, Deadline::After(PlaneConnection::kTimeout));
  return head && head->status == 200;  // an original plane has no such route: then it is simply sent
}

}  // namespace

Result<Judged<DryRunAnswer>> DryRun(PlaneConnection& plane, const RunAsk& ask) {
  const Json body = Json::Of({{"request", RequestJson(ask)}, {"dryRun", true}});
  auto judged = WRIT_TRY("dry run", Judge<DryRunAnswer>(plane, plane.Post(kRuns, body), DecodeDryRun));
  if (judged.answer && ask.writ && !EchoCovers(judged.answer->json.Find("writ"), contract::ToJson(*ask.writ))) {
    return Fail(Code::kUnavailable,
                "this plane does not promise what was asked of it: its dry run does not repeat the `writ` member with tier and "
                "limits. A plane of the original protocol would run it without them; `writ submit` without such options asks "
                "for no more than that protocol has");
  }
  return judged;
}

Result<Judged<Submitted>> Submit(PlaneConnection& plane, const RunAsk& ask) {
  const Json body = Json::Of({{"request", RequestJson(ask)}});
  const net::Http1Fields fields{{"Idempotency-Key", MakeId("sub_")}};
  auto answer = plane.Post(kRuns, body, PlaneConnection::kTimeout, fields);
  const bool lost = !answer && answer.error().code == Code::kUnavailable && plane.last_answer().status == 0;
  if (lost && ask.writ && !plane.http().cancelled()) answer = plane.Post(kRuns, body, PlaneConnection::kTimeout, fields);
  return Judge<Submitted>(plane, std::move(answer), DecodeSubmitted);
}

Result<> UploadAll(PlaneConnection& plane, const std::vector<Upload>& uploads, std::uint64_t& uploaded) {
  for (const Upload& upload : uploads) {
    if (IsThere(plane, upload.hash)) continue;
    std::string content;
    if (!upload.file.empty()) content = WRIT_TRY("upload", sys::ReadFile(upload.file, kBlobBytesMax));
    const std::string& bytes = upload.file.empty() ? upload.bytes : content;
    if (crypto::Sha256Hex(bytes) != upload.hash) {
      return Fail(Code::kInvalid, "upload: {} has changed since it was captured; try again", EscapeVisible(upload.file));
    }
    const std::string hash = WRIT_TRY("upload", plane.PutBlob(AsBytes(bytes)));
    if (hash != upload.hash) return Fail(Code::kCorrupt, "upload: the plane stored another content than was sent");
    uploaded += bytes.size();
  }
  return {};
}

}  // namespace writ::client
