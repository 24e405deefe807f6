#include "secrets/encodings.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "crypto/secret.h"

namespace writ::secrets {
namespace {

constexpr std::size_t kLineBytesMin = 8;  // a shorter line of a value of several lines says too little
constexpr std::size_t kSharedDigitBytesMax = 64;
constexpr std::string_view kHexLower = "0123456789abcdef", kHexUpper = "0123456789ABCDEF";
constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrl = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

using Take = std::function<void(const Form&)>;

void Give(Form form, const Take& take) {
  if (!form.text.empty()) take(form);
  crypto::Wipe(form.text);
}

/// The digits that hold bits of `value` when `offset` bytes (0 to 2) stand before it, up to the last that no byte
/// behind it can change. RFC 4648 section 4: a digit is six bits. The first digit also holds bits of what stands
/// before: they are taken from `before`, or the digit is left out.
Form Base64At(ByteView value, std::size_t offset, std::string_view digits, std::optional<unsigned> before) {
  const std::size_t first_bit = offset * 8, last_bit = first_bit + value.size() * 8;
  const auto bit_at = [&](std::size_t bit) -> unsigned {
    if (bit < first_bit) return *before >> (first_bit - 1 - bit) & 1u;
    return value[(bit - first_bit) / 8] >> (7 - (bit - first_bit) % 8) & 1u;
  };
  Form form;
  form.text.reserve(value.size() * 4 / 3 + 2);
  for (std::size_t digit = before ? first_bit / 6 : (first_bit + 5) / 6; digit * 6 + 6 <= last_bit; ++digit) {
    unsigned bits = 0;
    for (std::size_t bit = digit * 6; bit < digit * 6 + 6; ++bit) bits = bits << 1 | bit_at(bit);
    form.text += digits[bits];
  }
  form.partial_after = last_bit % 6 != 0;
  return form;
}

void GiveBase64(ByteView value, const Take& take) {
  for (const std::string_view digits : {kStandard, kUrl}) {
    for (std::size_t offset = 0; offset < 3; ++offset) {
      Give(Base64At(value, offset, digits, std::nullopt), take);
      // The 2 or 4 bits that a first digit tells would be a good part of a short value: each such digit is a form.
      const unsigned others = offset == 1 ? 4 : offset == 2 ? 16 : 0;  // what the bits before may be
      if (value.size() > kSharedDigitBytesMax) continue;
      for (unsigned before = 0; before < others; ++before) Give(Base64At(value, offset, digits, before), take);
    }
  }
}

void GiveHex(ByteView value, std::string_view digits, const Take& take) {
  Form form;
  form.text.reserve(value.size() * 2);
  for (const std::uint8_t byte : value) {
    form.text += digits[byte >> 4];
    form.text += digits[byte & 15];
  }
  Give(std::move(form), take);
}

bool IsUnreserved(std::uint8_t c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

/// Percent-encoding (RFC 3986 section 2.1). `kept` are reserved characters that some encoders leave alone; `plus`
/// writes a space as forms do.
void GivePercent(ByteView value, std::string_view digits, std::string_view kept, bool plus, const Take& take) {
  Form form;
  form.text.reserve(value.size() * 3);
  for (const std::uint8_t byte : value) {
    const char c = static_cast<char>(byte);
    if (plus && c == ' ') {
      form.text += '+';
    } else if (IsUnreserved(byte) || kept.find(c) != kept.npos) {
      form.text += c;
    } else {
      form.text += '%';
      form.text += digits[byte >> 4];
      form.text += digits[byte & 15];
    }
  }
  Give(std::move(form), take);
}

/// As a JSON string holds it (RFC 8259 section 7), with and without the escape that protects `</script>`.
void GiveJson(ByteView value, bool escape_slash, const Take& take) {
  Form form;
  form.text.reserve(value.size() * 6);
  for (const std::uint8_t byte : value) {
    switch (byte) {
      case '"': form.text += "\\\""; break;
      case '\\': form.text += "\\\\"; break;
      case '\n': form.text += "\\n"; break;
      case '\r': form.text += "\\r"; break;
      case '\t': form.text += "\\t"; break;
      case '/': form.text += escape_slash ? "\\/" : "/"; break;
      default:
        if (byte < 0x20) {
          form.text += "\\u00";
          form.text += kHexLower[byte >> 4];
          form.text += kHexLower[byte & 15];
        } else {
          form.text += static_cast<char>(byte);
        }
    }
  }
  Give(std::move(form), take);
}

/// As a name of a host is written: DNS names are compared without case (RFC 4343), so they are kept in lower case.
void GiveLowerCase(std::string_view value, const Take& take) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  Form form{std::string(value)};
  std::ranges::transform(form.text, form.text.begin(), lower);
  if (form.text == value) return crypto::Wipe(form.text);
  Give(std::move(form), take);
}

/// Each line by itself, as a patch or a terminal shows it. The marks around a PEM key are no secret (RFC 7468).
void GiveLines(std::string_view value, const Take& take) {
  if (value.find('\n') == value.npos) return;
  for (std::size_t start = 0; start <= value.size();) {
    const std::size_t end = std::min(value.find('\n', start), value.size());
    std::string_view line = value.substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() >= kLineBytesMin && !line.starts_with("-----")) Give({std::string(line)}, take);
    start = end + 1;
  }
}

}  // namespace

void ForEachForm(ByteView value, const std::function<void(const Form&)>& take) {
  Give({std::string(AsText(value))}, take);
  GiveLowerCase(AsText(value), take);
  GiveBase64(value, take);
  GiveHex(value, kHexLower, take);
  GiveHex(value, kHexUpper, take);
  // encodeURIComponent leaves !*'() alone, encodeURI the characters that separate the parts of a URI.
  for (const std::string_view digits : {kHexUpper, kHexLower}) {
    for (const std::string_view kept : {"", "/", "!*'()", "!*'();/?:@&=+$,#"}) GivePercent(value, digits, kept, false, take);
    GivePercent(value, digits, "", true, take);
    GivePercent(value, digits, "*", true, take);
  }
  GiveJson(value, false, take);
  GiveJson(value, true, take);
  GiveLines(AsText(value), take);
}

}  // namespace writ::secrets
