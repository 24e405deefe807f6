#include "isolation/probe/host_report.h"

#include <gtest/gtest.h>

namespace writ::isolation {
namespace {

HostReport Sample() {
  return {"6.1.0 x86_64", "user", {{"seccomp", true, "refuses and kills", ""}, {"kvm", false, "open: No", "modprobe"}}, 31000};
}

TEST(HostReport, FindsByName) {
  const HostReport report = Sample();
  EXPECT_TRUE(report.Has("seccomp"));
  EXPECT_FALSE(report.Has("kvm"));
  EXPECT_FALSE(report.Has("never probed"));
  ASSERT_NE(report.Find("kvm"), nullptr);
  EXPECT_EQ(report.Find("nothing"), nullptr);
}

TEST(HostReport, SurvivesJson) {
  const HostReport report = Sample();
  const auto back = ReportFromJson(ToJson(report));
  ASSERT_TRUE(back.has_value()) << back.error().what;
  EXPECT_EQ(back->probes, report.probes);
  EXPECT_EQ(back->kernel, report.kernel);
  EXPECT_EQ(back->caller, report.caller);
  EXPECT_EQ(back->elapsed_us, report.elapsed_us);
}

TEST(HostReport, DigestCoversFindingsAndNotTime) {
  const HostReport report = Sample();
  const auto digest = ReportDigest(report);
  ASSERT_TRUE(digest.has_value());
  EXPECT_EQ(digest->size(), 64u);
  HostReport other = Sample();
  other.elapsed_us = 1;
  EXPECT_EQ(*ReportDigest(other), *digest);
  other.probes[1].ok = true;
  EXPECT_NE(*ReportDigest(other), *digest);
  other = Sample();
  other.caller = "root";
  EXPECT_NE(*ReportDigest(other), *digest);
}

TEST(HostReport, DigestCanBeRecomputedFromTheJsonOutput) {
  const HostReport report = Sample();
  canon::Json json = ToJson(report);
  json.Remove("volatile");
  EXPECT_EQ(*canon::Canonical(json), *StableBytes(report));
}

TEST(HostReport, RefusesWhatIsNoReport) {
  const struct {
    const char* why;
    const char* text;
  } cases[] = {
      {"not an object", "[]"},
      {"other version", R"({"v":2,"kernel":"k","caller":"root","probes":[]})"},
      {"version of another type", R"({"v":"1","kernel":"k","caller":"root","probes":[]})"},
      {"no kernel", R"({"v":1,"caller":"root","probes":[]})"},
      {"probes not a list", R"({"v":1,"kernel":"k","caller":"root","probes":{}})"},
      {"probe not an object", R"({"v":1,"kernel":"k","caller":"root","probes":[1]})"},
      {"ok not a boolean", R"({"v":1,"kernel":"k","caller":"root","probes":[{"name":"a","ok":1,"detail":"","fix":""}]})"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.why);
    const auto json = canon::Parse(c.text, canon::Mode::kStrict);
    ASSERT_TRUE(json.has_value());
    const auto report = ReportFromJson(*json);
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code, Code::kInvalid);
  }
  const auto huge = canon::Parse(R"({"v":1,"kernel":"k","caller":"root","probes":[],"volatile":{"elapsedUs":1e300}})",
                                 canon::Mode::kStrict);
  ASSERT_TRUE(huge.has_value());
  EXPECT_EQ(ReportFromJson(*huge)->elapsed_us, 0);
}

}  // namespace
}  // namespace writ::isolation
