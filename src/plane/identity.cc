#include "plane/identity.h"

#include <array>

#include "base/ids.h"
#include "crypto/digest.h"

namespace writ::plane {
namespace {

struct Row {
  Capability capability;
  std::string_view name;
  bool requester, approver, enroller;  ///< an admin has them all
};
constexpr Row kRows[] = {
    {Capability::kRunsRead, "runs:read", true, true, false},
    {Capability::kRunsCreate, "runs:create", true, false, false},
    {Capability::kRunsApprove, "runs:approve", false, true, false},
    {Capability::kRunsCancel, "runs:cancel", true, false, false},
    {Capability::kRunnersRead, "runners:read", false, false, true},
    {Capability::kPolicyRead, "policy:read", true, true, false},
    {Capability::kBlobsWrite, "blobs:write", true, false, false},
    {Capability::kExportRead, "export:read", false, false, false},
    {Capability::kPrincipalsManage, "principals:manage", false, false, false},
};

const Row* Find(Capability capability) {
  for (const auto& row : kRows)
    if (row.capability == capability) return &row;
  return nullptr;
}

Result<> AssertOne(storage::Store& store, storage::Transaction& transaction, std::string_view name,
                   std::string_view role, std::string_view token, WallTime now) {
  const auto known = WRIT_TRY("bootstrap principals", store.FindPrincipal(name));
  if (token.empty()) {
    if (known && !known->revoked) return transaction.RevokePrincipal(name);
    return {};
  }
  const std::string hash = HashToken(token);
  if (!known)
    return transaction.AddPrincipal({.id = MakeId("prn_"),
                                     .name = std::string(name),
                                     .role = std::string(role),
                                     .token_hash = hash,
                                     .created = now});
  if (known->token_hash == hash && !known->revoked) return {};
  return transaction.ReplacePrincipalToken(name, hash);
}

}  // namespace

std::string_view CapabilityName(Capability capability) {
  const Row* row = Find(capability);
  return row == nullptr ? std::string_view() : row->name;
}

bool IsRole(std::string_view role) {
  return role == "admin" || role == "requester" || role == "approver" || role == "enroller";
}

bool RoleHas(std::string_view role, Capability capability) {
  const Row* row = Find(capability);
  if (row == nullptr) return false;
  if (role == "admin") return true;
  if (role == "requester") return row->requester;
  if (role == "approver") return row->approver;
  if (role == "enroller") return row->enroller;
  return false;
}

std::string MakeToken() {
  std::array<std::uint8_t, 32> bytes;
  FillRandom(bytes);
  return Base64UrlEncode(bytes);
}

std::string HashToken(std::string_view token) { return crypto::Sha256Hex(token); }

std::optional<std::string_view> BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!authorization.starts_with(kScheme) || authorization.size() == kScheme.size()) return std::nullopt;
  return authorization.substr(kScheme.size());
}

Result<> AssertBootstrap(storage::Store& store, storage::Transaction& transaction, std::string_view admin_token,
                         std::string_view enroll_token, WallTime now) {
  if (!admin_token.empty() && admin_token == enroll_token)
    return Fail(Code::kInvalid, "the admin token and the enroll token must differ");
  // A token that moves from one to the other must be free before it is taken.
  for (const auto& [name, other] : {std::pair{kAdminName, enroll_token}, std::pair{kEnrollerName, admin_token}}) {
    const auto known = WRIT_TRY("bootstrap principals", store.FindPrincipal(name));
    if (known && !other.empty() && known->token_hash == HashToken(other))
      WRIT_TRY("bootstrap principals", transaction.ReplacePrincipalToken(name, HashToken(MakeToken())));
  }
  WRIT_TRY("bootstrap principals", AssertOne(store, transaction, kAdminName, "admin", admin_token, now));
  return AssertOne(store, transaction, kEnrollerName, "enroller", enroll_token, now);
}

Answer<NewPrincipal> IssuePrincipal(storage::Store& store, Change& change, std::string_view name,
                                    std::string_view role) {
  if (WRIT_ANSWER(store.FindPrincipal(name))) return Conflict(fmt::format("principal \"{}\" already exists", name));
  NewPrincipal issued{MakeId("prn_"), std::string(name), std::string(role), MakeToken()};
  WRIT_ANSWER(change->AddPrincipal({.id = issued.id,
                                    .name = issued.name,
                                    .role = issued.role,
                                    .token_hash = HashToken(issued.token),
                                    .created = change.now()}));
  return issued;
}

}  // namespace writ::plane
