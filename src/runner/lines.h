#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/error.h"
#include "remote/plane_connection.h"
#include "runner/options.h"

namespace writ::runner {

/// How long the plane has for the answer of one call, but for those that wait for something.
inline constexpr Millis kCallTimeout{10'000};

/// Connections to the plane that are kept alive between runs. Thread-safe.
class Lines {
 public:
  /// `options` is borrowed. Errors: kInvalid for an address, a proxy or certificate files that cannot be read.
  static Result<std::unique_ptr<Lines>> Make(const Options& options);

  /// A connection for one thread at a time, given back when it goes.
  class Line {
   public:
    Line(Lines& from, std::unique_ptr<remote::PlaneConnection> connection) : from_(&from), connection_(std::move(connection)) {}
    Line(Line&& other) noexcept = default;
    Line& operator=(Line&&) = delete;
    ~Line();
    remote::PlaneConnection& operator*() const { return *connection_; }
    remote::PlaneConnection* operator->() const { return connection_.get(); }

   private:
    Lines* from_;
    std::unique_ptr<remote::PlaneConnection> connection_;
  };
  Result<Line> Take();

 private:
  Lines(std::string url, net::HttpClientOptions options) : url_(std::move(url)), options_(std::move(options)) {}

  const std::string url_;
  const net::HttpClientOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<remote::PlaneConnection>> idle_;  ///< guarded by mutex_
};

}  // namespace writ::runner
