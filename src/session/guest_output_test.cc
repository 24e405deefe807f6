#include "session/guest_output.h"

#include <gtest/gtest.h>

#include "crypto/digest.h"
#include "session/run_results.h"
#include "storage/memory/memory_store.h"

namespace writ::session {
namespace {

using isolation::Stream;

struct Live final : isolation::OutputSink {
  Result<> Write(Stream, ByteView bytes) override {
    if (fail) return Fail(Code::kInternal, "terminal gone");
    seen += AsText(bytes);
    return {};
  }
  Result<> Truncated(Stream) override {
    ++cuts;
    return {};
  }
  std::string seen;
  int cuts = 0;
  bool fail = false;
};

class GuestOutputTest : public testing::Test {
 protected:
  std::string Blob(const std::string& hash) { return *blobs_->Get(hash, 1 << 30); }
  Live live_;
  std::unique_ptr<storage::BlobStore> blobs_ = storage::MakeMemoryBlobStore();
  GuestOutput output_{live_, *blobs_, {}};
};

TEST_F(GuestOutputTest, KeepsBothStreamsAndTheirOrder) {
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("one\n")));
  ASSERT_TRUE(output_.Write(Stream::kStderr, AsBytes("two\n")));
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("three\n")));
  EXPECT_EQ(live_.seen, "one\ntwo\nthree\n");
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured) << captured.error().what;
  EXPECT_EQ(Blob(captured->log.hash), "one\ntwo\nthree\n");
  EXPECT_EQ(Blob(captured->out.hash), "one\nthree\n");
  EXPECT_EQ(Blob(captured->err.hash), "two\n");
  EXPECT_EQ(captured->log.bytes, 14u);
}

TEST_F(GuestOutputTest, SilenceStoresNothing) {
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  EXPECT_EQ(captured->log.hash, "");
  EXPECT_EQ(captured->out.hash, "");
}

TEST_F(GuestOutputTest, OneStreamIsItsOwnLog) {
  ASSERT_TRUE(output_.Write(Stream::kStderr, AsBytes("only this")));
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  EXPECT_EQ(captured->log.hash, crypto::Sha256Hex("only this"));
  EXPECT_EQ(captured->log.hash, captured->err.hash);
}

TEST_F(GuestOutputTest, MarksTheCutInTheLogOnly) {
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("abc")));
  ASSERT_TRUE(output_.Truncated(Stream::kStdout));
  EXPECT_EQ(live_.cuts, 1);
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  EXPECT_EQ(Blob(captured->out.hash), "abc");
  EXPECT_EQ(Blob(captured->log.hash), "abc\n[writ: stdout is cut here: it reached its limit of 16777216 bytes]\n");
}

TEST_F(GuestOutputTest, LargeOutputIsTheSameContent) {
  std::string all;
  for (int i = 0; i < 300; ++i) {
    const std::string line(1000, static_cast<char>('a' + i % 26));
    all += line;
    ASSERT_TRUE(output_.Write(i % 3 ? Stream::kStdout : Stream::kStderr, AsBytes(line)));
  }
  const auto captured = output_.Finish(storage::Durability::kBuffered);
  ASSERT_TRUE(captured);
  EXPECT_EQ(captured->log.hash, crypto::Sha256Hex(all));
  EXPECT_EQ(captured->out.bytes + captured->err.bytes, all.size());
}

TEST_F(GuestOutputTest, ThePieceThatCrossesTheLimitOfBothStreamsIsKeptAndNothingAfterIt) {
  int crossed = 0;
  output_.EndAbove(8, [&] { ++crossed; });
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("01234567")));
  EXPECT_EQ(crossed, 0);
  ASSERT_TRUE(output_.Write(Stream::kStderr, AsBytes("89ABCDEF")));
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("lost")));
  EXPECT_EQ(crossed, 1);
  EXPECT_EQ(live_.seen, "0123456789ABCDEF");
  RunResults results;
  ASSERT_TRUE(CollectLog(results, output_, *blobs_, {.streams = false}));
  ASSERT_EQ(results.artifacts.size(), 1u);
  EXPECT_EQ(Blob(results.artifacts[0].hash), "0123456789ABCDEF");
}

TEST_F(GuestOutputTest, ALogCanBeKeptAsUtf8) {
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("a\377")));
  ASSERT_TRUE(output_.Write(Stream::kStdout, AsBytes("\376b\xc3\n")));
  RunResults results;
  ASSERT_TRUE(CollectLog(results, output_, *blobs_, {.streams = false, .as_utf8 = true}));
  ASSERT_EQ(results.artifacts.size(), 1u);
  EXPECT_EQ(Blob(results.artifacts[0].hash), "a\uFFFD\uFFFDb\uFFFD\n");
}

TEST_F(GuestOutputTest, AFailingReaderStopsTheRun) {
  live_.fail = true;
  EXPECT_FALSE(output_.Write(Stream::kStdout, AsBytes("x")));
}

}  // namespace
}  // namespace writ::session
