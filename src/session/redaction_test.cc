#include "session/redaction.h"

#include <gtest/gtest.h>

#include "contract/event.h"
#include "session/blob_intake.h"
#include "session/guest_output.h"
#include "storage/memory/memory_store.h"

namespace writ::session {
namespace {

using isolation::Stream;

Redaction Make(std::string_view value) { return secrets::RedactionPatterns::Make({{"TOKEN", AsBytes(value)}}).value(); }

struct SeenSink final : isolation::OutputSink {
  Result<> Write(Stream, ByteView bytes) override {
    seen += AsText(bytes);
    return {};
  }
  Result<> Truncated(Stream) override { return {}; }
  std::string seen;
};

class RedactionTest : public testing::Test {
 protected:
  std::string Blob(const std::string& hash) { return *blobs_->Get(hash, 1 << 30); }
  SeenSink live_;
  std::unique_ptr<storage::BlobStore> blobs_ = storage::MakeMemoryBlobStore();
  Redaction redaction_ = Make("hunter2hunter2");
  GuestOutput output_{live_, *blobs_, {}, redaction_};
};

TEST_F(RedactionTest, OutputIsRedactedLiveAndKeptAcrossPieces) {
  for (const char* piece : {"a hunt", "er2hun", "ter2 b\n"}) ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes(piece)));
  EXPECT_EQ(live_.seen, "a [redacted:TOKEN] b\n");
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  EXPECT_EQ(Blob(captured->out.hash), "a [redacted:TOKEN] b\n");
  EXPECT_EQ(captured->out.bytes, Blob(captured->out.hash).size());
  EXPECT_EQ(captured->redacted_out, 1u);
}

TEST_F(RedactionTest, AnAttemptHoldsNoValue) {
  using canon::Json;
  Json event = contract::event::NetworkConnected("aTokenOfMine7.test", false);
  event.Set("writ", Json::Of({{"v", 1},
                              {"via", "http"},
                              {"rule", "default"},
                              {"reason", "no rule grants GET /botaTokenOfMine7/x to atokenofmine7.test:443"},
                              {"grant", "--net-rule 'atokenofmine7.test:443 GET /botaTokenOfMine7/x'"},
                              {"method", "aTokenOfMine7"},
                              {"path", "/botaTokenOfMine7/x"}}));
  RedactEvent(Make("aTokenOfMine7"), event);
  const std::string text = canon::Compact(event);
  for (const char* value : {"aTokenOfMine7", "atokenofmine7"}) EXPECT_EQ(text.find(value), text.npos) << text;
  EXPECT_NE(text.find("/bot[redacted:TOKEN]/x"), text.npos) << text;
  EXPECT_EQ(*event.Find("writ")->FindString("rule"), "default");
}

TEST_F(RedactionTest, StreamsDoNotSplitAValueForEachOther) {
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("hunter2")));
  ASSERT_TRUE(output_.Write(Stream::kStderr, AsBytes("noise\n")));
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("hunter2\n")));
  ASSERT_TRUE(output_.Write(Stream::kStderr, AsBytes("hunter2")));
  ASSERT_TRUE(output_.Write(Stream::kStderr, AsBytes("x\n")));
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  const std::string log = Blob(captured->log.hash);
  EXPECT_EQ(log.find("hunter2hunter2"), std::string::npos);
  EXPECT_NE(log.find("[redacted:TOKEN]\n"), std::string::npos) << log;
  EXPECT_EQ(Blob(captured->err.hash), "noise\nhunter2x\n");
}

TEST_F(RedactionTest, AValueHalfOnEachStreamIsNotWholeInTheLog) {
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("to hunter2!")));
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("hunter2h\x01")));
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  GuestOutput other(live_, *blobs_, {}, redaction_);
  ASSERT_TRUE(other.Write(Stream::kStdout, AsBytes("hunter2hunt")));
  ASSERT_TRUE(other.Write(Stream::kStderr, AsBytes("er2\n")));
  const auto both = other.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(both);
  EXPECT_EQ(Blob(both->log.hash).find("hunter2hunter2"), std::string::npos);
}

TEST_F(RedactionTest, ALimitInsideAValueLeavesNoBeginning) {
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("x hunter2hunter")));
  ASSERT_TRUE(output_.Truncated(Stream::kStdout));
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  EXPECT_EQ(Blob(captured->out.hash), "x [redacted:TOKEN]");
  EXPECT_EQ(Blob(captured->log.hash).substr(0, 20), "x [redacted:TOKEN]\n[");
  EXPECT_EQ(live_.seen, "x [redacted:TOKEN]");
}

TEST_F(RedactionTest, APromptIsNotKeptFromWhoeverWaitsForIt) {
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("Continue? h")));
  ASSERT_TRUE(output_.Idle());
  EXPECT_EQ(live_.seen, "Continue? h");
}

TEST_F(RedactionTest, ContentsAreRedactedAndCounted) {
  BlobIntake intake(*blobs_, redaction_);
  const auto put = [&](std::string content) {
    bool done = false;
    return intake.Put([&, content](std::span<std::uint8_t> buffer) -> Result<std::size_t> {
      if (std::exchange(done, true)) return 0;
      std::copy(content.begin(), content.end(), buffer.begin());
      return content.size();
    });
  };
  const auto text = put("key=hunter2hunter2\n");
  ASSERT_TRUE(text);
  EXPECT_EQ(Blob(text->sha256), "key=[redacted:TOKEN]\n");
  EXPECT_EQ(text->bytes, 21u);
  EXPECT_EQ(intake.Redacted(text->sha256), 1u);
  const std::string binary("\x7f" "ELF\0\xff\x80", 7);
  const auto other = put(binary);
  ASSERT_TRUE(other);
  EXPECT_EQ(Blob(other->sha256), binary);
  EXPECT_EQ(intake.Redacted(other->sha256), 0u);
}

TEST(RedactEvent, ChangesWhatAJobSaysAndNothingElse) {
  namespace event = contract::event;
  const Redaction redaction = Make("abcd");
  const std::string hash(16, 'a');
  canon::Json changed = event::FileChanged("x/abcd.txt", "abcd" + std::string(60, '0'));
  RedactEvent(redaction, changed);
  EXPECT_EQ(*changed.FindString("path"), "x/[redacted:TOKEN].txt");
  EXPECT_EQ(*changed.FindString("contentHash"), "abcd" + std::string(60, '0')) << "four bytes may stand in a digest by accident";
  canon::Json released = event::SecretReleased("abcd", "own");
  RedactEvent(redaction, released);
  EXPECT_EQ(*released.FindString("name"), "abcd");
  canon::Json missing = event::Extension("writ.output.missing", canon::Json::Of({{"name", "abcd"}, {"reason", "abcd"}}));
  RedactEvent(redaction, missing);
  EXPECT_EQ(*missing.Find("writ")->FindString("reason"), "[redacted:TOKEN]");
}

}  // namespace
}  // namespace writ::session
