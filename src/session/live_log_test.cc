#include "session/live_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/file.h"

namespace writ::session {
namespace {

using testing::HasSubstr;

class LiveLogTest : public testing::Test {
 protected:
  LiveLogPlace Place() const { return {directory_.get(), "run.log"}; }
  bool Exists() const { return ::faccessat(directory_.get(), "run.log", F_OK, 0) == 0; }
  std::string ReadAll(LiveStream stream) const {
    auto reader = LiveLogReader::Open(Place());
    if (!reader || !*reader) return "(none)";
    return More(**reader, stream);
  }
  static std::string More(LiveLogReader& reader, LiveStream stream) {
    std::string text;
    const auto read = reader.Read(stream, [&](ByteView piece) -> Result<> {
      text += AsText(piece);
      return {};
    });
    return read ? text : "(" + read.error().what + ")";
  }

  sys::TemporaryDirectory temporary_ = *sys::TemporaryDirectory::Create(testing::TempDir(), "live");
  sys::UniqueFd directory_{::open(temporary_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
};

TEST_F(LiveLogTest, IsMadeWhenThereIsSomethingToPublish) {
  LiveLog log(Place(), 1 << 20);
  log.Publish();
  log.Add(kLiveLog | kLiveStdout, AsBytes("early"));
  EXPECT_FALSE(Exists()) << "a short run pays for no file";
  EXPECT_EQ(ReadAll(kLiveLog), "(none)");
  log.Publish();
  struct stat meta{};
  ASSERT_EQ(::fstatat(directory_.get(), "run.log", &meta, 0), 0);
  EXPECT_EQ(meta.st_mode & 07777, 0600u);
  EXPECT_EQ(ReadAll(kLiveLog), "early");
}

TEST_F(LiveLogTest, GivesEachStreamAndTheirOrder) {
  LiveLog log(Place(), 1 << 20);
  log.Add(kLiveLog | kLiveStdout, AsBytes("one "));
  log.Add(kLiveLog | kLiveStdout, AsBytes("two "));
  log.Add(kLiveLog | kLiveStderr, AsBytes("three "));
  log.Publish();
  auto reader = LiveLogReader::Open(Place());
  ASSERT_TRUE(reader && *reader);
  EXPECT_EQ(More(**reader, kLiveLog), "one two three ");
  log.Add(kLiveLog, AsBytes("[mark] "));
  log.Add(kLiveLog | kLiveStdout, AsBytes("four"));
  log.Publish();
  EXPECT_EQ(More(**reader, kLiveLog), "[mark] four");
  EXPECT_EQ((*reader)->passed(), 25u);
  EXPECT_EQ(ReadAll(kLiveStdout), "one two four");
  EXPECT_EQ(ReadAll(kLiveStderr), "three ");
}

TEST_F(LiveLogTest, MuchIsPublishedAtOnce) {
  LiveLog log(Place(), 8 << 20);
  const std::string much(1'000'000, 'x');
  log.Add(kLiveLog | kLiveStderr, AsBytes(much));
  EXPECT_GT(ReadAll(kLiveStderr).size(), much.size() - (2 * LiveLog::kFrameMax));
  log.Publish();
  EXPECT_EQ(ReadAll(kLiveStderr), much);
}

TEST_F(LiveLogTest, StopsAtItsBound) {
  LiveLog log(Place(), 1000);
  for (int i = 0; i < 100; ++i) {
    log.Add(kLiveLog | kLiveStdout, AsBytes(std::string(100, 'x')));
    log.Publish();
  }
  struct stat meta{};
  ASSERT_EQ(::fstatat(directory_.get(), "run.log", &meta, 0), 0);
  EXPECT_LE(meta.st_size, 1000);
  EXPECT_GE(ReadAll(kLiveLog).size(), 800u);
}

TEST_F(LiveLogTest, WithoutAPlaceNothingIsWritten) {
  LiveLog log({}, 1 << 20);
  log.Add(kLiveLog, AsBytes("text"));
  log.Publish();
  LiveLog gone({directory_.get(), "missing/run.log"}, 1 << 20);
  gone.Add(kLiveLog, AsBytes(std::string(1 << 20, 'x')));
  gone.Publish();
  EXPECT_FALSE(Exists());
}

TEST_F(LiveLogTest, DoesNotTakeOverWhatIsThere) {
  ASSERT_EQ(::symlinkat("elsewhere", directory_.get(), "run.log"), 0);
  LiveLog log(Place(), 1 << 20);
  log.Add(kLiveLog, AsBytes("text"));
  log.Publish();
  EXPECT_NE(::faccessat(directory_.get(), "elsewhere", F_OK, 0), 0);
  EXPECT_FALSE(LiveLogReader::Open(Place()));
}

TEST(LiveLogFrames, RefusesWhatIsNoFrame) {
  const auto nowhere = [](ByteView) -> Result<> { return {}; };
  for (const std::string_view bad : {std::string_view("\0\1\0\0\0x", 6), std::string_view("\x08\1\0\0\0x", 6),
                                     std::string_view("\1\0\0\0\0", 5), std::string_view("\1\xFF\xFF\xFF\xFF", 5)}) {
    const auto fed = LiveLogFrames().Feed(AsBytes(bad), kLiveLog, nowhere);
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().code, Code::kCorrupt);
  }
  EXPECT_TRUE(LiveLogFrames().Feed(AsBytes("\1\2\2"), kLiveLog, nowhere)) << "the rest may follow";
}

}  // namespace
}  // namespace writ::session
