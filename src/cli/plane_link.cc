#include "cli/plane_link.h"

#include <unistd.h>

#include "base/escape.h"
#include "base/shell_quote.h"
#include "cli/user_name.h"
#include "client/find_run.h"
#include "crypto/key_file.h"
#include "storage/state_dir.h"

namespace writ::cli {
namespace {

std::optional<std::string> Given(const Context& context, std::string_view name) {
  const auto value = context.invocation.Value(name);
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

}  // namespace

Result<PlaneLink> PlaneLink::Open(const Context& context) {
  PlaneLink link;
  const bool root = ::geteuid() == 0;
  const std::string config = WRIT_TRY("plane", client::ConfigDirectory(context.env));
  const auto settings = WRIT_TRY("plane", client::LoadPlaneSettings(config));
  const client::PlaneChoice choice{Given(context, "plane"), Given(context, "token-file"), Given(context, "ca-file"),
                                   Given(context, "client-cert"), Given(context, "client-key")};
  link.by_default_ = !choice.plane;
  link.target_ = WRIT_TRY("plane", client::ResolvePlane(choice, settings, context.credentials->plane_token.text(), context.env));
  if (!link.target_.tls && !link.target_.loopback && !link.target_.token.empty() && !context.invocation.Has("insecure-http")) {
    return Fail(Code::kDenied,
                "{} is not encrypted: everybody on the way could read the token and act with it. Use https://, or --insecure-http if "
                "the network itself is trusted",
                EscapeVisible(link.target_.url));
  }
  // Everything but looking at the plane itself needs one; refused here, the reader learns what to do about it.
  if (link.target_.token.empty() && !context.invocation.command->name.starts_with("plane ")) {
    return Fail(Code::kInvalid, "there is no token for {}: `writ plane login {}` keeps one, --token-file FILE or $WRIT_PLANE_TOKEN gives one",
                EscapeVisible(link.target_.url), ShellQuote(link.target_.url));
  }
  link.trust_.url = link.target_.url;
  link.trust_.pins = WRIT_TRY("--plane-key", ReadPins(context.invocation.Values("plane-key")));
  const std::string state = WRIT_TRY("state directory", storage::DefaultStatePath(context.env, root));
  const auto directory = WRIT_TRY("state directory", storage::StateDir::Open(state, storage::StateAccess::kWrite));
  link.state_directory_ = directory.path();
  link.trust_.known.emplace(directory.path());
  link.http_.ca_file = link.target_.ca_file;
  link.http_.client_cert_file = link.target_.client_cert_file;
  link.http_.client_key_file = link.target_.client_key_file;
  const auto endpoint = WRIT_TRY("plane", net::ParseBaseUrl(link.target_.url));
  link.http_.proxy = WRIT_TRY("plane", net::ProxyFor(endpoint, context.env));
  link.plane_ = WRIT_TRY("plane", link.Another());
  return link;
}

Result<std::unique_ptr<remote::PlaneConnection>> PlaneLink::Another() const {
  return remote::PlaneConnection::Open(target_.url, std::string(target_.token.text()), http_);
}

std::string PlaneLink::PlaneOption() const {
  if (by_default_) return {};
  return fmt::format(" --plane {}", ShellQuote(target_.name.empty() ? target_.url : target_.name));
}

std::string PlaneLink::requested_by() const { return target_.requested_by.empty() ? UserName(::getuid()) : target_.requested_by; }

Result<std::vector<contract::Pin>> ReadPins(const std::vector<std::string_view>& keys) {
  std::vector<contract::Pin> pins;
  for (const auto key : keys) {
    if (crypto::IsKeyId(key)) {
      pins.push_back(contract::Pin::OfKeyId(key));
    } else {
      pins.push_back(contract::Pin::OfKey(WRIT_TRY("a pin is a key id or a PEM file", crypto::ReadPublicKeyFile(std::string(key)))));
    }
  }
  return pins;
}

Result<std::string> PlaneRunId(PlaneLink& link, std::string_view operand) { return client::FindRun(link.plane(), operand); }

Result<PlaneLink> OpenAndConfine(const Context& context) {
  auto link = PlaneLink::Open(context);
  if (!link) return link;
  WRIT_TRY("confine", context.wiring.confine(Network::kOut));
  return link;
}

}  // namespace writ::cli
