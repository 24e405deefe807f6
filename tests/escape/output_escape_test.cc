// Attacks on whoever reads a run's results.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "escape_for_test.h"
#include "sys/tree.h"

namespace writ::escape {
namespace {

using isolation::Place;
using sys::FileType;
using testing::HasSubstr;

class OutputEscape : public EscapeTest {
 protected:
  struct Left {
    FileType type = FileType::kOther;
    std::uint64_t bytes = 0;
    std::uint32_t links = 0, mode = 0;
    std::string text, target;
  };

  /// Everything directly under a place, opened as a collector would.
  static std::map<std::string, Left> Collect(isolation::Session& session, Place place) {
    std::map<std::string, Left> found;
    auto tree = session.Tree(place);
    EXPECT_TRUE(tree) << tree.error().what;
    if (!tree) return found;
    auto names = sys::ListNames(tree->root, 10'000);
    EXPECT_TRUE(names) << names.error().what;
    if (!names) return found;
    for (const auto& name : *names) {
      auto entry = tree->opener->Open(tree->root, name);
      if (!entry) {
        found[name].text = "<" + entry.error().what + ">";
        continue;
      }
      Left left{.type = entry->meta.type, .bytes = entry->meta.bytes, .links = entry->meta.links, .mode = entry->meta.mode,
                .text = {}, .target = entry->link_target};
      char bytes[64];
      if (left.type == FileType::kRegular) {
        const ssize_t got = ::pread(entry->fd.get(), bytes, sizeof bytes, 0);
        left.text.assign(bytes, got > 0 ? static_cast<std::size_t>(got) : 0);
      }
      found[name] = left;
    }
    return found;
  }
};

TEST_F(OutputEscape, Attack14_HostileTextPassesUnchangedForRenderersToEscape) {
  const auto run = Run("log_injection");
  EXPECT_EQ(run.outcome.code, 0);
  EXPECT_EQ(run.out, run.err);
  EXPECT_THAT(run.out, HasSubstr(std::string("nul \0 inside\n", 13)));
  EXPECT_THAT(run.out, HasSubstr("\x1b]52;c;cm0gLXJmIC8=\x07"));
  EXPECT_TRUE(run.out.ends_with("no newline at the end"));
}

TEST_F(OutputEscape, Attack14_HostileNamesAreListedAsTheyAre) {
  const auto run = Run("hostile_names");
  EXPECT_EQ(run.Line("hostile-names"), "made 34") << run.out;
  const auto found = Collect(*run.session, Place::kOut);
  EXPECT_EQ(found.size(), 34u);
  for (const auto& [name, left] : found) EXPECT_EQ(left.text, "x") << testing::PrintToString(name) << left.text;
  EXPECT_TRUE(found.contains("new\nline"));
  EXPECT_TRUE(found.contains("..."));
  EXPECT_TRUE(found.contains(std::string(255, 'n')));
}

TEST_F(OutputEscape, Attack29_LinksAndSpecialFilesAreNamedAndNeverFollowed) {
  const auto run = Run("hostile_outputs");
  EXPECT_EQ(run.outcome.code, 0) << run.out;
  EXPECT_EQ(run.Line("device"), "EPERM");
  EXPECT_EQ(run.Line("whiteout"), "EPERM");
  EXPECT_EQ(run.Line("hard-link-to-passwd"), "EXDEV");
  EXPECT_EQ(run.Line("hard-link-to-program"), "EXDEV");
  auto found = Collect(*run.session, Place::kOut);
  EXPECT_EQ(found["good"].text, "good");
  for (const char* link : {"link-to-passwd", "link-to-shadow", "link-to-root", "link-up", "link-to-proc", "link-to-itself"}) {
    EXPECT_EQ(found[link].type, FileType::kSymlink) << link;
    EXPECT_EQ(found[link].text, "") << link;
  }
  EXPECT_EQ(found["link-to-passwd"].target, "/etc/passwd");
  EXPECT_EQ(found["pipe"].type, FileType::kOther);
  EXPECT_EQ(found["socket"].type, FileType::kOther);
  EXPECT_EQ(found["twice"].links, 2u);
  EXPECT_EQ(found["directory"].type, FileType::kDirectory);
  EXPECT_FALSE(found.contains("device"));
  EXPECT_FALSE(found.contains("passwd"));
}

TEST_F(OutputEscape, Attack29_NothingIsSwappedOnceTheRunHasEnded) {
  const auto run = Run("swap_outputs", {"/out", "30"});
  EXPECT_EQ(run.outcome.how, isolation::Termination::kExited);
  EXPECT_EQ(run.Line("swapping"), "") << "the guest says it without more";
  // The swapper was still going when its main process ended; whatever state it died in stays.
  const auto first = Collect(*run.session, Place::kOut);
  EXPECT_EQ(first.size(), 4u);
  for (int round = 0; round < 50; ++round) {
    const auto again = Collect(*run.session, Place::kOut);
    ASSERT_EQ(again.size(), first.size());
    for (const auto& [name, left] : first) ASSERT_EQ(again.at(name).type, left.type) << name << " changed in round " << round;
  }
  for (const auto& [name, left] : first) EXPECT_EQ(left.text.find("root:"), std::string::npos) << name;
}

TEST_F(OutputEscape, Attack29_NamesThatAreNoSingleComponentAreRefused) {
  const auto run = Run("hostile_outputs");
  auto tree = run.session->Tree(Place::kOut);
  ASSERT_TRUE(tree) << tree.error().what;
  for (const char* name : {"..", ".", "", "directory/file", "../work", "/etc/passwd", "link-to-root/etc/passwd"}) {
    const auto entry = tree->opener->Open(tree->root, name);
    ASSERT_FALSE(entry) << name;
    EXPECT_EQ(entry.error().code, Code::kInvalid) << name << ": " << entry.error().what;
  }
}

TEST_F(OutputEscape, Attack29_ASparseGiantIsSeenByItsLengthOnly) {
  const auto run = Run("sparse_file", {"/out/huge"});
  auto found = Collect(*run.session, Place::kOut);
  ASSERT_TRUE(found.contains("huge"));
  EXPECT_EQ(found["huge"].type, FileType::kRegular);
}

}  // namespace
}  // namespace writ::escape
