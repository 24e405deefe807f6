#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "plane/change.h"
#include "plane/refusal.h"
#include "storage/plane_tables.h"

namespace writ::plane {

/// What a principal may do. kNone: the route asks for no principal.
enum class Capability : std::uint8_t {
  kNone,
  kRunsRead,
  kRunsCreate,
  kRunsApprove,
  kRunsCancel,
  kRunnersRead,
  kPolicyRead,
  kBlobsWrite,
  kExportRead,
  kPrincipalsManage
};
std::string_view CapabilityName(Capability capability);  ///< "runs:read", ...; "" for kNone

/// admin, requester, approver, enroller.
bool IsRole(std::string_view role);
bool RoleHas(std::string_view role, Capability capability);

/// 32 random bytes, base64url without padding.
std::string MakeToken();
/// What the store keeps of a token. Looking a hash up tells by its duration nothing about a token.
std::string HashToken(std::string_view token);
/// The token of an `Authorization: Bearer TOKEN` value; nullopt for anything else. The scheme is compared exactly.
std::optional<std::string_view> BearerToken(std::string_view authorization);

inline constexpr std::string_view kAdminName = "admin", kEnrollerName = "bootstrap-enroller";
/// Makes the bootstrap principals what the configuration says: `admin` and `bootstrap-enroller`, with these tokens. An
/// empty token revokes the one that may be there. Errors: kInvalid when both are equal or one belongs to somebody else.
Result<> AssertBootstrap(storage::Store& store, storage::Transaction& transaction, std::string_view admin_token,
                         std::string_view enroll_token, WallTime now);

struct NewPrincipal {
  std::string id, name, role, token;
};
/// Errors: 409 `principal "N" already exists`. Precondition: IsRole(role), name of 1 to 128 characters.
Answer<NewPrincipal> IssuePrincipal(storage::Store& store, Change& change, std::string_view name, std::string_view role);

}  // namespace writ::plane
