#include "http/serve/whole_export.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "api/plane/route.h"

namespace writ::http {
namespace {

struct Joined {
  WholeExport::Send send;
  api::PlaneCall call;
  WholeExport::Reply reply;
  std::size_t bytes_max;
  std::string lines;
};

void AskNext(std::shared_ptr<Joined> joined);

void TakePart(const std::shared_ptr<Joined>& joined, api::PlaneReply part) {
  if (part.status != 200) return joined->reply(std::move(part));
  const auto next = std::find_if(part.headers.begin(), part.headers.end(),
                                 [](const auto& header) { return header.first == api::kNextCursorHeader; });
  if (joined->lines.size() + part.body.size() > joined->bytes_max) {
    return joined->reply({.status = 413,
                          .body = R"({"error":"the export is too long for one answer; ask for parts with limit and cursor, or for less with since"})"});
  }
  joined->lines += part.body;
  if (next == part.headers.end()) {
    part.body = std::move(joined->lines);
    return joined->reply(std::move(part));
  }
  std::erase_if(joined->call.query, [](const auto& member) { return member.first == "cursor"; });
  joined->call.query.emplace_back("cursor", next->second);
  AskNext(joined);
}

void AskNext(std::shared_ptr<Joined> joined) {
  api::PlaneCall call = joined->call;
  const WholeExport::Send& send = joined->send;
  send(std::move(call), [joined](api::PlaneReply part) { TakePart(joined, std::move(part)); });
}

}  // namespace

bool WholeExport::Wants(const api::PlaneCall& call) {
  return call.method == "GET" && call.path == "/v1/export" &&
         std::none_of(call.query.begin(), call.query.end(),
                      [](const auto& member) { return member.first == "limit" || member.first == "cursor"; });
}

void WholeExport::Start(Send send, api::PlaneCall call, Reply reply, std::size_t bytes_max) {
  AskNext(std::make_shared<Joined>(Joined{std::move(send), std::move(call), std::move(reply), bytes_max, {}}));
}

}  // namespace writ::http
