#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "api/plane_for_test.h"

namespace writ::api {
namespace {

using isolation::Place;
using isolation::Stream;
using namespace isolation::fake;  // NOLINT: the steps of scripts

class LeakTest : public PlaneTest {
 protected:
  LeakTest() : PlaneTest(InMemory()) {}

  /// Two thousand syncs of a busy disk would measure the disk.
  static std::string InMemory() {
    return ::access("/dev/shm", W_OK) == 0 ? std::string("/dev/shm") : testing::TempDir();
  }
  static std::size_t OpenDescriptors() {
    const auto directory = sys::OpenDirectory("/proc/self/fd");
    return directory ? sys::ListNames(*directory, 10'000)->size() : 0;
  }
  /// Resident memory in KiB.
  static std::size_t ResidentKib() {
    unsigned long size = 0, resident = 0;
    FILE* file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr) return 0;
    if (std::fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
    std::fclose(file);
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
  }
};

TEST_F(LeakTest, AThousandRunsLeaveNothingBehind) {
  Put(path("data.txt"), "input");
  script_.steps = {Print{Stream::kStdout, "words\n"}, WriteFile{Place::kOut, "result", "42"}};
  const auto run = [&] {
    CreateRun request = Request();
    request.inputs = {{path("data.txt"), ""}};
    request.outputs = {{"result", false}};
    sink_ = {};
    const auto result = plane().Run(std::move(request), sink_, control_);
    ASSERT_TRUE(result) << result.error().what;
    ASSERT_EQ(result->exit_code, 0) << result->problem;
  };
  for (int i = 0; i < 50; ++i) run();  // caches and the store's own memory find their size
  const std::size_t descriptors = OpenDescriptors();
  [[maybe_unused]] const std::size_t memory = ResidentKib();
  for (int i = 0; i < 950; ++i) run();
  EXPECT_EQ(OpenDescriptors(), descriptors);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these keep freed memory, and look for leaks
  EXPECT_LT(ResidentKib(), memory + 8 * 1024) << "KiB";
#endif
  for (const char* folder : {"/staging", "/runs", "/blobs/tmp"}) {
    const auto directory = sys::OpenDirectory(state() + folder);
    if (!directory) continue;
    EXPECT_TRUE(sys::ListNames(*directory, 10)->empty()) << folder;
  }
  EXPECT_TRUE(sys::ListNames(*sys::OpenDirectory(scratch()), 10)->empty());
  EXPECT_EQ(plane().List(2000, false)->size(), 1000u);
}

}  // namespace
}  // namespace writ::api
