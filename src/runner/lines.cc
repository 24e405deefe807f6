#include "runner/lines.h"

#include "net/http_endpoint.h"

namespace writ::runner {
namespace {

constexpr std::size_t kIdleLinesMax = 16;

}  // namespace

Result<std::unique_ptr<Lines>> Lines::Make(const Options& options) {
  const auto endpoint = WRIT_TRY("--plane", net::ParseBaseUrl(options.plane_url));
  net::HttpClientOptions http;
  http.ca_file = options.ca_file;
  http.client_cert_file = options.client_cert_file;
  http.client_key_file = options.client_key_file;
  if (options.env) http.proxy = WRIT_TRY("proxy", net::ProxyFor(endpoint, options.env));
  return std::unique_ptr<Lines>(new Lines(options.plane_url, std::move(http)));
}

Lines::Line::~Line() {
  if (!connection_ || connection_->http().cancelled()) return;
  const std::lock_guard hold(from_->mutex_);
  if (from_->idle_.size() < kIdleLinesMax) from_->idle_.push_back(std::move(connection_));
}

Result<Lines::Line> Lines::Take() {
  {
    const std::lock_guard hold(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return Line(*this, std::move(connection));
    }
  }
  return Line(*this, WRIT_TRY("plane", remote::PlaneConnection::Open(url_, "", options_)));
}

}  // namespace writ::runner
