#include "egress/sniffer.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "net/http1_text.h"

namespace writ::egress {
namespace {

constexpr char kTlsHandshake = 0x16;
constexpr std::size_t kMethodBytesMax = 64;

/// Whether a line has white space and then "HTTP/", in any case and at any place: wider than what any server takes for
/// a request.
bool NamesHttp(std::string_view line) {
  constexpr std::string_view kMark = "http/";
  for (std::size_t at = 1; at + kMark.size() <= line.size(); ++at) {
    const char before = line[at - 1];
    if (before != ' ' && before != '\t' && before != '\v' && before != '\f') continue;
    const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
    if (std::ranges::equal(line.substr(at, kMark.size()), kMark, same)) return true;
  }
  return false;
}

/// Whether it is a request of git's own protocol, which looks like a method and ends without a line: four hex digits,
/// "git-", and a NUL behind the path. Source: gitprotocol-pack(5), "git-proto-request".
bool IsGit(std::string_view line) {
  const auto hex = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
  return line.size() > 8 && std::ranges::all_of(line.substr(0, 4), hex) && line.substr(4, 4) == "git-" &&
         line.find('\0') != std::string_view::npos;
}

}  // namespace

Sniffer::Result Sniffer::Unclear() const {
  if (bytes_.size() < bytes_max_) return {};
  return {Kind::kRefused, "tunnel.unclear", "its first bytes do not say what it is for"};
}

Sniffer::Result Sniffer::Look() {
  if (bytes_.empty()) return {};
  return bytes_.front() == kTlsHandshake ? LookAtTls() : LookAtText();
}

Sniffer::Result Sniffer::LookAtTls() {
  const auto state = tls_.Read(bytes_);
  if (!state) return {Kind::kRefused, "tunnel.sni", state.error().what};
  if (*state == net::ClientHelloReader::State::kNeedMore) return Unclear();
  if (*state == net::ClientHelloReader::State::kNotTls) return {Kind::kPass, {}, {}};
  const net::ClientHello& hello = tls_.hello();
  if (!hello.server_name) {
    if (!hello.encrypted_client_hello) return {Kind::kTls, {}, {}};
    return {Kind::kRefused, "tunnel.sni", "the TLS handshake hides the name of its host"};
  }
  if (*hello.server_name == host_) return {Kind::kTls, {}, {}};
  return {Kind::kRefused, "tunnel.sni",
          fmt::format("the TLS handshake names {}, not the host of the tunnel", hello.server_name->ToText())};
}

Sniffer::Result Sniffer::LookAtText() const {
  // RFC 9112 section 2.2: a server ignores empty lines before a request.
  const std::string_view text =
      std::string_view(bytes_).substr(std::min(bytes_.find_first_not_of("\r\n"), bytes_.size()));
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  const auto word = std::min(line.find_first_of(" \t\v\f\r"), line.size());
  const bool method = std::ranges::all_of(line.substr(0, word), net::http1::IsTokenByte);
  if (!method || word > kMethodBytesMax || IsGit(line)) return {Kind::kPass, {}, {}};
  if (end == std::string_view::npos) return Unclear();
  if (!NamesHttp(line)) return {Kind::kPass, {}, {}};
  return {Kind::kHttp, {}, {}};
}

}  // namespace writ::egress
