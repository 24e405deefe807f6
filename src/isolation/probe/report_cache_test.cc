#include "isolation/probe/report_cache.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isolation/probe/in_child_for_test.h"
#include "isolation/probe/own_namespaces.h"

namespace writ::isolation {
namespace {

class MemoryStore final : public ReportStore {
 public:
  Result<std::optional<std::string>> Get() override {
    if (broken) return Fail(Code::kDenied, "no reading");
    return text;
  }
  Result<> Put(std::string_view value) override {
    if (broken) return Fail(Code::kExhausted, "no space");
    ++puts;
    text = std::string(value);
    return {};
  }
  std::optional<std::string> text;
  int puts = 0;
  bool broken = false;
};

TEST(ReportCache, ProbesOnceAndThenRemembers) {
  MemoryStore store;
  const auto first = CachedProbeHost({}, "1", store, Refresh::kIfOutdated);
  ASSERT_TRUE(first.has_value()) << first.error().what;
  EXPECT_TRUE(first->fresh);
  EXPECT_EQ(first->digest, *ReportDigest(first->report));
  const auto second = CachedProbeHost({}, "1", store, Refresh::kIfOutdated);
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(second->fresh);
  EXPECT_EQ(second->digest, first->digest);
  EXPECT_EQ(second->report.probes, first->report.probes);
  EXPECT_EQ(*CachedReportDigest({}, "1", store), first->digest);
  EXPECT_EQ(store.puts, 1);
  EXPECT_TRUE(CachedProbeHost({}, "1", store, Refresh::kAlways)->fresh);
}

TEST(ReportCache, AnotherVersionOrOtherOptionsProbeAgain) {
  MemoryStore store;
  ASSERT_TRUE(CachedReportDigest({}, "1", store).has_value());
  EXPECT_TRUE(CachedProbeHost({}, "2", store, Refresh::kIfOutdated)->fresh);
  EXPECT_NE(HostKey({}, "1"), HostKey({.idmap_directories = {"/tmp"}}, "1"));
}

TEST(ReportCache, Attack47_LessRightsNeverUseAStrongerReport) {
  const std::string before = HostKey({}, "1");
  EXPECT_EQ(before, HostKey({}, "1"));
  EXPECT_NE(before, test::InChild([] {
              const rlimit limit{100, 100};
              ::setrlimit(RLIMIT_NOFILE, &limit);
              return HostKey({}, "1");
            }));
  EXPECT_NE(before, test::InChild([] {
              test::RefuseCalls({{SYS_unshare, EPERM}});
              return HostKey({}, "1");
            }));
  const std::string nested = test::InChild([]() -> std::string {
    if (auto missing = EnterUserNamespace(0)) return "skip " + missing->detail;
    return HostKey({}, "1");
  });
  if (nested.starts_with("skip ")) GTEST_SKIP() << "user namespaces: " << nested;
  EXPECT_NE(before, nested);
}

TEST(ReportCache, ADamagedTextIsProbedAgain) {
  MemoryStore store;
  ASSERT_TRUE(CachedReportDigest({}, "1", store).has_value());
  const std::string good = *store.text;
  const auto claims = good.find("\"ok\":");
  ASSERT_NE(claims, std::string::npos);
  std::string changed = good;
  changed[claims + 5] = changed[claims + 5] == 't' ? 'f' : 't';
  for (const std::string& text : {changed, good.substr(0, good.size() / 2), std::string(), std::string("writ-host-report 1 "),
                                  good.substr(0, good.find('\n')), std::string(1u << 16, '\n')}) {
    store.text = text;
    EXPECT_TRUE(CachedProbeHost({}, "1", store, Refresh::kIfOutdated)->fresh);
  }
}

TEST(ReportCache, AStoreThatFailsDoesNotHideTheReport) {
  MemoryStore store;
  store.broken = true;
  std::optional<Error> problem;
  const auto report = CachedProbeHost({}, "1", store, Refresh::kIfOutdated, &problem);
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->fresh);
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->what, "keep host report: no space");
  EXPECT_TRUE(CachedReportDigest({}, "1", store).has_value());
}

TEST(FileReportStore, KeepsAPrivateFile) {
  char path[] = "/tmp/writ_cache_XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  const std::string file = std::string(path) + "/host-report";
  FileReportStore store(file);
  const auto nothing = store.Get();
  ASSERT_TRUE(nothing.has_value());
  EXPECT_FALSE(nothing->has_value());
  ASSERT_TRUE(store.Put("text").has_value());
  EXPECT_EQ(**store.Get(), "text");
  struct stat info;
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ::unlink(file.c_str());
  EXPECT_EQ(::rmdir(path), 0);
}

}  // namespace
}  // namespace writ::isolation
