#include "api/approval_binding.h"

#include <algorithm>
#include <string>
#include <vector>

#include "crypto/digest.h"
#include "crypto/secret.h"
#include "sys/beneath.h"
#include "sys/file.h"

namespace writ::api {
namespace {

using canon::Json;

constexpr std::size_t kRootNamesMax = 100'000;

/// An Ed25519 signature is determined by key and text, and nobody without the key can compute it: a value cannot be
/// guessed from this, not even one of few letters. Source: RFC 8032, section 5.1.6.
std::string EnvironmentDigest(const CreateRun& request, std::string_view nonce, const crypto::PrivateKey& key) {
  std::vector<const EnvEntry*> entries;
  for (const auto& entry : request.env)
    if (entry.source == EnvSource::kCaller) entries.push_back(&entry);
  if (entries.empty()) return "";
  std::ranges::sort(entries, {}, &EnvEntry::name);  // equal names have equal values
  std::string text = fmt::format("writ approval: environment of the caller\n{}\n", nonce);
  for (const auto* entry : entries) text.append(fmt::format("{} {} {} ", entry->name.size(), entry->name, entry->value.size())).append(entry->value);
  std::string digest = crypto::Sha256Hex(key.Sign(text));
  crypto::Wipe(text);
  return digest;
}

std::string Line(std::string_view name, const sys::FileMeta& meta, bool itself) {
  return fmt::format("{} {:o} {} {} {} {}{}{}", static_cast<int>(meta.type), meta.mode, meta.uid, meta.gid, meta.inode,
                     itself ? meta.device : static_cast<std::uint64_t>(meta.mtime_ns), '\0', name) + '\0';
}

Result<std::string> RootDigest(const sys::UniqueFd& root) {
  std::vector<std::string> names = WRIT_TRY("list", sys::ListNames(root, kRootNamesMax));
  std::ranges::sort(names);
  std::string text = Line(".", WRIT_TRY("root", sys::MetaOf(root.get())), true);
  for (const auto& name : names) text += Line(name, WRIT_TRY(name, sys::StatBeneath(root, name)), false);
  return crypto::Sha256Hex(text);
}

}  // namespace

Result<> BindToApproval(contract::Contract& draft, const CreateRun& request, const session::Materialised& given,
                        const crypto::PrivateKey& key) {
  Json bound = Json::MakeObject();
  const std::string* nonce = draft.writ.FindString("nonce");
  const std::string environment = EnvironmentDigest(request, nonce == nullptr ? "" : *nonce, key);
  if (!environment.empty()) bound.Set("environment", environment);
  if (given.root.valid()) bound.Set("root", WRIT_TRY("root " + given.root_path, RootDigest(given.root)));
  if (!bound.object().empty()) draft.writ.Set("bound", std::move(bound));
  return {};
}

}  // namespace writ::api
