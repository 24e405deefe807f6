#include "remote/plane_connection.h"

#include <utility>

#include "base/escape.h"
#include "crypto/digest.h"

namespace writ::remote {
namespace {

constexpr int kAttempts = 3;
constexpr Millis kPause{100};

Code CodeOf(unsigned status) {
  switch (status) {
    case 401:
    case 403: return Code::kDenied;
    case 404: return Code::kNotFound;
    case 413:
    case 429: return Code::kExhausted;
    default: break;
  }
  if (status >= 500) return Code::kUnavailable;
  return status >= 400 ? Code::kInvalid : Code::kCorrupt;
}

/// The `error` member, or a text about the status when the plane says nothing readable.
std::string ErrorText(unsigned status, std::string_view body) {
  const auto json = canon::Parse(body, canon::Mode::kWire, {.bytes_max = 1 << 20});
  const std::string* error = json ? json->FindString("error") : nullptr;
  std::string text = error == nullptr ? fmt::format("the plane answered {}", status)
                                      : EscapeVisible(*error, PlaneConnection::kErrorTextMax);
  if (text.size() > PlaneConnection::kErrorTextMax) {  // columns were counted, bytes are promised
    std::size_t end = PlaneConnection::kErrorTextMax;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
  }
  return text;
}

}  // namespace

std::string PathPart(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) out.push_back(c);
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

PlaneConnection::PlaneConnection(std::unique_ptr<net::HttpClient> http, std::string bearer)
    : http_(std::move(http)), bearer_(std::move(bearer)) {}

Result<std::unique_ptr<PlaneConnection>> PlaneConnection::Open(std::string_view base_url, std::string bearer, net::HttpClientOptions options) {
  auto endpoint = WRIT_TRY("plane URL", net::ParseBaseUrl(base_url));
  auto http = WRIT_TRY("plane", net::HttpClient::Create(std::move(endpoint), std::move(options)));
  return std::make_unique<PlaneConnection>(std::move(http), std::move(bearer));
}

net::HttpRequest PlaneConnection::Request(std::string_view method, std::string_view path, std::string_view bearer) const {
  net::HttpRequest request{.method = std::string(method), .target = std::string(path), .fields = {}, .body = {}};
  request.fields.push_back({"Accept", "application/json"});
  if (!bearer.empty()) request.fields.push_back({"Authorization", fmt::format("Bearer {}", bearer)});
  return request;
}

Result<net::HttpResponse> PlaneConnection::Checked(Result<net::HttpResponse> answer) {
  last_ = {};
  if (!answer) return answer;
  last_ = {answer->status, answer->status == 200 ? std::string() : answer->body};
  if (answer->status == 200) return answer;
  return std::unexpected(Error{CodeOf(answer->status), ErrorText(answer->status, answer->body)});
}

Result<net::HttpResponse> PlaneConnection::Repeated(const std::function<Result<net::HttpResponse>()>& attempt, const bool* stop) {
  for (int number = 1;; ++number) {
    auto answer = attempt();
    const bool transport = !answer && answer.error().code == Code::kUnavailable;
    if (!transport || number == kAttempts || http_->cancelled() || (stop != nullptr && *stop)) return answer;
    if (auto waited = http_->Pause(kPause * number); !waited) return std::unexpected(std::move(waited).error());
  }
}

Result<canon::Json> PlaneConnection::ReadJson(Result<net::HttpResponse> answer) {
  auto good = Checked(std::move(answer));
  if (!good) return std::unexpected(std::move(good).error());
  // Answers carry evidence, which is hashed as the original reads it.
  auto json = canon::Parse(good->body, canon::Mode::kWire);
  if (!json) return Fail(Code::kCorrupt, "the plane's answer is no JSON: {}", EscapeVisible(json.error().what, 300));
  return json;
}

Result<std::string> PlaneConnection::GetText(std::string_view path, Millis timeout) {
  const auto request = Request("GET", path, bearer_);
  auto answer = Checked(Repeated([&] { return http_->Send(request, Deadline::After(timeout)); }));
  if (!answer) return std::unexpected(std::move(answer).error());
  return std::move(answer->body);
}

Result<canon::Json> PlaneConnection::Get(std::string_view path, Millis timeout) {
  const auto request = Request("GET", path, bearer_);
  return ReadJson(Repeated([&] { return http_->Send(request, Deadline::After(timeout)); }));
}

Result<canon::Json> PlaneConnection::PostText(std::string_view path, std::string body, Millis timeout, const net::Http1Fields& fields) {
  auto request = Request("POST", path, bearer_);
  request.fields.push_back({"Content-Type", "application/json"});
  for (const auto& field : fields) net::SetField(request.fields, field.name, field.value);
  request.body = std::move(body);
  return ReadJson(http_->Send(request, Deadline::After(timeout)));
}

Result<canon::Json> PlaneConnection::Post(std::string_view path, const canon::Json& body, Millis timeout, const net::Http1Fields& fields) {
  return PostText(path, canon::Compact(body), timeout, fields);
}

Result<std::string> PlaneConnection::PutBlob(ByteView bytes, std::string_view bearer, Millis timeout) {
  auto request = Request("POST", "/v1/blobs", bearer.empty() ? std::string_view(bearer_) : bearer);
  request.fields.push_back({"Content-Type", "application/octet-stream"});
  request.body = AsText(bytes);
  const auto answer = ReadJson(Repeated([&] { return http_->Send(request, Deadline::After(timeout)); }));
  if (!answer) return std::unexpected(answer.error());
  const std::string own = crypto::Sha256Hex(bytes);
  const std::string* hash = answer->FindString("hash");
  if (hash == nullptr || *hash != own) return Fail(Code::kCorrupt, "the plane stored the blob under another hash than {}", own);
  return own;
}

Result<> PlaneConnection::GetBlob(std::string_view hash, const net::HttpClient::Sink& sink, std::uint64_t bytes_max, Millis timeout) {
  if (!crypto::IsHash(hash)) return Fail(Code::kInvalid, "{} is no SHA-256", EscapeVisible(hash, 80));
  auto request = Request("GET", fmt::format("/v1/blobs/{}", hash), {});
  net::SetField(request.fields, "Accept", "application/octet-stream");
  crypto::Sha256 digest;
  std::uint64_t bytes = 0;
  bool begun = false, own_failure = false;
  const net::HttpClient::Sink pieces = [&](ByteView piece) -> Result<> {
    begun = true;
    bytes += piece.size();
    if (bytes > bytes_max) return Fail(Code::kExhausted, "blob {} is larger than {} bytes", hash, bytes_max);
    digest.Update(piece);
    auto taken = sink(piece);
    own_failure = !taken;
    return taken;
  };
  auto answer = Checked(Repeated([&] { return http_->Download(request, pieces, Deadline::After(timeout)); }, &begun));
  if (!answer) return std::unexpected(own_failure ? std::move(answer).error() : std::move(answer).error().Doing(fmt::format("blob {}", hash)));
  if (const std::string found = digest.FinishHex(); found != hash) {
    return Fail(Code::kCorrupt, "blob {} has other content: its SHA-256 is {}", hash, found);
  }
  return {};
}

Result<std::string> PlaneConnection::GetBlob(std::string_view hash, std::uint64_t bytes_max, Millis timeout) {
  std::string content;
  const net::HttpClient::Sink collect = [&](ByteView piece) -> Result<> {
    content += AsText(piece);
    return {};
  };
  if (auto got = GetBlob(hash, collect, bytes_max, timeout); !got) return std::unexpected(std::move(got).error());
  return content;
}

Result<> PlaneConnection::Follow(std::string_view path, const net::EventSink& sink, Deadline deadline) {
  auto answer = Checked(http_->Follow(Request("GET", path, bearer_), sink, deadline));
  if (!answer) return std::unexpected(std::move(answer).error());
  return {};
}

}  // namespace writ::remote
