#include "session/connection_cap.h"

#include <sys/resource.h>

#include <algorithm>

namespace writ::session {
namespace {
constexpr std::uint64_t kDescriptorsPerConnection = 6, kDescriptorsKept = 256;
}

std::uint32_t ConnectionsWithin(std::uint64_t descriptors, std::uint32_t wanted) {
  const std::uint64_t left = descriptors > kDescriptorsKept ? descriptors - kDescriptorsKept : 0;
  return static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(left / kDescriptorsPerConnection, 1, std::max<std::uint32_t>(wanted, 1)));
}

std::uint32_t ConnectionsFor(std::uint32_t wanted) {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1;
  const rlim_t enough = wanted * kDescriptorsPerConnection + kDescriptorsKept;
  if (files.rlim_cur < enough && files.rlim_cur < files.rlim_max) {
    const rlimit raised{std::min(enough, files.rlim_max), files.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  }
  return ConnectionsWithin(files.rlim_cur, wanted);
}

}  // namespace writ::session
