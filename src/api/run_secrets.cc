#include "api/run_secrets.h"

#include <algorithm>
#include <set>

#include "contract/validators.h"
#include "secrets/secret_store.h"
#include "secrets/source.h"

namespace writ::api {
namespace {

constexpr Millis kLockPatience{10'000};
constexpr Millis kSourcePatience{20'000};

const secrets::Credentials& CredentialsOf(const LocalState& state) {
  static const secrets::Credentials none;
  return state.options().credentials == nullptr ? none : *state.options().credentials;
}

Result<secrets::SecretRecords> ReadStore(LocalState& state) {
  const bool exists = WRIT_TRY("secrets", state.Exists());
  if (!exists) return secrets::SecretRecords();
  return secrets::SecretStore(WRIT_TRY("secrets", state.Path()), CredentialsOf(state).master).Read();
}

std::unexpected<Error> Missing(std::string_view name) {
  return Fail(Code::kNotFound, "there is no secret {0}; `writ secret set {0}` makes it", name);
}

/// A value that the signed contract would show in clear.
Result<> RefuseShown(const CreateRun& request, std::string_view name, ByteView value) {
  for (std::size_t i = 0; i < request.argv.size(); ++i) {
    if (request.argv[i].find(AsText(value)) != std::string::npos)
      return Fail(Code::kInvalid, "word {} of the command holds the value of secret {}; let the job read its variable instead", i, name);
  }
  for (const auto& entry : request.env) {
    if (entry.source == EnvSource::kLiteral && entry.value.find(AsText(value)) != std::string::npos)
      return Fail(Code::kInvalid, "--env {0}=... holds the value of secret {1}; use --secret {1}={0}", entry.name, name);
  }
  return {};
}

}  // namespace

Result<RunSecrets> FetchSecrets(LocalState& state, const CreateRun& request) {
  RunSecrets given;
  if (request.secrets.empty()) return given;
  auto records = WRIT_TRY("secrets", ReadStore(state));
  std::set<std::string> seen;
  for (const auto& asked : request.secrets) {
    if (!seen.insert(asked.name).second) continue;
    const auto found = records.find(asked.name);
    if (found == records.end()) return Missing(asked.name);
    auto& record = found->second;
    if (!record.source.empty()) {
      const auto source = WRIT_TRY("secret " + asked.name, secrets::ParseSource(record.source));
      record.value = WRIT_TRY("secret " + asked.name,
                              secrets::ReadSource(source, {state.env(), CredentialsOf(state), Deadline::After(kSourcePatience)}));
      WRIT_TRY("secret", secrets::CheckValue(asked.name, record.value.bytes()));
    }
    WRIT_TRY("secrets", RefuseShown(request, asked.name, record.value.bytes()));
    if (record.host.empty()) {
      given.values.push_back({asked.name, std::move(record.value)});
    } else {
      given.edge.push_back({asked.name, std::move(record.value), record.host, secrets::MakePlaceholder(asked.name)});
    }
  }
  // What a secret was read from is nobody's to inherit, and nobody's to find in /proc.
  for (const auto& asked : request.secrets) {
    const auto found = records.find(asked.name);
    if (found != records.end() && found->second.source.starts_with("env:"))
      static_cast<void>(secrets::TakeVariable(found->second.source.substr(4)));
  }
  std::vector<secrets::RedactedValue> redacted;
  for (const auto& secret : given.values) redacted.push_back({secret.name, secret.value.bytes()});
  for (const auto& secret : given.edge) redacted.push_back({secret.name, secret.value.bytes()});
  given.redaction = WRIT_TRY("secrets", secrets::RedactionPatterns::Make(redacted));
  return given;
}

Result<> CheckSecretsExist(LocalState& state, const CreateRun& request) {
  if (request.secrets.empty()) return {};
  const auto records = WRIT_TRY("secrets", ReadStore(state));
  for (const auto& asked : request.secrets) {
    if (!records.contains(asked.name)) return Missing(asked.name);
  }
  return {};
}

std::vector<contract::SecretClaim> ClaimsOf(const CreateRun& request, const policy::Policy& policy) {
  std::vector<contract::SecretClaim> claims;
  for (const auto& asked : request.secrets) {
    if (std::ranges::find(claims, asked.name, &contract::SecretClaim::name) != claims.end()) continue;
    const auto rule = std::ranges::find(policy.secrets, asked.name, &policy::SecretRule::name);
    claims.push_back({asked.name, rule == policy.secrets.end() ? "own" : rule->scope});
  }
  return claims;
}

std::vector<contract::ReleasedSecret> ReleasedOf(const RunSecrets& secrets) {
  std::vector<contract::ReleasedSecret> released;
  for (const auto& secret : secrets.values) released.push_back({secret.name, std::string(secret.value.text())});
  for (const auto& secret : secrets.edge) released.push_back({secret.name, secret.placeholder});
  return released;
}

Result<std::vector<SecretView>> ListSecrets(LocalState& state) {
  const auto records = WRIT_TRY("secrets", ReadStore(state));
  std::vector<SecretView> views;
  for (const auto& [name, record] : records) {
    views.push_back({name, record.host, record.source.empty() ? "store" : record.source, record.updated_at});
  }
  return views;
}

Result<> SetSecrets(LocalState& state, std::vector<SecretDraft> drafts) {
  for (auto& draft : drafts) {
    if (auto named = contract::CheckSecretName(draft.name); !named) return std::unexpected(std::move(named).error());
    if (draft.name.starts_with("WRIT_") || draft.name.starts_with("WARRANT_"))
      return Fail(Code::kInvalid, "secret name {} is Writ's own; no run may be given it", draft.name);
    if (!draft.host.empty()) draft.host = WRIT_TRY("--host", contract::CheckAllowHost(draft.host));
    if (draft.source.empty()) {
      WRIT_TRY("secret", secrets::CheckValue(draft.name, draft.value.bytes()));
    } else if (!secrets::CanBeKept(WRIT_TRY("secret", secrets::ParseSource(draft.source)))) {
      return Fail(Code::kInvalid, "{} can be read once only; without --link its value is stored", draft.source);
    }
  }
  WRIT_TRY("secrets", state.OpenToWrite());
  const std::string now = FormatTimestamp(state.clock().Now());
  const secrets::SecretStore store(WRIT_TRY("secrets", state.Path()), CredentialsOf(state).master);
  return store.Update(
      [&](secrets::SecretRecords& records) -> Result<> {
        for (auto& draft : drafts) records[draft.name] = {std::move(draft.value), draft.host, draft.source, now};
        return {};
      },
      Deadline::After(kLockPatience));
}

Result<> RemoveSecret(LocalState& state, std::string_view name) {
  const bool exists = WRIT_TRY("secrets", state.Exists());
  if (!exists) return Fail(Code::kNotFound, "there is no secret {}", name);
  WRIT_TRY("secrets", state.OpenToWrite());
  const secrets::SecretStore store(WRIT_TRY("secrets", state.Path()), CredentialsOf(state).master);
  if (!store.Exists()) return Fail(Code::kNotFound, "there is no secret {}", name);
  return store.Update(
      [&](secrets::SecretRecords& records) -> Result<> {
        const auto found = records.find(name);
        if (found == records.end()) return Fail(Code::kNotFound, "there is no secret {}", name);
        records.erase(found);
        return {};
      },
      Deadline::After(kLockPatience));
}

}  // namespace writ::api
