#include "egress/edge_secrets.h"

#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"

namespace {

/// Placeholders that overlap, so that few bytes of input make many cases.
std::shared_ptr<const writ::egress::EdgeSecrets> Secrets() {
  auto interception = std::make_shared<writ::egress::Interception>();
  const auto add = [&](const char* name, const char* value, const char* host, const char* placeholder) {
    interception->secrets.push_back({name, writ::crypto::SecretBytes::CopyOf(writ::AsBytes(value)), host, placeholder});
  };
  add("A", "VALUE-A", "ok.test", "aab");
  add("B", "VALUE-B", "ok.test", "aabaa");
  add("C", "VALUE-C", "other.test", "ccc");
  return *writ::egress::EdgeSecrets::Make(std::move(interception));
}

}  // namespace

// The result does not depend on the pieces; no placeholder is left, and the value of another host never appears.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ::egress;
  static const auto secrets = Secrets();
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 8 + 1;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const SecretScope scope{*writ::net::NormaliseHost("ok.test"), true};
  PlaceholderFilter whole(*secrets, scope, PlaceholderFilter::Form::kPlain);
  std::string at_once = std::string(text);
  const bool passed = whole.Whole(at_once);
  PlaceholderFilter pieces(*secrets, scope, PlaceholderFilter::Form::kPlain);
  std::string out;
  bool going = true;
  for (std::size_t at = 0; at < text.size() && going; at += piece) going = pieces.Write(text.substr(at, piece), out);
  if (going) pieces.Finish(out);
  if (passed != (text.find("ccc") == std::string_view::npos) || going != passed) std::abort();
  if (out.find("VALUE-C") != std::string::npos && text.find("VALUE-C") == std::string_view::npos) std::abort();
  if (passed && out.size() > text.size() + 7 * (text.size() / 3)) std::abort();
  return 0;
}
