#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <mutex>
#include <string>
#include <thread>

#include "base/deadline.h"
#include "sys/unique_fd.h"

namespace writ::secrets {

/// A certificate for `name` (a DNS name) that signs itself, so that it is its own list of trusted certificates.
struct TestCertificate {
  explicit TestCertificate(const std::string& name) : key(EVP_EC_gen("P-256")), certificate(X509_new()) {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600L * 24);
    X509_set_pubkey(certificate, key);
    X509_NAME* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
  }
  ~TestCertificate() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  TestCertificate(const TestCertificate&) = delete;
  std::string Pem() const {
    BIO* memory = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(memory, certificate);
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory, &text);
    std::string pem(text, static_cast<std::size_t>(size));
    BIO_free(memory);
    return pem;
  }
  EVP_PKEY* key;
  X509* certificate;
};

/// Answers every connection to 127.0.0.1 with the same bytes and closes it. Without a certificate it speaks plain HTTP.
class TestServer {
 public:
  explicit TestServer(std::string answer, const TestCertificate* certificate = nullptr) : answer_(std::move(answer)) {
    std::signal(SIGPIPE, SIG_IGN);
    listener_ = sys::UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    if (certificate != nullptr) {
      context_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate(context_, certificate->certificate);
      SSL_CTX_use_PrivateKey(context_, certificate->key);
    }
    thread_ = std::thread([this] { Serve(); });
  }
  ~TestServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    SSL_CTX_free(context_);
  }
  TestServer(const TestServer&) = delete;

  /// The head of the last request; empty when none was complete.
  std::string request() {
    const std::lock_guard lock(mutex_);
    return request_;
  }
  int port = 0;

 private:
  void Serve() {
    for (;;) {
      const sys::UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer.valid()) return;
      SSL* tls = nullptr;
      if (context_ != nullptr) {
        tls = SSL_new(context_);
        SSL_set_fd(tls, peer.get());
        if (SSL_accept(tls) != 1) {
          SSL_free(tls);
          continue;
        }
      }
      std::string head;
      char buffer[1024];
      while (head.find("\r\n\r\n") == std::string::npos) {
        const auto got = tls ? SSL_read(tls, buffer, sizeof(buffer)) : static_cast<int>(::read(peer.get(), buffer, sizeof(buffer)));
        if (got <= 0) break;
        head.append(buffer, static_cast<std::size_t>(got));
      }
      {
        const std::lock_guard lock(mutex_);
        request_ = head;
      }
      if (tls) {
        SSL_write(tls, answer_.data(), static_cast<int>(answer_.size()));
        SSL_shutdown(tls);
        SSL_free(tls);
      } else if (::write(peer.get(), answer_.data(), answer_.size()) < 0) {
        continue;  // the client has seen enough
      }
    }
  }

  std::string answer_, request_;
  std::mutex mutex_;  ///< of request_
  sys::UniqueFd listener_;
  SSL_CTX* context_ = nullptr;
  std::thread thread_;
};

}  // namespace writ::secrets
