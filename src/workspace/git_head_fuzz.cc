// HEAD, loose references and packed-refs of a repository somebody else made: whatever they say, a result is an
// object name or a name below refs/ that stays inside .git.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crypto/digest.h"
#include "sys/beneath.h"
#include "workspace/git_head.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto is_object = [](std::string_view name) { return name.size() == 40 || writ::crypto::IsHash(name); };
  if (const auto reference = writ::workspace::ParseGitReference(text)) {
    if (reference->symbolic.empty() ? !is_object(reference->commit)
                                    : !writ::sys::IsPlainRelativePath(reference->symbolic) ||
                                          !reference->symbolic.starts_with("refs/")) {
      std::abort();
    }
  }
  if (const auto commit = writ::workspace::FindPackedReference(text, "refs/heads/main"); commit && !is_object(*commit)) {
    std::abort();
  }
  return 0;
}
