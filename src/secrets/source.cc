#include "secrets/source.h"

#include <fcntl.h>

#include <charconv>

#include "base/escape.h"
#include "contract/validators.h"
#include "secrets/record.h"
#include "secrets/vault.h"
#include "sys/file.h"

namespace writ::secrets {
namespace {

struct Prefix {
  std::string_view prefix;
  SourceKind kind;
};
constexpr Prefix kPrefixes[] = {{"env:", SourceKind::kEnv}, {"file:", SourceKind::kFile}, {"fd:", SourceKind::kFd}, {"vault:", SourceKind::kVault}};

Result<int> DescriptorOf(const std::string& text) {
  int fd = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), fd);
  if (error != std::errc() || end != text.data() + text.size() || fd < 0) {
    return Fail(Code::kInvalid, "fd:{} is not the number of a descriptor", EscapeVisible(text));
  }
  return fd;
}

Result<crypto::SecretBytes> ReadPath(const std::string& path) {
  const auto fd = WRIT_TRY("file:" + EscapeVisible(path), sys::OpenFile(path, O_RDONLY | O_NONBLOCK));
  const auto meta = WRIT_TRY("file:" + EscapeVisible(path), sys::MetaOf(fd.get()));
  if (meta.type != sys::FileType::kRegular) return Fail(Code::kInvalid, "file:{} is not a regular file", EscapeVisible(path));
  return ReadValue(fd.get());
}

}  // namespace

Result<Source> ParseSource(std::string_view text) {
  for (const Prefix& form : kPrefixes) {
    if (!text.starts_with(form.prefix) || text.size() == form.prefix.size()) continue;
    Source source{form.kind, std::string(text.substr(form.prefix.size()))};
    if (source.place.find('\0') != std::string::npos || source.place.size() > 4000) break;
    if (source.kind == SourceKind::kEnv && !contract::IsEnvName(source.place)) break;
    if (source.kind == SourceKind::kFd) {
      if (auto fd = DescriptorOf(source.place); !fd) return std::unexpected(std::move(fd).error());
    }
    if (source.kind == SourceKind::kVault) {
      if (auto place = ParseVaultPlace(source.place); !place) return std::unexpected(std::move(place).error());
    }
    return source;
  }
  return Fail(Code::kInvalid, "`{}` is no source of a secret; there are env:NAME, file:PATH, fd:N and vault:PATH#FIELD",
              EscapeVisible(text.substr(0, 200)));
}

bool CanBeKept(const Source& source) { return source.kind != SourceKind::kFd; }

Result<crypto::SecretBytes> ReadValue(int fd) {
  crypto::SecretBytes value(kValueBytesMax + 3);
  std::size_t size = WRIT_TRY("read the value", sys::ReadFull(fd, value.bytes()));
  const auto ends_with = [&](char c) { return size > 0 && value.bytes()[size - 1] == static_cast<std::uint8_t>(c); };
  if (ends_with('\n')) {
    --size;
    if (ends_with('\r')) --size;
  }
  if (size > kValueBytesMax) return Fail(Code::kExhausted, "the value has more than {} bytes", kValueBytesMax);
  return crypto::SecretBytes::CopyOf(value.bytes().first(size));
}

Result<crypto::SecretBytes> ReadSource(const Source& source, const SourceParts& parts) {
  switch (source.kind) {
    case SourceKind::kEnv: {
      auto value = parts.env(source.place);
      if (!value) return Fail(Code::kNotFound, "the environment variable {} is not set", source.place);
      auto bytes = crypto::SecretBytes::CopyOf(AsBytes(*value));
      crypto::Wipe(*value);
      return bytes;
    }
    case SourceKind::kFile: return ReadPath(source.place);
    case SourceKind::kFd: return ReadValue(WRIT_TRY("source", DescriptorOf(source.place)));
    case SourceKind::kVault: return FetchFromVault(source.place, parts.env, parts.credentials.vault_token, parts.deadline);
  }
  return Fail(Code::kInternal, "a source of no kind");
}

}  // namespace writ::secrets
