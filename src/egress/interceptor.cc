#include "egress/interceptor.h"

#include <openssl/err.h>

#include "base/escape.h"
#include "egress/openssl_owned.h"

namespace writ::egress {

struct Interceptor::Parts {
  TlsLibrary library;
  TlsContext client;
};

Interceptor::Interceptor() : parts_(std::make_unique<Parts>()) {}
Interceptor::~Interceptor() = default;

Result<std::shared_ptr<const Interceptor>> Interceptor::Make(std::shared_ptr<const Interception> interception) {
  if (!interception->authority) return Fail(Code::kInvalid, "interception needs a certificate authority");
  std::shared_ptr<Interceptor> made(new Interceptor);
  made->authority_ = interception->authority;
  const std::string trust_file = interception->trust_file;
  made->secrets_ = WRIT_TRY("interception", EdgeSecrets::Make(std::move(interception)));
  auto& [library, client] = *made->parts_;
  ::ERR_clear_error();
  library.reset(::OSSL_LIB_CTX_new());
  client.reset(::SSL_CTX_new_ex(library.get(), nullptr, ::TLS_client_method()));
  const bool ready = library && client && ::SSL_CTX_set_min_proto_version(client.get(), TLS1_2_VERSION) == 1;
  if (!ready) return Fail(Code::kInternal, "OpenSSL could not make a context");
  ::SSL_CTX_set_verify(client.get(), SSL_VERIFY_PEER, nullptr);
  ::SSL_CTX_set_session_cache_mode(client.get(), SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_options(client.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  const int trusted = trust_file.empty() ? ::SSL_CTX_set_default_verify_paths(client.get())
                                         : ::SSL_CTX_load_verify_file(client.get(), trust_file.c_str());
  ::ERR_clear_error();
  if (trusted != 1) return Fail(Code::kInvalid, "the trusted certificates {} cannot be read", EscapeVisible(trust_file));
  return made;
}

Result<std::unique_ptr<TlsStream>> Interceptor::TowardsJob(const net::Host& host, int socket, std::string early,
                                                           HttpVersion version) const {
  const TlsContext context(WRIT_TRY("certificate", authority_->ServerContext(host)));
  return TlsStream::Server(context.get(), socket, std::move(early), version);
}

Result<std::unique_ptr<TlsStream>> Interceptor::TowardsUpstream(const net::Host& host, int socket,
                                                                std::span<const HttpVersion> offered) const {
  return TlsStream::Client(parts_->client.get(), socket, host, offered);
}

}  // namespace writ::egress
