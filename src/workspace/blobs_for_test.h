#pragma once

#include <sys/mman.h>

#include <array>
#include <map>
#include <string>

#include "crypto/digest.h"
#include "sys/file.h"
#include "workspace/blobs.h"

namespace writ::workspace {

/// Contents in memory. Only for tests.
class MemoryBlobs final : public BlobSink, public BlobSource {
 public:
  Result<KeptContent> Put(const ContentReader& read) override {
    std::string text;
    std::array<std::uint8_t, 4096> buffer;
    for (;;) {
      const std::size_t count = WRIT_TRY("put", read(buffer));
      if (count == 0) break;
      text.append(reinterpret_cast<const char*>(buffer.data()), count);
    }
    std::string hash = crypto::Sha256Hex(text);
    const std::uint64_t bytes = text.size();
    contents[hash] = std::move(text);
    ++puts;
    return KeptContent{std::move(hash), bytes};
  }

  Result<sys::UniqueFd> Open(std::string_view sha256) override {
    const auto found = contents.find(sha256);
    if (found == contents.end()) return Fail(Code::kNotFound, "no content {}", sha256);
    sys::UniqueFd fd(::memfd_create("blob", MFD_CLOEXEC));
    if (!fd.valid()) return FailErrno("memfd_create");
    WRIT_TRY("copy", sys::WriteAll(fd.get(), std::string_view(found->second)));
    if (::lseek(fd.get(), 0, SEEK_SET) != 0) return FailErrno("lseek");
    return fd;
  }

  std::map<std::string, std::string, std::less<>> contents;
  int puts = 0;
};

}  // namespace writ::workspace
