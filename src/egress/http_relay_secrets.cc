// Secrets on their way through a relay: put into requests, taken out of answers.
#include "crypto/secret.h"
#include "egress/http_relay.h"
#include "egress/interceptor.h"
#include "egress/refusal.h"
#include "egress/sockets.h"

namespace writ::egress {
namespace {

/// The filter is shared with the relay, which asks it why it refused.
class PlaceholderBody final : public BodyFilter {
 public:
  explicit PlaceholderBody(std::shared_ptr<PlaceholderFilter> filter) : filter_(std::move(filter)) {}
  net::Http1Result<> Write(std::string_view content, std::string& out) override {
    if (filter_->Write(content, out)) return {};
    return std::unexpected(net::Http1Refusal{403, "a placeholder that does not belong here"});
  }
  void Finish(std::string& out) override { filter_->Finish(out); }

 private:
  std::shared_ptr<PlaceholderFilter> filter_;
};

class RedactedBody final : public BodyFilter {
 public:
  explicit RedactedBody(const EdgeSecrets& secrets) : redactor_(secrets.patterns()) {}
  net::Http1Result<> Write(std::string_view content, std::string& out) override {
    // The sink cannot fail.
    static_cast<void>(redactor_.Write(AsBytes(content), [&](ByteView piece) -> Result<> {
      out += AsText(piece);
      return {};
    }));
    return {};
  }
  void Finish(std::string& out) override {
    static_cast<void>(redactor_.Finish([&](ByteView piece) -> Result<> {
      out += AsText(piece);
      return {};
    }));
  }

 private:
  secrets::Redactor redactor_;
};

}  // namespace

BodyFlow HttpRelay::RequestBody(net::BodyFraming framing) {
  body_filter_.reset();
  if (!plan_.look_for_secrets) return BodyFlow(plan_.body);
  body_filter_ = std::make_shared<PlaceholderFilter>(core_.settings.interceptor->secrets(),
                                                     SecretScope{plan_.destination.target.host, kind_.secured},
                                                     PlaceholderFilter::Form::kPlain);
  return BodyFlow(plan_.body, framing, std::make_unique<PlaceholderBody>(body_filter_));
}

BodyFlow HttpRelay::ResponseBody(const ResponsePlan& response) const {
  if (!plan_.released) return BodyFlow(response.body);
  return BodyFlow(response.body, response.framing,
                  std::make_unique<RedactedBody>(core_.settings.interceptor->secrets()));
}

void HttpRelay::Hide(net::Http1ResponseHead& head) const {
  if (!plan_.released) return;
  const EdgeSecrets& secrets = core_.settings.interceptor->secrets();
  HideSecrets(secrets, head.fields);
  head.reason = secrets::RedactText(secrets.patterns(), head.reason);
}

void HttpRelay::Collect() {
  request_body_ = RequestBody(net::BodyFraming::kLength);
  if (plan_.expects && client_.in.empty()) client_.out += "HTTP/1.1 100 Continue\r\n\r\n";
  phase_ = Phase::kCollect;
  RearmIdle();
}

bool HttpRelay::StepCollect() {
  if (!request_body_.done()) return StepRequestBody(whole_body_);
  // The head ends with an empty line, before which the length goes.
  plan_.head.insert(plan_.head.size() - 2, fmt::format("Content-Length: {}\r\n", whole_body_.size()));
  plan_.body = {};
  plan_.look_for_secrets = false;
  Forward();
  server_.out += whole_body_;  // counted as it came
  crypto::Wipe(whole_body_);
  return true;
}

void HttpRelay::RefuseBody() {
  auto verdict = body_filter_->refusal();
  const std::string text = RefusalBody(verdict, in_tunnel_ || !core_.settings.warrant_exact);
  const auto& [target, host, via] = plan_.destination;
  const std::string path = plan_.attempt ? plan_.attempt->path : std::string();
  if (!core_.Record({host, target.port, via, std::move(verdict), plan_.method, path})) return;
  server_.Drop();  // what it got is not a whole request
  if (phase_ == Phase::kExchange && response_head_done_) {
    ResetOnClose(client_.fd.get());
    return Close();
  }
  AnswerAndEnd(403, text);
}

}  // namespace writ::egress
