#include "workspace/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/digest.h"
#include "workspace/tree_for_test.h"

namespace writ::workspace {
namespace {

using testing::HasSubstr;

constexpr std::string_view kNul("\0", 1);

std::string Line(std::string_view head, std::string_view path, std::string_view target = {}) {
  std::string line(head);
  return line.append(kNul).append(path).append(kNul).append(target).append(kNul);
}
const std::string kHash(64, 'a');
const std::string kFile = "file 444 3 " + kHash;
constexpr std::string_view kDirectory = "directory 555 0 -";

TEST(Listing, IsWhatTheDigestIsOfAndReadsBack) {
  TestTree tree;
  tree.Write("a/b/c", "1").Write("a/tool", "#!", 0755).Write("z", "").Link("a/link", "../../etc/passwd").Directory("empty");
  tree.Write("caf\xe9\nnew line", "x");
  sys::LocalTreeOpener opener;
  const Manifest manifest = Capture(tree.fd(), opener, {}, SystemClock()).value();
  const std::string text = ListingOf(manifest);
  EXPECT_EQ(crypto::Sha256Hex(text), DigestOf(manifest));
  const auto read = ReadListing(text);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->bytes, manifest.bytes);
  EXPECT_EQ(ListingOf(*read), text);
  EXPECT_EQ(read->entries.size(), manifest.entries.size());
  EXPECT_TRUE(ReadListing("")->entries.empty());
}

TEST(Listing, Attack31_WhatNoDirectoryHasIsRefused) {
  struct Case {
    const char* why;
    std::string text;
    const char* says;
  };
  const Case cases[] = {
      {"cut off", kFile + "\0a", "within an entry"},
      {"no end of target", Line(kFile, "a").substr(0, Line(kFile, "a").size() - 1), "within an entry"},
      {"out of the directory", Line(kFile, "../a"), "no path below"},
      {"absolute", Line(kFile, "/etc/passwd"), "no path below"},
      {"hidden parent", Line(kFile, "a//b"), "no path below"},
      {"nothing", Line(kFile, ""), "no path below"},
      {"a parent that is not there", Line(kFile, "a/b"), "in no directory"},
      {"a parent that is a file", Line(kFile, "a") + Line(kFile, "a/b"), "in no directory"},
      {"a parent that is a link", Line("symlink 777 4 -", "a", "/etc") + Line(kFile, "a/passwd"), "in no directory"},
      {"twice", Line(kFile, "a") + Line(kFile, "a"), "in its place"},
      {"not sorted", Line(kFile, "b") + Line(kFile, "a"), "in its place"},
      {"a device", Line("device 666 0 -", "a"), "no kind of entry"},
      {"a mode that is none", Line("file 10000 3 " + kHash, "a"), "mode"},
      {"a mode that is no number", Line("file 9 3 " + kHash, "a"), "no number"},
      {"an empty digest", Line("directory 755 0 ", "a"), "by -"},
      {"bytes with a sign", Line("file 444 -3 " + kHash, "a"), "no number"},
      {"bytes with a zero before", Line("file 444 03 " + kHash, "a"), "no number"},
      {"too many bytes", Line("file 444 99999999999999999999 " + kHash, "a"), "no number"},
      {"a file without a digest", Line("file 444 3 -", "a"), "digest"},
      {"a digest that is a path", Line("file 444 3 ../../../etc/passwd", "a"), "digest"},
      {"a directory with a digest", Line("directory 555 0 " + kHash, "a"), "digest"},
      {"a directory with bytes", Line("directory 555 7 -", "a"), "no bytes"},
      {"a file with a target", Line(kFile, "a", "b"), "target"},
      {"a link without one", Line("symlink 777 0 -", "a"), "target"},
      {"a link of another length", Line("symlink 777 5 -", "a", "b"), "target"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto read = ReadListing(c.text);
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().what, HasSubstr(c.says));
  }
}

TEST(Listing, HasBounds) {
  const std::string two = Line(kDirectory, "a") + Line(kFile, "a/b");
  EXPECT_TRUE(ReadListing(two, {2, 3}));
  EXPECT_EQ(ReadListing(two, {1, 3}).error().code, Code::kExhausted);
  EXPECT_EQ(ReadListing(two, {2, 2}).error().code, Code::kExhausted);
  const std::string much = Line("file 444 18446744073709551615 " + kHash, "a") + Line(kFile, "b");
  EXPECT_EQ(ReadListing(much).error().code, Code::kExhausted) << "sums do not wrap around";
}

}  // namespace
}  // namespace writ::workspace
