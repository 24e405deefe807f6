// What a relay of HTTP/2 does on its streams: requests judged and sent on, answers brought back.
#include <algorithm>

#include "crypto/secret.h"
#include "egress/http2_relay.h"
#include "egress/interceptor.h"
#include "egress/refusal.h"
#include "egress/secret_bodies.h"

namespace writ::egress {

Http2Relay::Exchange* Http2Relay::Find(const Http2Session& session, std::int32_t stream) {
  if (&session == job_.get()) {
    const auto found = exchanges_.find(stream);
    return found == exchanges_.end() ? nullptr : found->second.get();
  }
  const auto found = by_up_.find(stream);
  return found == by_up_.end() ? nullptr : found->second;
}

bool Http2Relay::OnHead(Http2Session& session, std::int32_t stream, Http2Head head) {
  Exchange* const exchange = Find(session, stream);
  if (&session == job_.get()) {
    if (head.kind == Http2Head::Kind::kRequest) return OnRequest(stream, std::move(head));
    return exchange == nullptr || OnRequestTrailers(*exchange, std::move(head));
  }
  if (exchange == nullptr) return true;  // nobody waits for it any more
  if (head.kind == Http2Head::Kind::kTrailers) {
    OnResponseTrailers(*exchange, std::move(head));
  } else {
    OnResponse(*exchange, std::move(head));
  }
  return true;
}

bool Http2Relay::OnRequest(std::int32_t stream, Http2Head head) {
  auto& exchange = *(exchanges_[stream] = std::make_unique<Exchange>());
  exchange.job = stream;
  const bool body = !head.last;
  Http2Plan planned = PlanHttp2Request(std::move(head), core_.rules(), core_.settings, destination_, kind_);
  exchange.plan = std::move(planned.plan);
  const HttpPlan& plan = exchange.plan;
  if (plan.attempt && !core_.Record(*plan.attempt)) return false;
  if (plan.kind != HttpPlan::Kind::kForward) {
    const std::string& text = plan.kind == HttpPlan::Kind::kAnswer ? plan.answer : plan.attempt->verdict.reason;
    Answer(exchange, plan.status, text);
    return true;
  }
  if (!upstream_failure_.empty()) return Answer(exchange, 502, upstream_failure_ + "\n"), true;
  if (upstream_gone_) return job_->Reset(stream, kHttp2RefusedStream), true;  // it may be sent on another connection
  if (plan.look_for_secrets) {
    exchange.filter = std::make_shared<PlaceholderFilter>(core_.settings.interceptor->secrets(),
                                                          SecretScope{destination_.target.host, kind_.secured},
                                                          PlaceholderFilter::Form::kPlain);
    exchange.request.SetFilter(PlaceholderBody(exchange.filter), plan.released);
  }
  const auto opened = upstream_->Request(planned.fields, body, plan.released);
  for (auto& field : planned.fields) crypto::Wipe(field.value);
  if (!opened) return job_->Reset(stream, kHttp2RefusedStream), true;
  exchange.up = *opened;
  by_up_[exchange.up] = &exchange;
  return true;
}

bool Http2Relay::OnRequestTrailers(Exchange& exchange, Http2Head head) {
  if (exchange.up == 0) return true;
  net::Http1RequestHead judged;
  judged.fields = std::move(head.fields);
  if (exchange.plan.look_for_secrets) {
    const SecretScope scope{destination_.target.host, kind_.secured};
    const auto done = PutSecretsIntoHead(core_.settings.interceptor->secrets(), scope, judged);
    if (done.refusal) return RefuseBody(exchange, *done.refusal);
  }
  const bool fit = std::ranges::all_of(judged.fields, [](const auto& field) { return FitsField(field.value); });
  if (head.too_large || !fit) {
    DropUpstream(exchange, kHttp2Cancel);
    exchange.responded ? job_->Reset(exchange.job, kHttp2InternalError)
                       : Answer(exchange, fit ? 431 : 400, "the trailers of the request cannot be passed on");
    return true;
  }
  exchange.request.End(std::move(judged.fields));
  upstream_->Resume(exchange.up);
  return true;
}

void Http2Relay::OnResponse(Exchange& exchange, Http2Head head) {
  const bool last = head.last;
  const EdgeSecrets* secrets = exchange.plan.hides ? &core_.settings.interceptor->secrets() : nullptr;
  Http2ResponsePlan plan = PlanHttp2Response(std::move(head), secrets);
  if (!plan.good || exchange.responded) {
    DropUpstream(exchange, kHttp2Cancel);
    exchange.responded ? job_->Reset(exchange.job, kHttp2InternalError)
                       : Answer(exchange, 502, std::string(kUpstreamError));
    return;
  }
  if (plan.interim) return job_->Interim(exchange.job, plan.fields);
  exchange.responded = true;
  if (secrets != nullptr) exchange.response.SetFilter(RedactedBody(*secrets), false);
  if (last) exchange.response.End({});
  job_->Respond(exchange.job, plan.fields, !last);
}

void Http2Relay::OnResponseTrailers(Exchange& exchange, Http2Head head) {
  if (head.too_large) {
    DropUpstream(exchange, kHttp2Cancel);
    return job_->Reset(exchange.job, kHttp2InternalError);
  }
  if (exchange.plan.hides) HideSecrets(core_.settings.interceptor->secrets(), head.fields);
  exchange.response.End(std::move(head.fields));
  job_->Resume(exchange.job);
}

bool Http2Relay::OnData(Http2Session& session, std::int32_t stream, std::string_view bytes) {
  Exchange* const exchange = Find(session, stream);
  if (exchange == nullptr) {
    session.Credit(stream, bytes.size());
    return true;
  }
  if (&session == job_.get()) {
    exchange->request.Add(bytes);
    if (exchange->up != 0) upstream_->Resume(exchange->up);
  } else {
    exchange->response.Add(bytes);
    job_->Resume(exchange->job);
  }
  Credit(*exchange);
  return true;
}

void Http2Relay::OnLast(Http2Session& session, std::int32_t stream) {
  Exchange* const exchange = Find(session, stream);
  if (exchange == nullptr) return;
  if (&session == job_.get()) {
    if (!exchange->request.ended()) exchange->request.End({});
    if (exchange->up != 0) upstream_->Resume(exchange->up);
  } else {
    if (!exchange->response.ended()) exchange->response.End({});
    job_->Resume(exchange->job);
  }
}

void Http2Relay::OnLastSent(Http2Session& session, std::int32_t stream) {
  if (&session != job_.get()) return;
  Exchange* const exchange = Find(session, stream);
  if (exchange == nullptr) return;
  exchange->all_sent = true;
  // RFC 9113 section 8.1: the rest of a request that was answered is not needed.
  if (exchange->up == 0 && session.PeerMaySend(stream)) session.Reset(stream, kHttp2NoError);
}

void Http2Relay::OnClosed(Http2Session& session, std::int32_t stream, std::uint32_t code) {
  Exchange* const exchange = Find(session, stream);
  if (exchange == nullptr) return;
  if (&session == job_.get()) {
    exchange->response.Discard();
    DropUpstream(*exchange, code == kHttp2NoError ? kHttp2Cancel : code);
    exchanges_.erase(stream);
    return;
  }
  by_up_.erase(stream);
  exchange->up = 0;
  exchange->request.Discard();
  Credit(*exchange);
  if (!exchange->response.ended()) return job_->Reset(exchange->job, code == kHttp2NoError ? kHttp2InternalError : code);
  if (exchange->all_sent && job_->PeerMaySend(exchange->job)) job_->Reset(exchange->job, kHttp2NoError);
}

void Http2Relay::OnGoAway(Http2Session& session) {
  if (&session != upstream_.get() || upstream_gone_) return;
  upstream_gone_ = true;
  job_->GoAway();
}

Http2Piece Http2Relay::Pull(Http2Session& session, std::int32_t stream, std::span<char> to) {
  Http2Piece failed;
  failed.failed = true;
  Exchange* const exchange = Find(session, stream);
  if (exchange == nullptr) return failed;
  const bool request = &session == upstream_.get();
  Http2Piece piece = (request ? exchange->request : exchange->response).Pull(to);
  Credit(*exchange);
  if (piece.failed && request) {  // the session resets the stream
    by_up_.erase(stream);
    exchange->up = 0;
    static_cast<void>(RefuseBody(*exchange, exchange->filter->refusal()));
  }
  return piece;
}

void Http2Relay::Credit(Exchange& exchange) {
  job_->Credit(exchange.job, exchange.request.TakeCredit());
  const std::size_t bytes = exchange.response.TakeCredit();
  if (upstream_ && !exchange.own) upstream_->Credit(exchange.up, bytes);
}

/// Ends the exchange with the upstream; what still comes from the job is thrown away.
void Http2Relay::DropUpstream(Exchange& exchange, std::uint32_t code) {
  if (exchange.up != 0) {
    by_up_.erase(exchange.up);
    upstream_->Reset(exchange.up, code);
    exchange.up = 0;
  }
  exchange.request.Discard();
  Credit(exchange);
}

/// False: it could not be recorded, and everything was cut.
bool Http2Relay::RefuseBody(Exchange& exchange, policy::EgressVerdict verdict) {
  const std::string text = RefusalBody(verdict, true);
  const auto& [target, host, via] = destination_;
  const std::string path = exchange.plan.attempt ? exchange.plan.attempt->path : std::string();
  DropUpstream(exchange, kHttp2Cancel);  // what it got is not a whole request
  if (!core_.Record({host, target.port, via, std::move(verdict), exchange.plan.method, path})) return false;
  exchange.responded ? job_->Reset(exchange.job, kHttp2Cancel) : Answer(exchange, 403, text);
  return true;
}

void Http2Relay::Answer(Exchange& exchange, int status, std::string text) {
  exchange.request.Discard();
  Credit(exchange);
  exchange.responded = exchange.own = true;
  const bool body = !exchange.plan.head_only();
  if (body) exchange.response.Add(text);
  exchange.response.End({});
  job_->Respond(exchange.job, Http2Answer(status, text, SystemClock().Now()), body);
}

}  // namespace writ::egress
