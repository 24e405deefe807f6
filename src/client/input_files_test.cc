#include "client/input_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "workspace/listing.h"

namespace writ::client {
namespace {

using testing::HasSubstr;

class InputFiles : public testing::Test {
 protected:
  std::string Write(const std::string& name, std::string_view text, std::uint32_t mode = 0644) {
    EXPECT_TRUE(sys::WriteFileAtomic(Path(name), text, mode));
    return Path(name);
  }
  std::string Path(const std::string& name) const { return tree_.path() + "/" + name; }
  sys::TemporaryDirectory tree_ = *sys::TemporaryDirectory::Create(testing::TempDir(), "input-files");
};

TEST_F(InputFiles, FilesAndDirectoriesBecomeBlobsThatTheContractNames) {
  ASSERT_TRUE(sys::MakeDirectories(Path("d/deep"), 0755));
  Write("d/deep/x", "in depth");
  Write("d/tool", "#!", 0700);
  auto carried = CarryInputs({{Write("plain", "hello"), "p"}, {Write("script", "#!/bin/sh", 0755), "s"}, {Path("d"), "d"}});
  ASSERT_TRUE(carried) << carried.error().what;
  ASSERT_EQ(carried->digests.size(), 3u);
  EXPECT_EQ(carried->digests[0], (contract::InputDigest{"p", "file", crypto::Sha256Hex("hello"), 5}));
  EXPECT_TRUE(carried->digests[1].executable);
  EXPECT_EQ(carried->digests[2].type, "directory");
  EXPECT_EQ(carried->digests[2].bytes, 10u);
  ASSERT_EQ(carried->uploads.size(), 5u);
  for (const auto& upload : carried->uploads) {
    EXPECT_EQ(crypto::Sha256Hex(upload.file.empty() ? upload.bytes : *sys::ReadFile(upload.file, 1000)), upload.hash);
  }
  const auto listed = workspace::ReadListing(carried->uploads[2].bytes);
  ASSERT_TRUE(listed) << listed.error().what;
  EXPECT_EQ(carried->uploads[2].hash, carried->digests[2].sha256) << "the digest names the listing";
  ASSERT_NE(listed->Find("tool"), nullptr);
  EXPECT_EQ(listed->Find("tool")->state.mode, 0555u);

  const std::string copies = carried->copies->path();
  { const CarriedInputs last = *std::move(carried); }
  EXPECT_NE(::access(copies.c_str(), F_OK), 0) << "the copies went with it";
}

TEST_F(InputFiles, WhatCannotTravelIsRefusedBeforeAnythingIsSent) {
  ASSERT_EQ(::mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(CarryInputs({{Path("fifo"), "f"}}).error().code, Code::kInvalid);
  EXPECT_EQ(CarryInputs({{Path("absent"), "f"}}).error().code, Code::kNotFound);
  const std::string big = Write("big", "");
  ASSERT_EQ(::truncate(big.c_str(), static_cast<off_t>(kBlobBytesMax) + 1), 0);
  const auto refused = CarryInputs({{big, "big"}});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("at most 64 MiB"));
}

TEST_F(InputFiles, StdinIsReadToItsEnd) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::UniqueFd from(ends[0]);
  sys::UniqueFd to(ends[1]);
  ASSERT_TRUE(sys::WriteAll(to.get(), std::string_view("said before")));
  to = sys::UniqueFd();
  const auto read = ReadStdin(from.get());
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->bytes, "said before");
  EXPECT_EQ(read->hash, crypto::Sha256Hex("said before"));
  const sys::UniqueFd terminal(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (terminal.valid()) {
    EXPECT_EQ(ReadStdin(terminal.get()).error().code, Code::kInvalid);
  }
  EXPECT_EQ(ReadStdin(tree_.fd().get()).error().code, Code::kInvalid);
  EXPECT_FALSE(ReadStdin(-1));
  const std::string big = Write("big", "");
  ASSERT_EQ(::truncate(big.c_str(), static_cast<off_t>(kBlobBytesMax) + 1), 0);
  const sys::UniqueFd much = *sys::OpenFile(big, O_RDONLY);
  EXPECT_EQ(ReadStdin(much.get()).error().code, Code::kExhausted);
}

}  // namespace
}  // namespace writ::client
