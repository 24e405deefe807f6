#include "client/plane_settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/escape.h"
#include "contract/object_reader.h"
#include "net/http_endpoint.h"
#include "net/ip_address.h"
#include "sys/file.h"

namespace writ::client {
namespace {

using canon::Json;
using contract::ObjectReader;

constexpr std::size_t kSettingsBytesMax = 1u << 20;
constexpr std::size_t kPlanesMax = 1000;
constexpr std::size_t kTokenMax = 1024;
constexpr std::string_view kVersion = "writ.planes.v1";
constexpr std::string_view kFile = "/planes.json";

/// A file that may lead to a credential: nobody else may have written it or read it.
Result<std::string> ReadPrivate(const std::string& path, std::size_t bytes_max) {
  // O_NONBLOCK: opening a FIFO that nobody writes to must not wait.
  const sys::UniqueFd fd = WRIT_TRY("open", sys::OpenFile(path, O_RDONLY | O_NONBLOCK));
  const sys::FileMeta meta = WRIT_TRY("open", sys::MetaOf(fd.get()));
  if (meta.type != sys::FileType::kRegular) return Fail(Code::kInvalid, "{} is no regular file", EscapeVisible(path));
  if (meta.uid != 0 && meta.uid != ::geteuid()) {
    return Fail(Code::kDenied, "{} belongs to user {}; it must belong to you or to root", EscapeVisible(path), meta.uid);
  }
  if ((meta.mode & 077) != 0) {
    return Fail(Code::kDenied, "others may read {} (mode {:04o}); run: chmod 600 {}", EscapeVisible(path), meta.mode & 07777, EscapeVisible(path));
  }
  return WRIT_TRY("read", sys::ReadAll(fd.get(), bytes_max));
}

Result<PlaneEntry> DecodeEntry(const Json& json, std::string_view path) {
  PlaneEntry entry;
  ObjectReader reader(json, path);
  reader.Text("url", entry.url, 1, 2048);
  std::optional<std::string> token_file, ca_file, cert_file, key_file;
  reader.Text("tokenFile", token_file, 1, 4096);
  reader.Text("caFile", ca_file, 1, 4096);
  reader.Text("clientCertFile", cert_file, 1, 4096);
  reader.Text("clientKeyFile", key_file, 1, 4096);
  for (const auto& [name, file] : {std::pair{"tokenFile", &token_file}, std::pair{"caFile", &ca_file},
                                   std::pair{"clientCertFile", &cert_file}, std::pair{"clientKeyFile", &key_file}}) {
    if (*file && !(*file)->starts_with('/')) reader.Refuse(name, "must be an absolute path");
  }
  if (cert_file.has_value() != key_file.has_value()) reader.Refuse("clientCertFile", "must come together with clientKeyFile");
  reader.RefuseOthers();
  WRIT_TRY("planes", reader.Finish());
  entry.token_file = token_file.value_or("");
  entry.ca_file = ca_file.value_or("");
  entry.client_cert_file = cert_file.value_or("");
  entry.client_key_file = key_file.value_or("");
  entry.url = WRIT_TRY(reader.Path("url"), NormalPlaneUrl(entry.url));
  return entry;
}

std::string Home(const EnvLookup& env) {
  for (const char* variable : {"FUSIONKIT_HOME", "WARRANT_HOME"}) {
    if (const auto value = env(variable); value && !value->empty()) return *value;
  }
  return {};
}

/// What --plane or $WRIT_PLANE says: a name of the settings, or a URL.
Result<PlaneEntry> Named(std::string_view word, const PlaneSettings& settings, std::string& name) {
  if (const auto found = settings.planes.find(word); found != settings.planes.end()) {
    name = found->first;
    return found->second;
  }
  if (word.find("://") == std::string_view::npos) {
    return Fail(Code::kInvalid, "`{}` is neither a URL (http://... or https://...) nor a plane you have logged in to; see `writ plane status`",
                EscapeVisible(word));
  }
  const std::string url = WRIT_TRY("URL", NormalPlaneUrl(word));
  for (const auto& [known, entry] : settings.planes) {
    if (entry.url != url) continue;
    name = known;
    return entry;
  }
  return PlaneEntry{url, {}, {}};
}

}  // namespace

bool IsPlaneName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

bool IsToken(std::string_view text) {
  return !text.empty() && text.size() <= kTokenMax && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

Result<std::string> NormalPlaneUrl(std::string_view url) {
  const net::HttpEndpoint endpoint = WRIT_TRY("plane", net::ParseBaseUrl(url));
  return fmt::format("{}://{}{}", endpoint.tls ? "https" : "http", endpoint.Authority(), endpoint.base_path);
}

Result<PlaneSettings> ParsePlaneSettings(std::string_view text) {
  const Json json = WRIT_TRY("planes", canon::Parse(text, canon::Mode::kStrict, {.bytes_max = kSettingsBytesMax}));
  PlaneSettings settings;
  ObjectReader reader(json, "planes");
  std::string version;
  reader.Text("version", version, 1, 64);
  if (!version.empty() && version != kVersion) reader.Refuse("version", "must be \"writ.planes.v1\"");
  std::optional<std::string> fallback;
  reader.Text("default", fallback, 1, 64);
  reader.EachMember("planes", kPlanesMax, true, [&](const std::string& name, const Json& entry, std::string_view path) -> Result<> {
    if (!IsPlaneName(name)) return Fail(Code::kInvalid, "{}: a name has 1 to 64 letters, digits, - and _", path);
    settings.planes[name] = WRIT_TRY("entry", DecodeEntry(entry, path));
    return {};
  });
  reader.RefuseOthers();
  WRIT_TRY("settings", reader.Finish());
  settings.default_name = fallback.value_or("");
  if (fallback && !settings.planes.contains(*fallback)) {
    return Fail(Code::kInvalid, "settings: planes.default: there is no plane `{}`", EscapeVisible(*fallback));
  }
  return settings;
}

Json ToJson(const PlaneSettings& settings) {
  Json planes = Json::MakeObject();
  for (const auto& [name, entry] : settings.planes) {
    Json one = Json::Of({{"url", entry.url}});
    if (!entry.token_file.empty()) one.Set("tokenFile", entry.token_file);
    if (!entry.ca_file.empty()) one.Set("caFile", entry.ca_file);
    if (!entry.client_cert_file.empty()) one.Set("clientCertFile", entry.client_cert_file).Set("clientKeyFile", entry.client_key_file);
    planes.Set(name, std::move(one));
  }
  Json json = Json::Of({{"version", kVersion}});
  if (!settings.default_name.empty()) json.Set("default", settings.default_name);
  return json.Set("planes", std::move(planes));
}

Result<std::string> ConfigDirectory(const EnvLookup& env) {
  for (const auto& [variable, below] : {std::pair{"XDG_CONFIG_HOME", "/writ"}, {"HOME", "/.config/writ"}}) {
    const auto value = env(variable);
    if (!value || value->empty()) continue;
    if (value->front() != '/') return Fail(Code::kInvalid, "{} is \"{}\"; it must be an absolute path", variable, EscapeVisible(*value));
    return *value + below;
  }
  return Fail(Code::kInvalid, "neither XDG_CONFIG_HOME nor HOME is set, so there is no place for planes.json");
}

Result<PlaneSettings> LoadPlaneSettings(const std::string& config_directory) {
  const std::string path = config_directory + std::string(kFile);
  const auto text = ReadPrivate(path, kSettingsBytesMax);
  if (!text && text.error().code == Code::kNotFound) return PlaneSettings{};
  if (!text) return std::unexpected(text.error());
  return WRIT_TRY(path, ParsePlaneSettings(*text));
}

Result<> SavePlaneSettings(const std::string& config_directory, const PlaneSettings& settings) {
  WRIT_TRY("settings", sys::MakeDirectories(config_directory, 0700));
  return sys::WriteFileAtomic(config_directory + std::string(kFile), canon::Pretty(ToJson(settings)) + "\n", 0600);
}

Result<OriginalConfig> ParseOriginalConfig(std::string_view text) {
  const Json json = WRIT_TRY("config", canon::Parse(text, canon::Mode::kWire, {.bytes_max = kSettingsBytesMax}));
  OriginalConfig config;
  ObjectReader reader(json, "config");
  std::string version;
  reader.Text("version", version, 1, 64);
  if (!version.empty() && !version.ends_with(".config.v2")) reader.Refuse("version", "must be \"warrant.config.v2\"");
  reader.Text("planeUrl", config.plane_url, 1, 2048);
  std::optional<std::string> token, requested_by;
  reader.Text("adminToken", token, 1, kTokenMax);
  reader.Text("requestedBy", requested_by, 1, 256);
  WRIT_TRY("config", reader.Finish());
  config.admin_token = token.value_or("");
  config.requested_by = requested_by.value_or("");
  if (token && !IsToken(*token)) return Fail(Code::kInvalid, "config.adminToken: is no token");
  return config;
}

Result<crypto::SecretBytes> ReadTokenFile(const std::string& path) {
  std::string text = WRIT_TRY(fmt::format("token file {}", EscapeVisible(path)), ReadPrivate(path, 16 << 10));
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  const std::string_view token =
      first == std::string::npos ? std::string_view{} : std::string_view(text).substr(first, text.find_last_not_of(kSpace) + 1 - first);
  const bool good = IsToken(token);
  crypto::SecretBytes bytes = crypto::SecretBytes::CopyOf(AsBytes(good ? token : std::string_view{}));
  crypto::Wipe(text);
  if (!good) return Fail(Code::kInvalid, "token file {}: it must hold one token of 1 to {} printable characters", EscapeVisible(path), kTokenMax);
  return bytes;
}

namespace {

/// Only addresses and the one name that never leaves the machine (RFC 6761 section 6.3): a name such as 127.example.org
/// may lead anywhere.
bool IsLoopback(std::string_view host) {
  if (host == "localhost") return true;
  const auto address = net::IpAddress::FromText(host);
  return address && (host == "::1" || (address->is_v4() && host.starts_with("127.")));
}

}  // namespace

Result<PlaneTarget> ResolvePlane(const PlaneChoice& choice, const PlaneSettings& settings, std::string_view token, const EnvLookup& env) {
  PlaneTarget target;
  PlaneEntry entry;
  std::string original_token;
  const auto variable = env("WRIT_PLANE");
  if (choice.plane) {
    auto named = Named(*choice.plane, settings, target.name);
    if (!named) return std::unexpected(std::move(named).error());
    entry = *std::move(named);
  } else if (variable && !variable->empty()) {
    entry = WRIT_TRY("$WRIT_PLANE", Named(*variable, settings, target.name));
  } else if (!settings.default_name.empty()) {
    target.name = settings.default_name;
    entry = settings.planes.at(settings.default_name);
  } else if (const std::string home = Home(env); !home.empty()) {
    const std::string path = home + "/config.json";
    const std::string text = WRIT_TRY(path, ReadPrivate(path, kSettingsBytesMax));
    OriginalConfig config = WRIT_TRY(path, ParseOriginalConfig(text));
    entry.url = WRIT_TRY(path, NormalPlaneUrl(config.plane_url));
    original_token = std::move(config.admin_token);
    target.requested_by = std::move(config.requested_by);
  } else {
    return Fail(Code::kInvalid, "no plane is named: use --plane URL, set WRIT_PLANE, or log in once with `writ plane login URL`");
  }
  const net::HttpEndpoint endpoint = WRIT_TRY("plane", net::ParseBaseUrl(entry.url));
  target.url = entry.url;
  target.tls = endpoint.tls;
  target.loopback = IsLoopback(endpoint.host);
  target.ca_file = choice.ca_file.value_or(entry.ca_file);
  if (choice.client_cert_file.has_value() != choice.client_key_file.has_value())
    return Fail(Code::kInvalid, "--client-cert and --client-key come together");
  target.client_cert_file = choice.client_cert_file.value_or(entry.client_cert_file);
  target.client_key_file = choice.client_key_file.value_or(entry.client_key_file);
  if (choice.token_file) {
    target.token = WRIT_TRY("--token-file", ReadTokenFile(*choice.token_file));
  } else if (!token.empty()) {
    if (!IsToken(token)) return Fail(Code::kInvalid, "$WRIT_PLANE_TOKEN: it must be one token of 1 to {} printable characters", kTokenMax);
    target.token = crypto::SecretBytes::CopyOf(AsBytes(token));
  } else if (!entry.token_file.empty()) {
    target.token = WRIT_TRY("login", ReadTokenFile(entry.token_file));
  } else if (!original_token.empty()) {
    target.token = crypto::SecretBytes::CopyOf(AsBytes(original_token));
    crypto::Wipe(original_token);
  }
  return target;
}

}  // namespace writ::client
