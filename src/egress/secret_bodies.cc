#include "egress/secret_bodies.h"

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

 private:
  std::shared_ptr<PlaceholderFilter> filter_;
};

class Redacting final : public BodyFilter {
 public:
  explicit Redacting(const EdgeSecrets& secrets) : redactor_(secrets.patterns()) {}
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

 private:
  secrets::Redactor redactor_;
};

}  // namespace

std::unique_ptr<BodyFilter> PlaceholderBody(std::shared_ptr<PlaceholderFilter> filter) {
  return std::make_unique<PlaceholderFiltering>(std::move(filter));
}

std::unique_ptr<BodyFilter> RedactedBody(const EdgeSecrets& secrets) { return std::make_unique<Redacting>(secrets); }

}  // namespace writ::egress
