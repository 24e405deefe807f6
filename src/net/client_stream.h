#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "sys/unique_fd.h"

namespace writ::net {

/// Lets any thread end what another one waits for. Once cancelled it stays so.
class Cancellation {
 public:
  Cancellation();
  void Cancel() noexcept;
  bool cancelled() const { return cancelled_.load(); }
  /// Waits until `fd` (none: -1) has one of `events`. Errors: kDeadline; kUnavailable `cancelled`.
  Result<> Wait(int fd, short events, Deadline deadline) const;

 private:
  sys::UniqueFd event_;
  std::atomic<bool> cancelled_ = false;
};

/// Certificates of a TLS client.
struct TlsClientFiles {
  std::string ca_file;  ///< PEM; whom to trust instead of the system's list; empty: the system's
  std::string client_cert_file, client_key_file;  ///< PEM; both or none: what to show a peer that asks (mutual TLS)
};

/// What one client's TLS connections share. Made once: reading the system's certificates takes milliseconds.
class TlsClient {
 public:
  /// TLS 1.2 or 1.3, peers are verified. OpenSSL's configuration file is not read. Errors: kInvalid for files that
  /// cannot be read, with their names.
  static Result<std::unique_ptr<TlsClient>> Create(const TlsClientFiles& files);
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;
  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  explicit TlsClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One connection to a peer. A peer that goes away is an error, never a signal. Not thread-safe.
class ClientStream {
 public:
  /// Tries every address of `host` in turn, each for at most `each`; looking the name up is bounded too.
  /// `cancellation` is borrowed. Errors: kUnavailable, kDeadline.
  static Result<ClientStream> Connect(const std::string& host, std::uint16_t port, Millis each, const Cancellation& cancellation,
                                      Deadline deadline);
  ~ClientStream();
  ClientStream(ClientStream&&) noexcept;
  ClientStream& operator=(ClientStream&&) noexcept;

  /// From here on TLS, with the peer's certificate verified for `host`. `tls` is borrowed. Errors: kDenied for a
  /// certificate that does not hold; kUnavailable; kDeadline.
  Result<> StartTls(TlsClient& tls, const std::string& host, Deadline deadline);
  Result<> Send(ByteView bytes, Deadline deadline);                              ///< everything, or an error
  Result<std::size_t> Receive(std::span<std::uint8_t> buffer, Deadline deadline);  ///< 0 at the end
  /// What can be known without waiting.
  enum class Peek : std::uint8_t { kNothing, kInput, kClosed };
  Peek Look();

 private:
  struct Impl;
  explicit ClientStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace writ::net
