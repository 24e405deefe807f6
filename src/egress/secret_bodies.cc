#include "egress/secret_bodies.h"

#include <algorithm>

namespace writ::egress {
namespace {

class PlaceholderFiltering final : public BodyFilter {
 public:
  explicit PlaceholderFiltering(std::shared_ptr<PlaceholderFilter> filter) : filter_(std::move(filter)) {}
  net::Http1Result<> Write(std::string_view content, std::string& out) override {
    if (filter_->Write(content, out)) return {};
    return std::unexpected(net::Http1Refusal{403, "a placeholder that does not belong here"});
  }
  void Finish(std::string& out) override { filter_->Finish(out); }
  net::Http1Result<> ChangeTrailers(net::Http1Fields& trailers) override {
    for (auto& field : trailers) {
      if (!filter_->Whole(field.value)) {
        return std::unexpected(net::Http1Refusal{403, "a placeholder that does not belong here"});
      }
      if (!FitsField(field.value)) return std::unexpected(net::Http1Refusal{400, "a value that no field can hold"});
    }
    return {};
  }

 private:
  std::shared_ptr<PlaceholderFilter> filter_;
};

class Redacting final : public BodyFilter {
 public:
  explicit Redacting(const EdgeSecrets& secrets) : secrets_(secrets), redactor_(secrets.patterns()) {}
  net::Http1Result<> Write(std::string_view content, std::string& out) override {
    // The sink cannot fail.
    static_cast<void>(redactor_.Write(AsBytes(content), [&](ByteView piece) -> Result<> {
      out += AsText(piece);
      return {};
    }));
    return {};
  }
  void Finish(std::string& out) override {
    static_cast<void>(redactor_.Finish([&](ByteView piece) -> Result<> {
      out += AsText(piece);
      return {};
    }));
  }
  net::Http1Result<> ChangeTrailers(net::Http1Fields& trailers) override {
    HideSecrets(secrets_, trailers);
    return {};
  }

 private:
  const EdgeSecrets& secrets_;
  secrets::Redactor redactor_;
};

}  // namespace

bool FitsField(std::string_view value) {
  return std::ranges::none_of(value, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; });
}

std::unique_ptr<BodyFilter> PlaceholderBody(std::shared_ptr<PlaceholderFilter> filter) {
  return std::make_unique<PlaceholderFiltering>(std::move(filter));
}

std::unique_ptr<BodyFilter> RedactedBody(const EdgeSecrets& secrets) { return std::make_unique<Redacting>(secrets); }

}  // namespace writ::egress
