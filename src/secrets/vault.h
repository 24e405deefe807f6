#pragma once

#include <string>
#include <string_view>

#include "base/deadline.h"
#include "base/env.h"
#include "base/error.h"
#include "crypto/secret.h"

namespace writ::secrets {

/// A field of a secret in the key-value engine version 2: `MOUNT/PATH#FIELD`, the first component being the mount.
struct VaultPlace {
  std::string mount, path, field;
};
/// Errors: kInvalid, saying what is wrong.
Result<VaultPlace> ParseVaultPlace(std::string_view text);

/// Reads one field: `GET ADDR/v1/MOUNT/data/PATH`. VAULT_ADDR says where, VAULT_CACERT which certificates to trust
/// beyond the system's, VAULT_NAMESPACE the namespace; the token is `token`, else the file .vault-token in $HOME.
/// The peer's certificate and name are always verified; plain http is only spoken to this machine itself.
/// Redirects are not followed. Errors: kInvalid for the settings; kNotFound without such a secret or field; kDenied
/// when Vault refuses, or its certificate does not hold; kUnavailable, kDeadline; kCorrupt for an answer that is none.
/// Source: developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, "Read secret version".
Result<crypto::SecretBytes> FetchFromVault(std::string_view place, const EnvLookup& env, const crypto::SecretBytes& token,
                                           Deadline deadline);

}  // namespace writ::secrets
