// Checks a bundle offline: reads one file and the pinned keys, opens nothing else, trusts nothing.
#include <unistd.h>

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/escape.h"
#include "canon/json.h"
#include "contract/bundle.h"
#include "contract/render.h"
#include "crypto/key_file.h"
#include "sys/file.h"

namespace {

using namespace writ;

constexpr int kValid = 0, kInvalid = 1, kUnreadable = 2;
constexpr std::size_t kInputBytesMax = 64u << 20;

constexpr std::string_view kUsage =
    "Usage: writ-verify [--json] [--pin KEYFILE|KEYID]... [--pin-runner KEYFILE|KEYID]... FILE|-\n"
    "\n"
    "Checks signatures, event chain and linkage of a run's bundle without network, store or clock, and prints who\n"
    "asked for what, what the run could see, what happened and what changed.\n"
    "\n"
    "  --pin K         accept only bundles of this plane key: a public key PEM file or an id like\n"
    "                  ed25519:0123456789abcdef; may be repeated. Prefer files: an id is only 64 bits of a hash.\n"
    "                  Without it a bundle is checked against the keys inside it, which shows that it is\n"
    "                  consistent, not who made it.\n"
    "  --pin-runner K  the same for the runner's key\n"
    "  --json          print {\"ok\", \"pinned\", \"problems\", \"warnings\"}\n"
    "  -h, --help      print this\n"
    "      --version   print the version\n"
    "\n"
    "Exit status: 0 valid, 1 not valid, 2 unreadable input or wrong usage.\n";

struct Arguments {
  bool json = false, help = false, version = false;
  contract::Pins pins;
  std::string file;
};

Result<contract::Pin> ReadPin(std::string_view text) {
  if (crypto::IsKeyId(text)) return contract::Pin::OfKeyId(text);
  return contract::Pin::OfKey(WRIT_TRY("a pin is a key id or a PEM file", crypto::ReadPublicKeyFile(std::string(text))));
}

Result<Arguments> ReadArguments(const std::vector<std::string_view>& words) {
  Arguments arguments;
  bool options = true, have_file = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (!options || word == "-" || !word.starts_with('-')) {
      if (have_file) return Fail(Code::kInvalid, "one FILE is expected, found another: {}", EscapeVisible(word));
      arguments.file = word;
      have_file = true;
    } else if (word == "--") {
      options = false;
    } else if (word == "--json") {
      arguments.json = true;
    } else if (word == "-h" || word == "--help") {
      arguments.help = true;
    } else if (word == "--version") {
      arguments.version = true;
    } else {
      std::optional<std::string_view> value;
      if (const auto equals = word.find('='); equals != std::string_view::npos) {
        value = word.substr(equals + 1);
        word = word.substr(0, equals);
      }
      if (word != "--pin" && word != "--pin-runner") return Fail(Code::kInvalid, "unknown option {}", EscapeVisible(word));
      if (!value && i + 1 < words.size()) value = words[++i];
      if (!value) return Fail(Code::kInvalid, "{} needs a key file or a key id", word);
      auto& pins = word == "--pin" ? arguments.pins.plane : arguments.pins.runner;
      pins.push_back(WRIT_TRY(word, ReadPin(*value)));
    }
  }
  if (!have_file && !arguments.help && !arguments.version) return Fail(Code::kInvalid, "no FILE given; see writ-verify --help");
  return arguments;
}

Result<std::string> ReadInput(const std::string& file) {
  if (file == "-") return sys::ReadAll(STDIN_FILENO, kInputBytesMax);
  return sys::ReadFile(file, kInputBytesMax);
}

int Complain(const Error& error) {
  std::fputs(fmt::format("writ-verify: {}\n", error.what).c_str(), stderr);
  return kUnreadable;
}

/// A verdict that could not be written must not look like one that was.
int Print(std::string_view text, int status) {
  if (auto written = sys::WriteAll(STDOUT_FILENO, text); !written) return Complain(written.error());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  const auto arguments = ReadArguments({argv + 1, argv + argc});
  if (!arguments) return Complain(arguments.error());
  if (arguments->help) return Print(kUsage, kValid);
  if (arguments->version) return Print("writ-verify " WRIT_VERSION "\n", kValid);
  const auto text = ReadInput(arguments->file);
  if (!text) return Complain(text.error());
  const auto bundle = canon::Parse(*text, canon::Mode::kWire);
  if (!bundle) return Complain(Error(bundle.error()).Doing(EscapeVisible(arguments->file)));
  const auto verification = contract::VerifyBundle(*bundle, arguments->pins);
  const std::string answer = arguments->json ? canon::Compact(contract::ToJson(verification)) + "\n" : contract::RenderStory(*bundle, verification);
  return Print(answer, verification.ok() ? kValid : kInvalid);
}
