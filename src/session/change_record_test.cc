#include "session/change_record.h"

#include <gtest/gtest.h>

namespace writ::session {
namespace {

using workspace::Change;
using workspace::ChangeKind;
using workspace::ChangeSet;
using workspace::EntryType;
using workspace::FileState;

ChangeSet Odd() {
  const std::string hash(64, 'a');
  const FileState file{EntryType::kFile, 0644, 2, 5, hash, ""};
  const FileState link{EntryType::kSymlink, 0777, 1, 4, "", "/etc\xff"};
  ChangeSet set;
  set.changes = {{"a\nb\xfe", ChangeKind::kAdded, {}, file, "git runs it", ""},
                 {"gone", ChangeKind::kDeleted, file, {}, "", "a note"},
                 {"link", ChangeKind::kModified, file, link, "", ""}};
  set.skipped = {{"pipe", "FIFO"}};
  set.incomplete = "more than 3 changes";
  return set;
}

TEST(ChangeRecord, ComesBackAsItWas) {
  const ChangeSet set = Odd();
  const auto text = canon::Canonical(EncodeChanges(set));
  ASSERT_TRUE(text) << text.error().what;
  const auto back = DecodeChanges(*canon::Parse(*text, canon::Mode::kStrict));
  ASSERT_TRUE(back) << back.error().what;
  ASSERT_EQ(back->changes.size(), set.changes.size());
  for (std::size_t i = 0; i < set.changes.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(back->changes[i].path, set.changes[i].path);
    EXPECT_EQ(back->changes[i].kind, set.changes[i].kind);
    EXPECT_EQ(back->changes[i].before, set.changes[i].before);
    EXPECT_EQ(back->changes[i].after, set.changes[i].after);
    EXPECT_EQ(back->changes[i].danger, set.changes[i].danger);
    EXPECT_EQ(back->changes[i].note, set.changes[i].note);
  }
  EXPECT_EQ(back->skipped, set.skipped);
  EXPECT_EQ(back->incomplete, set.incomplete);
}

TEST(ChangeRecord, DamageIsNamed) {
  for (const char* text : {R"({})", R"({"version":"writ.changes.v2","changes":[],"skipped":[]})",
                           R"({"version":"writ.changes.v1","changes":{},"skipped":[]})",
                           R"({"version":"writ.changes.v1","changes":[{"path":"x","kind":"moved"}],"skipped":[]})",
                           R"({"version":"writ.changes.v1","changes":[{"path":"x","kind":"added",
                               "after":{"type":"file","mode":1e300,"links":1,"bytes":0}}],"skipped":[]})"}) {
    SCOPED_TRACE(text);
    const auto json = canon::Parse(text, canon::Mode::kStrict);
    ASSERT_TRUE(json);
    const auto changes = DecodeChanges(*json);
    ASSERT_FALSE(changes);
    EXPECT_EQ(changes.error().code, Code::kCorrupt);
  }
}

}  // namespace
}  // namespace writ::session
