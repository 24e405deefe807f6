#include "secrets/master_key.h"

#include "base/ids.h"
#include "crypto/key_file.h"
#include "crypto/sealed.h"

namespace writ::secrets {
namespace {

constexpr std::size_t kMasterBytesMax = 4096;

}  // namespace

Result<crypto::SecretBytes> ReadMasterKey(const std::string& directory, const crypto::SecretBytes& from_environment) {
  if (!from_environment.empty()) return WRIT_TRY(kMasterVariable, crypto::ReadMaster(from_environment.text()));
  const std::string path = directory + "/" + kMasterFile;
  const auto text = WRIT_TRY("master key", crypto::ReadSecretFile(path, kMasterBytesMax));
  return WRIT_TRY(path, crypto::ReadMaster(text.text()));
}

Result<crypto::SecretBytes> ReadOrCreateMasterKey(const std::string& directory, const crypto::SecretBytes& from_environment) {
  auto existing = ReadMasterKey(directory, from_environment);
  if (existing || existing.error().code != Code::kNotFound) return existing;
  crypto::SecretBytes key(32), text(65);
  FillRandom(key.bytes());
  std::string hex = HexEncode(key.bytes());
  std::copy(hex.begin(), hex.end(), text.bytes().begin());
  text.bytes()[64] = '\n';
  crypto::Wipe(hex);
  auto created = crypto::CreateSecretFile(directory + "/" + kMasterFile, text.bytes());
  if (created) return key;
  // Another process may have been first; then its key counts.
  if (auto theirs = ReadMasterKey(directory, from_environment)) return theirs;
  return std::unexpected(std::move(created).error().Doing("make the master key"));
}

}  // namespace writ::secrets
