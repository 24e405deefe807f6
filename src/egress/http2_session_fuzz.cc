#include <cstdint>
#include <cstdlib>

#include "egress/http2_plan.h"

namespace {

using namespace writ;
using namespace writ::egress;

/// Judges every request, answers it, and takes every body.
struct Judge final : Http2Events {
  bool OnHead(Http2Session& session, std::int32_t stream, Http2Head head) override {
    if (head.fields.size() > Http2Session::kFieldsMax) std::abort();
    if (head.kind != Http2Head::Kind::kRequest) return true;
    const auto planned = PlanHttp2Request(std::move(head), rules, settings, destination, {.by_request = true, .secured = true});
    if (planned.plan.kind == HttpPlan::Kind::kForward && (!planned.plan.attempt || !planned.plan.attempt->verdict.allowed)) {
      std::abort();
    }
    session.Respond(stream, Http2Answer(200, "", {}), false);
    return true;
  }
  bool OnData(Http2Session& session, std::int32_t stream, std::string_view bytes) override {
    session.Credit(stream, bytes.size());
    return true;
  }
  void OnLast(Http2Session&, std::int32_t) override {}
  void OnLastSent(Http2Session& session, std::int32_t stream) override { session.Reset(stream, kHttp2NoError); }
  void OnClosed(Http2Session&, std::int32_t, std::uint32_t) override {}
  void OnGoAway(Http2Session&) override {}
  Http2Piece Pull(Http2Session&, std::int32_t, std::span<char>) override { return {.bytes = 0, .last = true, .trailers = {}, .failed = false}; }

  policy::EgressRules rules;
  CoreSettings settings;
  Destination destination;
};

}  // namespace

// What a job sends breaks nothing, and what goes on was granted. The connection's preface is put in front.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Judge judge;
  judge.rules.rules.push_back(*policy::ParseEgressRule("ok.test GET /a/**"));
  judge.destination = {{*net::NormaliseHost("ok.test"), 443, "ok.test"}, "ok.test", "connect"};
  auto session = Http2Session::Make(Http2Session::Role::kServer, judge, {});
  if (!session) std::abort();
  std::string out;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  bool going = (*session)->Receive(std::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33), {}).has_value();
  for (std::size_t at = 0; at < bytes.size() && going; at += 97) {
    going = (*session)->Receive(bytes.substr(at, 97), {}).has_value();
    out.clear();
    if (!(*session)->Send(out, 1U << 20)) break;
  }
  return 0;
}
