#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "base/deadline.h"
#include "sys/unique_fd.h"

namespace writ::net {

/// A key with a certificate for `name` (DNS name or IP address), signed by `issuer` or by itself, in PEM files of a
/// directory that is removed with the object.
class TestIdentity {
 public:
  explicit TestIdentity(const std::string& name, const TestIdentity* issuer = nullptr) : key_(EVP_EC_gen("P-256")), x509_(X509_new()) {
    static std::atomic<long> serial{1};
    X509_set_version(x509_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509_), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509_), 3600L * 24);
    X509_set_pubkey(x509_, key_);
    X509_NAME* subject = X509_get_subject_name(x509_);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509_, issuer == nullptr ? subject : X509_get_subject_name(issuer->x509_));
    Extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    sockaddr_in address{};
    const bool numeric = inet_pton(AF_INET, name.c_str(), &address.sin_addr) == 1;
    Extend(NID_subject_alt_name, (numeric ? "IP:" : "DNS:") + name);
    X509_sign(x509_, issuer == nullptr ? key_ : issuer->key_, EVP_sha256());
    std::string pattern = (std::filesystem::temp_directory_path() / "writ-tls-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    FILE* file = std::fopen(cert_file().c_str(), "we");
    PEM_write_X509(file, x509_);
    std::fclose(file);
    file = std::fopen(key_file().c_str(), "we");
    PEM_write_PrivateKey(file, key_, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }
  ~TestIdentity() {
    std::filesystem::remove_all(directory_);
    X509_free(x509_);
    EVP_PKEY_free(key_);
  }
  TestIdentity(const TestIdentity&) = delete;
  std::string cert_file() const { return directory_ + "/cert.pem"; }
  std::string key_file() const { return directory_ + "/key.pem"; }

 private:
  void Extend(int nid, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(x509_, extension, -1);
    X509_EXTENSION_free(extension);
  }
  EVP_PKEY* key_;
  X509* x509_;
  std::string directory_;
};

/// One connection that a ScriptedServer accepted.
class ServerPeer {
 public:
  ServerPeer(sys::UniqueFd fd, SSL* tls) : fd_(std::move(fd)), tls_(tls) {}
  ~ServerPeer() {
    if (tls_ != nullptr) SSL_shutdown(tls_);
    SSL_free(tls_);
  }
  ServerPeer(const ServerPeer&) = delete;
  /// The head of the next request and, by its content-length, its body; "" at the end of the connection.
  std::string ReadRequest() {
    std::string text;
    std::size_t wanted = std::string::npos;
    for (;;) {
      if (const auto end = buffer_.find("\r\n\r\n"); wanted == std::string::npos && end != std::string::npos) {
        const auto length = buffer_.find("Content-Length: ");
        wanted = end + 4 + (length < end ? std::strtoul(buffer_.c_str() + length + 16, nullptr, 10) : 0);
      }
      if (buffer_.size() >= wanted) break;
      char bytes[4096];
      const long got = tls_ != nullptr ? SSL_read(tls_, bytes, sizeof(bytes)) : ::read(fd_.get(), bytes, sizeof(bytes));
      if (got <= 0) return "";
      buffer_.append(bytes, static_cast<std::size_t>(got));
    }
    text = buffer_.substr(0, wanted);
    buffer_.erase(0, wanted);
    return text;
  }
  void Write(std::string_view text) {
    if (tls_ != nullptr) SSL_write(tls_, text.data(), static_cast<int>(text.size()));
    else if (::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL) < 0) closed_ = true;
  }
  /// Answers 200 with a length.
  void Answer(std::string_view body, std::string_view fields = "") {
    Write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" + std::string(body));
  }
  int fd() const { return fd_.get(); }

 private:
  sys::UniqueFd fd_;
  SSL* tls_;
  std::string buffer_;
  bool closed_ = false;
};

/// A server on a port of 127.0.0.1 whose every connection, one after the other, is handled by `script`.
class ScriptedServer {
 public:
  using Script = std::function<void(ServerPeer& peer)>;
  explicit ScriptedServer(Script script, const TestIdentity* identity = nullptr, const TestIdentity* client_ca = nullptr)
      : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 16), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    if (identity != nullptr) {
      context_ = SSL_CTX_new(TLS_server_method());
      SSL_CTX_use_certificate_file(context_, identity->cert_file().c_str(), SSL_FILETYPE_PEM);
      SSL_CTX_use_PrivateKey_file(context_, identity->key_file().c_str(), SSL_FILETYPE_PEM);
      if (client_ca != nullptr) {
        SSL_CTX_load_verify_file(context_, client_ca->cert_file().c_str());
        SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
      }
    }
    thread_ = std::thread([this] { Serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    SSL_CTX_free(context_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  std::uint16_t port() const { return port_; }
  std::string url(const char* scheme = "http", const char* host = "127.0.0.1") const {
    return std::string(scheme) + "://" + host + ":" + std::to_string(port_);
  }
  int connections() const { return connections_.load(); }

 private:
  void Serve() {
    sigset_t pipe;  // of this thread only: the client under test has to do without
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    for (;;) {
      sys::UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      ++connections_;
      SSL* tls = nullptr;
      if (context_ != nullptr) {
        tls = SSL_new(context_);
        SSL_set_fd(tls, fd.get());
        if (SSL_accept(tls) != 1) {
          SSL_free(tls);
          continue;
        }
      }
      ServerPeer peer(std::move(fd), tls);
      script_(peer);
    }
  }

  Script script_;
  sys::UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  SSL_CTX* context_ = nullptr;
  std::thread thread_;
};

}  // namespace writ::net
