#pragma once

#include <string>
#include <string_view>

namespace writ::contract {

/// The dialect: identifiers of objects, branches and placeholders begin with this word (docs/formats/evidence.md).
#define WRIT_DIALECT "warrant"
inline constexpr std::string_view kDialect = WRIT_DIALECT;

inline constexpr std::string_view kContractVersion = WRIT_DIALECT ".contract.v1";
inline constexpr std::string_view kEventVersion = WRIT_DIALECT ".event.v1";
inline constexpr std::string_view kReceiptVersion = WRIT_DIALECT ".receipt.v1";
inline constexpr std::string_view kBundleVersion = WRIT_DIALECT ".bundle.v1";
inline constexpr std::string_view kManifestVersion = WRIT_DIALECT ".manifest.v1";
inline constexpr std::string_view kCheckpointVersion = WRIT_DIALECT ".checkpoint.v1";
inline constexpr std::string_view kToolJournalVersion = WRIT_DIALECT ".tooljournal.v1";
inline constexpr std::string_view kEnvelopeVersion = WRIT_DIALECT ".envelope.v1";
inline constexpr std::string_view kSealedVersion = WRIT_DIALECT ".sealed.v1";

/// A value in a prepared environment that stands for a released secret: this prefix, then the secret's name.
inline constexpr std::string_view kSecretPlaceholder = "__WARRANT_SECRET__:";

/// Signer roles.
inline constexpr std::string_view kSignerOrg = "org", kSignerPlane = "plane", kSignerRunner = "runner";

}  // namespace writ::contract
