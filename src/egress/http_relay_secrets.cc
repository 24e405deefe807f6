// Secrets on their way through a relay: put into requests, taken out of answers.
#include "crypto/secret.h"
#include "egress/http_relay.h"
#include "egress/interceptor.h"
#include "egress/refusal.h"
#include "egress/secret_bodies.h"
#include "egress/sockets.h"

namespace writ::egress {
BodyFlow HttpRelay::RequestBody(net::BodyFraming framing) {
  body_filter_.reset();
  if (!plan_.look_for_secrets) return BodyFlow(plan_.body);
  body_filter_ = std::make_shared<PlaceholderFilter>(core_.settings.interceptor->secrets(),
                                                     SecretScope{plan_.destination.target.host, kind_.secured},
                                                     PlaceholderFilter::Form::kPlain);
  return BodyFlow(plan_.body, framing, PlaceholderBody(body_filter_));
}

BodyFlow HttpRelay::ResponseBody(const ResponsePlan& response) const {
  if (!plan_.hides) return BodyFlow(response.body);
  return BodyFlow(response.body, response.framing,
                  RedactedBody(core_.settings.interceptor->secrets()));
}

void HttpRelay::Hide(net::Http1ResponseHead& head) const {
  if (!plan_.hides) return;
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
