#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/error.h"
#include "canon/json.h"
#include "crypto/secret.h"

namespace writ::client {

/// A plane this user has logged in to. The token itself is never in the settings, only the file that has it.
struct PlaneEntry {
  std::string url;
  std::string token_file;  ///< absolute; empty: none
  std::string ca_file;     ///< absolute; empty: the system's certificates
  std::string client_cert_file = {}, client_key_file = {};  ///< absolute, both or none: for a plane that wants a certificate
  bool operator==(const PlaneEntry&) const = default;
};

/// `planes.json` of the configuration directory (docs/formats/plane-client.md).
struct PlaneSettings {
  std::string default_name;  ///< empty: none
  std::map<std::string, PlaneEntry, std::less<>> planes;
  bool operator==(const PlaneSettings&) const = default;
};
Result<PlaneSettings> ParsePlaneSettings(std::string_view text);
canon::Json ToJson(const PlaneSettings& settings);
/// `^[A-Za-z0-9_-]{1,64}$`
bool IsPlaneName(std::string_view name);

/// $XDG_CONFIG_HOME/writ, else $HOME/.config/writ: a login belongs to a person, also to root.
Result<std::string> ConfigDirectory(const EnvLookup& env);
/// An absent file is empty settings. Errors: kDenied for a file that others may read or write, or of somebody else.
Result<PlaneSettings> LoadPlaneSettings(const std::string& config_directory);
/// 0600, in a directory that is made 0700 when it is missing.
Result<> SavePlaneSettings(const std::string& config_directory, const PlaneSettings& settings);

/// The `config.json` of the original (`warrant.config.v2`): where its plane is and who asks.
struct OriginalConfig {
  std::string plane_url, admin_token, requested_by;
};
Result<OriginalConfig> ParseOriginalConfig(std::string_view text);

/// What the command line says about the plane.
struct PlaneChoice {
  std::optional<std::string> plane;       ///< --plane: a URL, or a name of the settings
  std::optional<std::string> token_file;  ///< --token-file
  std::optional<std::string> ca_file;     ///< --ca-file
  std::optional<std::string> client_cert_file = {}, client_key_file = {};  ///< --client-cert, --client-key
};

/// The plane to talk to.
struct PlaneTarget {
  std::string url;             ///< normal form: scheme://host:port/base
  std::string name;            ///< of the settings; empty
  bool tls = false, loopback = false;
  crypto::SecretBytes token;   ///< empty: none
  std::string ca_file, client_cert_file, client_key_file;
  std::string requested_by;    ///< of the original's configuration; empty
};

/// --plane, else $WRIT_PLANE, else the default of the settings, else `config.json` of the original's home if
/// $FUSIONKIT_HOME or $WARRANT_HOME names one (never a directory that merely lies where one works: a repository could
/// bring it along). Token: --token-file, else `token` ($WRIT_PLANE_TOKEN, given by the caller), else the one kept for
/// exactly this URL. A token kept for one plane is never sent to another.
/// Errors: kInvalid when no plane is named, a name is not known, or a client certificate has no key; those of the files.
Result<PlaneTarget> ResolvePlane(const PlaneChoice& choice, const PlaneSettings& settings, std::string_view token, const EnvLookup& env);

/// `scheme://host:port/base` without a slash at the end: two spellings of one plane are one. Errors: kInvalid.
Result<std::string> NormalPlaneUrl(std::string_view url);

/// The token in a file: white space around it removed. Errors: kDenied when others than its owner may read the file;
/// kInvalid when it is empty, too long or no token.
Result<crypto::SecretBytes> ReadTokenFile(const std::string& path);
/// 1 to 1024 printable ASCII characters without spaces.
bool IsToken(std::string_view text);

}  // namespace writ::client
