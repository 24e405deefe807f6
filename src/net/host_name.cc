#include "net/host_name.h"

#include <idn2.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/escape.h"
#include "base/utf8.h"

namespace writ::net {
namespace {

constexpr std::size_t kNameMax = 253;
constexpr std::size_t kLabelMax = 63;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameByte(char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-' || c == '_'; }

std::string Shown(std::string_view text) { return EscapeVisible(text, 80); }

/// To A-labels by UTS #46. Errors: kInvalid for what it forbids and for A-labels that do not decode and encode back.
Result<std::string> ToAscii(std::string_view text) {
  const std::string input(text);
  char* output = nullptr;
  const int status = ::idn2_to_ascii_8z(input.c_str(), &output, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, void (*)(void*)> owner(output, ::idn2_free);
  if (status != IDN2_OK || output == nullptr) {
    return Fail(Code::kInvalid, "host \"{}\" is not a valid internationalised name: {}", Shown(text),
                ::idn2_strerror(status));
  }
  return std::string(output);
}

/// One number of an IPv4 address; nullopt when it is not a number. Values above 2^32 stay above it.
std::optional<std::uint64_t> IPv4Number(std::string_view part) {
  if (part.empty()) return std::nullopt;
  unsigned base = 10;
  if (part.size() >= 2 && part[0] == '0' && (part[1] == 'x' || part[1] == 'X')) {
    base = 16;
    part.remove_prefix(2);
  } else if (part.size() >= 2 && part[0] == '0') {
    base = 8;
    part.remove_prefix(1);
  }
  std::uint64_t value = 0;  // "0x" alone is zero
  for (const char c : part) {
    unsigned digit = 16;
    if (IsDigit(c)) digit = static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') digit = static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
    if (digit >= base) return std::nullopt;
    value = std::min<std::uint64_t>(value * base + digit, std::uint64_t{1} << 32);
  }
  return value;
}

std::vector<std::string_view> Labels(std::string_view name) {
  std::vector<std::string_view> labels;
  for (std::size_t start = 0;;) {
    const std::size_t dot = name.find('.', start);
    labels.push_back(name.substr(start, dot == std::string_view::npos ? dot : dot - start));
    if (dot == std::string_view::npos) return labels;
    start = dot + 1;
  }
}

bool EndsInNumber(const std::vector<std::string_view>& labels) {
  const std::string_view last = labels.back();
  return (!last.empty() && std::ranges::all_of(last, IsDigit)) || IPv4Number(last).has_value();
}

/// Source: URL Standard, "IPv4 parser".
Result<IpAddress> IPv4FromLabels(const std::vector<std::string_view>& labels, std::string_view shown) {
  const auto bad = [&](std::string_view why) {
    return Fail(Code::kInvalid, "host \"{}\" ends in a number but is not an IPv4 address: {}", Shown(shown), why);
  };
  if (labels.size() > 4) return bad("more than four parts");
  std::uint64_t address = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const auto number = IPv4Number(labels[i]);
    if (!number) return bad("a part is not a number");
    const bool last = i + 1 == labels.size();
    const std::uint64_t limit = last ? std::uint64_t{1} << (8 * (5 - labels.size())) : 256;
    if (*number >= limit) return bad("a part is too large");
    address |= last ? *number : *number << (8 * (3 - i));
  }
  return IpAddress::V4(static_cast<std::uint32_t>(address));
}

Result<> CheckName(std::string_view name, const std::vector<std::string_view>& labels, std::string_view shown) {
  if (name.size() > kNameMax)
    return Fail(Code::kInvalid, "host \"{}\" is longer than {} bytes", Shown(shown), kNameMax);
  for (const std::string_view label : labels) {
    if (label.empty()) return Fail(Code::kInvalid, "host \"{}\" has an empty label", Shown(shown));
    if (label.size() > kLabelMax) {
      return Fail(Code::kInvalid, "host \"{}\" has a label longer than {} bytes", Shown(shown), kLabelMax);
    }
    if (!std::ranges::all_of(label, IsNameByte)) {
      return Fail(Code::kInvalid, "host \"{}\" has a character that no host name has", Shown(shown));
    }
  }
  return {};
}

}  // namespace

Result<Host> NormaliseHost(std::string_view text) {
  if (text.empty()) return Fail(Code::kInvalid, "the host is empty");
  if (text.size() > kHostTextMax) return Fail(Code::kInvalid, "the host has {} bytes, too many", text.size());
  const bool bracketed = text.front() == '[';
  if (bracketed || text.find(':') != std::string_view::npos) {
    if (bracketed && text.back() != ']') return Fail(Code::kInvalid, "host \"{}\": ] is missing", Shown(text));
    const std::string_view inside = bracketed ? text.substr(1, text.size() - 2) : text;
    const auto address = IpAddress::FromText(inside);
    if (!address || !address->is_v6()) {
      return Fail(Code::kInvalid, "host \"{}\" is not an IPv6 address (a zone is not part of one)", Shown(text));
    }
    return Host{{}, *address};
  }
  if (!IsUtf8(text)) return Fail(Code::kInvalid, "host \"{}\" is not UTF-8", Shown(text));
  bool plain = true;  // nothing that internationalised names have
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F || c == '%' || c == '/' || c == '@' || c == '\\') {
      return Fail(Code::kInvalid, "host \"{}\" has a character that no host name has", Shown(text));
    }
    if (byte >= 0x80) plain = false;
  }
  std::string name(text);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (!plain || name.find("xn--") != std::string::npos) name = WRIT_TRY("host", ToAscii(name));
  if (name.ends_with('.')) name.pop_back();
  const auto labels = Labels(name);
  if (EndsInNumber(labels)) return Host{{}, WRIT_TRY("host", IPv4FromLabels(labels, text))};
  WRIT_TRY("host", CheckName(name, labels, text));
  return Host{std::move(name), std::nullopt};
}

}  // namespace writ::net
