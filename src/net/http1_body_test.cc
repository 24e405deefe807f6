#include "net/http1_body.h"

#include <gtest/gtest.h>

#include <string>

namespace writ::net {
namespace {

Http1Result<Http1Body> Request(Http1Fields fields, unsigned minor = 1, std::string method = "POST") {
  return RequestBody({std::move(method), "/", minor, std::move(fields)});
}

/// What a reader made of a body: its content, or "refused", "incomplete"; `rest` is what it left.
struct Outcome {
  std::string content, end, rest;
};
Outcome ReadBody(std::string_view input, std::size_t piece) {
  ChunkedReader reader;
  Outcome outcome;
  std::string waiting;
  for (std::size_t at = 0; at < input.size() || !waiting.empty();) {
    const std::size_t take = std::min(piece, input.size() - at);
    waiting += input.substr(at, take);
    at += take;
    for (;;) {
      const auto step = reader.Next(waiting);
      if (!step) return {outcome.content, "refused", {}};
      outcome.content += step->data;
      const auto kind = step->kind;
      waiting.erase(0, step->consumed_bytes);
      if (kind == ChunkedStep::Kind::kEnd) return {outcome.content, "end", waiting + std::string(input.substr(at))};
      if (kind == ChunkedStep::Kind::kNeedMore) break;
    }
    if (take == 0) break;
  }
  return {outcome.content, "incomplete", {}};
}

TEST(Http1Body, Framing) {
  EXPECT_EQ(Request({}).value(), Http1Body{});
  EXPECT_EQ(Request({{"content-length", "0"}}).value(), (Http1Body{BodyFraming::kLength, 0}));
  EXPECT_EQ(Request({{"Content-Length", "123456789012345678"}}).value(),
            (Http1Body{BodyFraming::kLength, 123456789012345678}));
  EXPECT_EQ(Request({{"Transfer-Encoding", "Chunked"}}).value(), (Http1Body{BodyFraming::kChunked, 0}));
  EXPECT_EQ(Request({{"Content-Length", "0"}}, 1, "CONNECT").value(), (Http1Body{BodyFraming::kLength, 0}));
}

TEST(Attack23_Smuggling, FramingThatReadersDisagreeOnIsRefused) {
  struct Case {
    Http1Fields fields;
    unsigned minor, status;
  };
  const Case cases[] = {
      {{{"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}}, 1, 400},
      {{{"Transfer-Encoding", "chunked"}, {"content-length", "3"}}, 1, 400},
      {{{"Content-Length", "3"}, {"Content-Length", "4"}}, 1, 400},
      {{{"Content-Length", "3"}, {"content-length", "3"}}, 1, 400},
      {{{"Content-Length", "3, 3"}}, 1, 400},
      {{{"Content-Length", ""}}, 1, 400},
      {{{"Content-Length", "+3"}}, 1, 400},
      {{{"Content-Length", "-3"}}, 1, 400},
      {{{"Content-Length", "0x3"}}, 1, 400},
      {{{"Content-Length", "3 4"}}, 1, 400},
      {{{"Content-Length", "1234567890123456789"}}, 1, 400},
      {{{"Content-Length", std::string(100000, '1')}}, 1, 400},
      {{{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}, 1, 400},
      {{{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "identity"}}, 1, 400},
      {{{"Transfer-Encoding", "chunked"}}, 0, 400},
      {{{"Transfer-Encoding", "gzip"}}, 1, 501},
      {{{"Transfer-Encoding", "gzip, chunked"}}, 1, 501},
      {{{"Transfer-Encoding", "chunked, identity"}}, 1, 501},
      {{{"Transfer-Encoding", "xchunked"}}, 1, 501},
      {{{"Transfer-Encoding", "chunked;x"}}, 1, 501},
      {{{"Transfer-Encoding", "\"chunked\""}}, 1, 501},
      {{{"Transfer-Encoding", ""}}, 1, 501},
  };
  for (const Case& c : cases) {
    const auto body = Request(c.fields, c.minor);
    ASSERT_FALSE(body) << c.fields[0].name << ": " << c.fields[0].value;
    EXPECT_EQ(body.error().status, c.status) << c.fields[0].name << ": " << c.fields[0].value;
    EXPECT_FALSE(ResponseBody({200, "", c.minor, c.fields}, "GET"));
    EXPECT_FALSE(ResponseBody({304, "", c.minor, c.fields}, "GET"));
  }
  EXPECT_FALSE(Request({{"Content-Length", "3"}}, 1, "CONNECT"));
  EXPECT_FALSE(Request({{"Transfer-Encoding", "chunked"}}, 1, "CONNECT"));
}

TEST(Http1Body, ResponsesWithoutBody) {
  const Http1Fields length = {{"Content-Length", "9"}};
  EXPECT_EQ(ResponseBody({200, "", 1, length}, "GET").value(), (Http1Body{BodyFraming::kLength, 9}));
  EXPECT_EQ(ResponseBody({200, "", 1, {}}, "GET").value(), (Http1Body{BodyFraming::kUntilClose, 0}));
  for (const auto& [status, method] :
       {std::pair(200U, "HEAD"), {204U, "GET"}, {304U, "GET"}, {100U, "POST"}, {101U, "GET"}, {200U, "CONNECT"}}) {
    EXPECT_EQ(ResponseBody({status, "", 1, length}, method).value(), Http1Body{}) << status << method;
  }
  EXPECT_EQ(ResponseBody({403, "", 1, length}, "CONNECT").value(), (Http1Body{BodyFraming::kLength, 9}));
}

TEST(Http1Body, FieldsSayTheFraming) {
  Http1Fields fields = {{"Transfer-Encoding", "chunked"}, {"content-length", "1"}, {"A", "b"}};
  SetBodyFields(fields, {BodyFraming::kLength, 7});
  EXPECT_EQ(fields, (Http1Fields{{"A", "b"}, {"Content-Length", "7"}}));
  SetBodyFields(fields, {BodyFraming::kChunked, 0});
  EXPECT_EQ(fields, (Http1Fields{{"A", "b"}, {"Transfer-Encoding", "chunked"}}));
  SetBodyFields(fields, {});
  EXPECT_EQ(fields, (Http1Fields{{"A", "b"}}));
}

TEST(ChunkedReader, ReadsPiecesOfAnySize) {
  const std::string body = "5\r\nhello\r\n00A;ext=\"v\"\r\n0123456789\r\n0\r\nX-Sum: 7\r\n\r\nGET /next";
  for (const std::size_t piece : {1UL, 2UL, 3UL, 7UL, 1000UL}) {
    const Outcome outcome = ReadBody(body, piece);
    EXPECT_EQ(outcome.end, "end") << piece;
    EXPECT_EQ(outcome.content, "hello0123456789") << piece;
    EXPECT_EQ(outcome.rest, "GET /next") << piece;
  }
  ChunkedReader reader;
  auto step = reader.Next("5\r\nhel").value();
  EXPECT_EQ(step.data, "hel");
  EXPECT_EQ(step.chunk_left_bytes, 2U);
  step = reader.Next("lo\r\n0\r\nA: b\r\n\r\n").value();
  EXPECT_EQ(step.chunk_left_bytes, 0U);
  EXPECT_EQ(reader.Next("\r\n0\r\nA: b\r\n\r\n").value().kind, ChunkedStep::Kind::kEnd);
  EXPECT_EQ(reader.trailers(), (Http1Fields{{"A", "b"}}));
  EXPECT_EQ(ReadBody(ChunkHeader(26) + std::string(26, 'x') + "\r\n" + std::string(kLastChunk), 5).content,
            std::string(26, 'x'));
  EXPECT_EQ(ReadBody("5\r\nhel", 3).end, "incomplete");
}

TEST(Attack23_Smuggling, ChunksThatReadersDisagreeOnAreRefused) {
  using namespace std::string_view_literals;
  const std::string_view cases[] = {
      "5\nhello\r\n0\r\n\r\n",
      "5\r\nhello\n0\r\n\r\n",
      "5\r\nhello0\r\n\r\n",
      "5\r\nhelloX\r\n0\r\n\r\n",
      "5\r\r\nhello\r\n0\r\n\r\n",
      "\r\n5\r\nhello\r\n0\r\n\r\n",
      " 5\r\nhello\r\n0\r\n\r\n",
      "5 \r\nhello\r\n0\r\n\r\n",
      "0x5\r\nhello\r\n0\r\n\r\n",
      "+5\r\nhello\r\n0\r\n\r\n",
      "-5\r\nhello\r\n0\r\n\r\n",
      "5,\r\nhello\r\n0\r\n\r\n",
      ";x\r\nhello\r\n0\r\n\r\n",
      "5;x\ny\r\nhello\r\n0\r\n\r\n",
      "5;x\0\r\nhello\r\n0\r\n\r\n"sv,
      "10000000000000005\r\nhello\r\n0\r\n\r\n",
      "8000000000000000\r\nhello\r\n0\r\n\r\n",
      "0\r\n Folded: x\r\n\r\n",
      "0\r\nName : x\r\n\r\n",
      "0\r\nContent-Length: 5\r\n\r\n",
      "0\r\nTransfer-Encoding: chunked\r\n\r\n",
      "0\r\nHost: evil\r\n\r\n",
      "0\r\nnocolon\r\n\r\n",
      "0\r\n\n",
      "0\n\n",
  };
  for (const std::string_view body : cases) {
    for (const std::size_t piece : {1UL, 1000UL}) EXPECT_EQ(ReadBody(body, piece).end, "refused") << body;
  }
}

TEST(Attack39_ChunkFlood, OverheadIsBounded) {
  EXPECT_EQ(ReadBody("5;" + std::string(2000, 'x'), 4096).end, "refused");
  EXPECT_EQ(ReadBody(std::string(20, '0') + "5\r\nhello", 4096).end, "refused");
  std::string many;
  for (int i = 0; i < 200; ++i) many += "1;" + std::string(100, 'x') + "\r\na\r\n";
  EXPECT_EQ(ReadBody(many, 4096).end, "refused");
  std::string trailers = "0\r\n";
  for (int i = 0; i < 200; ++i) trailers += "A: " + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(ReadBody(trailers, 4096).end, "refused");
}

}  // namespace
}  // namespace writ::net
