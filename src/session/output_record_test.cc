#include "session/output_record.h"

#include <gtest/gtest.h>

namespace writ::session {
namespace {

using workspace::CollectedOutput;
using workspace::EntryType;

std::vector<CollectedOutput> Two() {
  const std::string hash(64, 'b');
  CollectedOutput file{"result.txt", EntryType::kFile, hash, 7, 0644, {}};
  CollectedOutput tree{"report", EntryType::kDirectory, "", 7, 0755, {}};
  tree.files.entries = {{"a\nb", {EntryType::kFile, 0755, 1, 7, hash, ""}},
                        {"sub", {EntryType::kDirectory, 0755, 1, 0, "", ""}}};
  tree.sha256 = workspace::DigestOf(tree.files);
  return {file, tree};
}

TEST(OutputRecord, ComesBackAsItWas) {
  const auto outputs = Two();
  const auto text = canon::Canonical(EncodeOutputs(outputs));
  ASSERT_TRUE(text);
  const auto back = DecodeOutputs(*canon::Parse(*text, canon::Mode::kStrict));
  ASSERT_TRUE(back) << back.error().what;
  ASSERT_EQ(back->size(), 2u);
  EXPECT_EQ((*back)[0].name, "result.txt");
  EXPECT_EQ((*back)[0].sha256, outputs[0].sha256);
  EXPECT_EQ((*back)[0].mode, 0644u);
  EXPECT_EQ((*back)[1].type, EntryType::kDirectory);
  EXPECT_EQ((*back)[1].files.entries, outputs[1].files.entries);
}

TEST(OutputRecord, AChangedListingIsNoticed) {
  auto outputs = Two();
  outputs[1].files.entries[0].state.sha256 = std::string(64, 'c');
  const auto back = DecodeOutputs(EncodeOutputs(outputs));
  ASSERT_FALSE(back);
  EXPECT_EQ(back.error().code, Code::kCorrupt);
  EXPECT_NE(back.error().what.find("report"), std::string::npos);
}

}  // namespace
}  // namespace writ::session
