#include "client/find_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_server_for_test.h"

namespace writ::client {
namespace {

using testing::HasSubstr;

constexpr const char* kId = "run_01234567-89ab-4cde-8f01-23456789abcd";

/// Lists what it was told, two a page, whatever was asked: a plane of the original protocol looks nothing up.
class ListingPlane {
 public:
  explicit ListingPlane(std::vector<std::string> ids) : ids_(std::move(ids)), server_([this](net::ServerPeer& peer) { Serve(peer); }) {}
  Result<std::string> Find(std::string_view named) {
    const auto plane = remote::PlaneConnection::Open(server_.url(), "tok").value();
    return FindRun(*plane, named);
  }
  int asked() const { return asked_; }

 private:
  void Serve(net::ServerPeer& peer) {
    for (std::string request; !(request = peer.ReadRequest()).empty();) {
      ++asked_;
      const auto cursor = request.find("cursor=");
      const std::size_t from = cursor == request.npos ? 0 : std::stoul(request.substr(cursor + 7));
      std::string rows;
      for (std::size_t i = from; i < std::min(from + 2, ids_.size()); ++i) {
        rows += fmt::format(R"({}{{"runId":"{}","status":"completed","agentKind":"command","pool":"default","prompt":"true","requestedBy":{{"kind":"human","id":"a"}},"createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z","hasReceipt":true}})",
                            rows.empty() ? "" : ",", ids_[i]);
      }
      const std::string next = from + 2 < ids_.size() ? fmt::format(R"(,"nextCursor":"{}")", from + 2) : "";
      const std::string body = fmt::format(R"({{"runs":[{}]{}}})", rows, next);
      peer.Write(fmt::format("HTTP/1.1 200 X\r\nContent-Length: {}\r\n\r\n{}", body.size(), body));
    }
  }
  std::vector<std::string> ids_;
  std::atomic<int> asked_ = 0;
  net::ScriptedServer server_;
};

TEST(FindRun, ABeginningIsEnoughWhenItIsOneRuns) {
  ListingPlane plane({"run_aaaa1", "run_bbbb2", "run_aaab3", "run_cccc4", kId});
  EXPECT_EQ(plane.Find("bbbb").value(), "run_bbbb2");
  EXPECT_EQ(plane.Find("run_c").value(), "run_cccc4");
  EXPECT_EQ(plane.Find("0123").value(), kId) << "on the last page";
  EXPECT_THAT(plane.Find("aaa").error().what, HasSubstr("run_aaaa1, run_aaab3; give more of the id"));
  EXPECT_EQ(plane.Find("dddd").error().code, Code::kNotFound);
}

TEST(FindRun, AWholeIdNeedsNoQuestionAndNonsenseNoneEither) {
  ListingPlane plane({});
  EXPECT_EQ(plane.Find(kId).value(), kId);
  for (const char* nonsense : {"", "../../etc", "run/1", "a b", "run_\x1b[2J"}) {
    EXPECT_EQ(plane.Find(nonsense).error().code, Code::kInvalid) << nonsense;
  }
  EXPECT_EQ(plane.asked(), 0);
}

}  // namespace
}  // namespace writ::client
