#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <csignal>
#include <fstream>

#include "egress/openssl_owned.h"
#include "egress/proxy_for_test.h"

/// The TLS servers and clients around a proxy.
namespace writ::egress::test {

/// A server's certificate that signs itself, so that it is its own root.
struct ServerCertificate {
  explicit ServerCertificate(const std::string& names, long valid_for_s = 3600)
      : key(EVP_EC_gen("P-256")), certificate(X509_new()) {
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), valid_for_s);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("x"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
  }
  /// A new file with the certificate, removed with the object.
  const std::string& File() {
    if (!path.empty()) return path;
    path = testing::TempDir() + "/writ-root-XXXXXX";
    const sys::UniqueFd made(::mkstemp(path.data()));
    FILE* file = ::fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate.get());
    ::fclose(file);
    return path;
  }
  ~ServerCertificate() {
    if (!path.empty()) ::unlink(path.c_str());
  }
  ServerCertificate(const ServerCertificate&) = delete;
  Key key;
  Certificate certificate;
  std::string path;
};

/// TLS over a blocking connection.
class TlsPeer final : public Readable {
 public:
  /// The server's side; `done` says whether the handshake came to its end. `protocol`: "\x02h2", chosen if offered.
  TlsPeer(Peer peer, const ServerCertificate& certificate, const char* protocol = nullptr)
      : peer_(std::move(peer)), context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_.get(), certificate.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), certificate.key.get());
    if (protocol != nullptr) {
      const auto choose = [](SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                             unsigned in_size, void* own) {
        const auto* wanted = static_cast<const unsigned char*>(own);
        unsigned char* chosen = nullptr;
        const int found = SSL_select_next_proto(&chosen, out_size, wanted, wanted[0] + 1U, in, in_size);
        *out = chosen;
        return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
      };
      SSL_CTX_set_alpn_select_cb(context_.get(), choose, const_cast<char*>(protocol));
    }
    Begin();
    done = SSL_accept(tls_.get()) == 1;
  }
  /// The job's side, which trusts only `root_pem`.
  TlsPeer(Peer peer, const std::string& root_pem, const std::string& host, std::string_view protocols = "")
      : peer_(std::move(peer)), context_(SSL_CTX_new(TLS_client_method())) {
    BIO* memory = BIO_new_mem_buf(root_pem.data(), static_cast<int>(root_pem.size()));
    const Certificate root(PEM_read_bio_X509(memory, nullptr, nullptr, nullptr));
    BIO_free(memory);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_.get()), root.get());
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context_.get()), X509_V_FLAG_X509_STRICT);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    Begin();
    if (net::NormaliseHost(host)->address) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls_.get()), host.c_str());
    } else {
      SSL_set1_host(tls_.get(), host.c_str());
      SSL_set_tlsext_host_name(tls_.get(), host.c_str());
    }
    if (!protocols.empty()) {
      SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(protocols.data()),
                          static_cast<unsigned>(protocols.size()));
    }
    done = SSL_connect(tls_.get()) == 1;
  }
  void Send(std::string_view bytes) {
    std::size_t sent = 0;
    if (!bytes.empty()) SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent);
  }
  /// Reads a request and answers it; returns what came.
  std::string Serve(std::string_view mark, std::string_view answer) {
    std::string request = ReadUntil(mark);
    Send(answer);
    return request;
  }
  SSL* tls() { return tls_.get(); }
  /// What was agreed on (ALPN).
  std::string protocol() {
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(tls_.get(), &chosen, &size);
    return {reinterpret_cast<const char*>(chosen), size};
  }
  /// What comes next, at most `most` bytes; "" at the end.
  std::string ReadSome(std::size_t most) {
    std::string bytes;
    More(bytes, most);
    return bytes;
  }
  void End() { SSL_shutdown(tls_.get()), peer_.EndWriting(); }
  bool done = false;

 private:
  void Begin() {
    std::signal(SIGPIPE, SIG_IGN);
    tls_.reset(SSL_new(context_.get()));
    SSL_set_fd(tls_.get(), peer_.fd());
  }
  bool More(std::string& bytes, std::size_t most) override {
    ERR_clear_error();
    std::string buffer(most, '\0');
    std::size_t got = 0;
    if (SSL_read_ex(tls_.get(), buffer.data(), most, &got) != 1) return false;
    bytes.append(buffer, 0, got);
    return true;
  }
  Peer peer_;
  TlsContext context_;
  std::unique_ptr<SSL, FreedBy<SSL_free>> tls_;
};

/// A proxy that intercepts ok.test, which leads to `upstream`.
class InterceptTest : public ProxyTest {
 protected:
  static constexpr std::string_view kValue = "s3cr3t+value/\xff" "42";
  static constexpr std::string_view kPlaceholder = "writ-secret-TOKEN-00112233445566778899aabbccddeeff";

  void SetUp() override {
    resolver.Set("ok.test", {upstream.endpoint().address});
    resolver.Set("other.test", {upstream.endpoint().address});
    authority = CertificateAuthority::Make(SystemClock().Now()).value();
  }
  void Intercept(const std::vector<std::string>& rules, ServerCertificate& trusted, bool secret = false,
                 EgressLimits limits = {}) {
    auto interception = std::make_shared<Interception>();
    interception->authority = authority;
    interception->trust_file = trusted.File();
    if (secret) {
      interception->secrets.push_back(
          {"TOKEN", crypto::SecretBytes::CopyOf(AsBytes(kValue)), "ok.test", std::string(kPlaceholder)});
    }
    options.interception = interception;
    auto all = rules;
    all.push_back(upstream.text());
    Start(Rules(all), limits);
  }
  Peer Tunnelled(const std::string& host = "ok.test") {
    Peer client = Client();
    client.Send(fmt::format("CONNECT {0}:{1} HTTP/1.1\r\nHost: {0}\r\n\r\n", host, upstream.port()));
    EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 200 Connection Established\r\n\r\n");
    return client;
  }
  TlsPeer Job(const std::string& host = "ok.test", std::string_view protocols = "") {
    return {Tunnelled(host), authority->certificate_pem(), host, protocols};
  }
  TlsPeer Server(const ServerCertificate& shown) { return {upstream.Accept(), shown}; }
  /// No attempt names the value.
  void ExpectNothingTold() {
    for (const auto& attempt : observer.attempts()) {
      for (const auto& text : {attempt.host, attempt.path, attempt.method, attempt.verdict.reason,
                               attempt.verdict.rule, attempt.verdict.smallest_grant}) {
        EXPECT_EQ(text.find(kValue), std::string::npos);
        EXPECT_EQ(text.find("s3cr3t"), std::string::npos);
      }
    }
  }

  Upstream upstream;
  ServerCertificate certificate{"DNS:ok.test"};
  std::shared_ptr<CertificateAuthority> authority;
};

}  // namespace writ::egress::test
