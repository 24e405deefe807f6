#include "plane/plain_events.h"

#include <gtest/gtest.h>

#include "contract/chain.h"
#include "contract/event.h"

namespace writ::plane {
namespace {

using canon::Json;
namespace event = contract::event;

const std::string kHash(64, 'c');
constexpr const char* kToken = "payload.signature";

Json Stamped(Json event) {
  event::StampMonotonic(event, 1234567);
  return event;
}

std::string BodyOf(std::vector<Json> events, const std::string& genesis = std::string(64, 'a')) {
  contract::EventChain chain(genesis);
  std::string body = fmt::format(R"({{"claimToken":"{}","events":[)", kToken);
  for (auto& one : events) {
    if (chain.count() > 0) body += ',';
    body += canon::Compact(*chain.Append(*ParseTimestamp("2026-03-01T12:00:00.123Z"), std::move(one)));
  }
  return body += "]}";
}

/// What ReadEventBatch makes of a body; no issues and no entries when it is no JSON at all.
EventBatch ReadAsValues(std::string_view body) {
  auto json = canon::Parse(body, canon::Mode::kStrict);
  if (!json || !json->is_object()) return {};
  return ReadEventBatch(const_cast<Json*>(json->Find("events")));
}

/// Both ways of reading agree wherever the plain one reads at all. Returns whether it does.
bool Agree(const std::string& body) {
  const auto plain = ReadPlainPost(body);
  if (!plain) return false;
  const EventBatch other = ReadAsValues(body);
  EXPECT_EQ(other.issues, plain->batch.issues) << body;
  EXPECT_EQ(other.entries.size(), plain->batch.entries.size()) << body;
  if (other.entries.size() != plain->batch.entries.size()) return true;
  session::RunFacts facts, other_facts;
  KeptRun kept, other_kept;
  for (std::size_t i = 0; i < other.entries.size(); ++i) {
    const BatchEntry &a = plain->batch.entries[i], &b = other.entries[i];
    EXPECT_EQ(a.seq, b.seq);
    EXPECT_EQ(a.text, b.text);
    EXPECT_EQ(a.prev, b.prev);
    EXPECT_EQ(a.hash, b.hash);
    EXPECT_EQ(a.said_hash(), b.said_hash());
    EXPECT_EQ(a.type, b.type);
    EXPECT_EQ(a.ts, b.ts);
    kept.Observe(a);
    other_kept.Observe(b);
  }
  EXPECT_EQ(kept.bytes, other_kept.bytes);
  EXPECT_EQ(kept.remembered, other_kept.remembered);
  EXPECT_EQ(kept.artifacts, other_kept.artifacts);
  EXPECT_EQ(kept.facts.state, other_kept.facts.state);
  EXPECT_EQ(kept.facts.terminal, other_kept.facts.terminal);
  EXPECT_EQ(kept.facts.files_changed, other_kept.facts.files_changed);
  EXPECT_EQ(kept.facts.mono_us, other_kept.facts.mono_us);
  EXPECT_EQ(kept.facts.chain.count(), other_kept.facts.chain.count());
  EXPECT_EQ(kept.facts.chain.head(), other_kept.facts.chain.head());
  EXPECT_EQ(kept.facts.chain.started_at(), other_kept.facts.chain.started_at());
  EXPECT_EQ(kept.facts.chain.ended_at(), other_kept.facts.chain.ended_at());
  EXPECT_EQ(kept.facts.chain.network().size(), other_kept.facts.chain.network().size());
  return true;
}

std::vector<Json> EveryType() {
  return {event::WorkspaceMaterialized(kHash),
          Stamped(event::FileChanged("src/a file.cc", kHash)),
          event::CommandExecuted(kHash, -9),
          event::NetworkConnected("a.example", true),
          event::ArtifactCreated("diff", kHash),
          event::BoundaryCrossed("out", kHash, "source"),
          event::ModelCalled("provider", "model"),
          event::Extension("writ.output.collected", Json::Of({{"name", "gr\xc3\xb6\xc3\x9f" "e"}, {"list", Json(Json::Array{1, 2.5, nullptr})}})),
          Stamped(event::RunCompleted())};
}

TEST(PlainEvents, ReadsWhatRunnersWrite) {
  const std::string body = BodyOf(EveryType());
  EXPECT_TRUE(Agree(body));
  const auto post = ReadPlainPost(body);
  ASSERT_TRUE(post);
  EXPECT_EQ(post->claim_token, kToken);
  EXPECT_EQ(post->batch.kept.size(), 5u) << "values are made of those that are remembered only";
  EXPECT_TRUE(Agree(BodyOf({})));
}

TEST(PlainEvents, LeavesEverythingElseToTheOtherReader) {
  const std::string good = BodyOf({event::FileChanged("a", kHash)});
  ASSERT_TRUE(Agree(good));
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string body = good;
    const auto at = body.find(from);
    EXPECT_NE(at, body.npos) << from;
    return body.replace(at, from.size(), to);
  };
  const std::string cases[] = {
      with("\"a\"", "\"b\""),                          // another hash
      with("\"a\"", "\"\n\""),
      with("\"seq\":0", "\"seq\":-0"),
      with("\"seq\":0", "\"seq\":00"),
      with("\"seq\":0", "\"seq\":0.0"),
      with("\"seq\":0", "\"seq\": 0"),
      with("\"seq\":0", "\"seq\":\"0\""),
      with("\"type\":\"file.changed\"", "\"type\":\"file.changed\",\"type\":\"file.changed\""),
      with("\"type\":\"file.changed\"", "\"type\":\"run.created\""),
      with("\"version\":\"warrant.event.v1\",", ""),
      with("\"claimToken\":", "\"claimToken\":\"x\",\"claimToken\":"),
      with("]}", "],\"writ\":1}"),
      with("]}", ",]}"),
      good + " ",
      good.substr(0, good.size() - 1),
      with("file.changed", "file.unknown"),
      with(kHash, std::string(63, 'c')),
  };
  for (const auto& body : cases) {
    SCOPED_TRACE(body);
    EXPECT_FALSE(Agree(body));
  }
  // An event whose text is not plain is read as values, in the same post.
  for (const char* text : {"\"\\u0061\"", "\"\xc3\xa4\"", "\"\x7f\""}) {
    const std::string body = with("\"a\"", text);
    EXPECT_TRUE(Agree(body));
    EXPECT_EQ(ReadPlainPost(body)->batch.kept.size(), 1u);
  }
}

TEST(PlainEvents, Attack39_OneByteMoreLessOrOther) {
  const std::string good = BodyOf({Stamped(event::FileChanged("a", kHash)), event::ModelCalled("p", "m")});
  ASSERT_TRUE(Agree(good));
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string body = good;
    body.erase(at, 1);
    Agree(body);
    for (const char c : std::string_view("\"\\{}],0-\x7f\xc3")) {
      body = good;
      body[at] = c;
      Agree(body);
      body.insert(at, 1, good[at]);
      Agree(body);
    }
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace writ::plane
