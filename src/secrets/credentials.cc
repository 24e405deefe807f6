#include "secrets/credentials.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "secrets/master_key.h"

namespace writ::secrets {

crypto::SecretBytes TakeVariable(const std::string& name) {
  crypto::SecretBytes value;
  const std::string prefix = name + "=";
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, prefix.c_str(), prefix.size()) != 0) continue;
    char* const text = *entry + prefix.size();
    const std::size_t size = std::strlen(text);
    if (value.empty()) value = crypto::SecretBytes::CopyOf(AsBytes(std::string_view(text, size)));
    crypto::Wipe(std::span(reinterpret_cast<std::uint8_t*>(text), size));
  }
  ::unsetenv(name.c_str());
  return value;
}

Credentials TakeCredentials() { return {TakeVariable(kMasterVariable), TakeVariable("VAULT_TOKEN"), TakeVariable("WRIT_PLANE_TOKEN")}; }

Result<> KeepMemoryPrivate() {
  // The hard limit stays: what this process starts has limits of its own. PR_SET_DUMPABLE covers piped core files too.
  struct rlimit limit{};
  if (::getrlimit(RLIMIT_CORE, &limit) != 0) return FailErrno("switch core files off");
  limit.rlim_cur = 0;
  if (::setrlimit(RLIMIT_CORE, &limit) != 0) return FailErrno("switch core files off");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return FailErrno("keep memory private");
  return {};
}

}  // namespace writ::secrets
