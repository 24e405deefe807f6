#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/context.h"
#include "client/evidence.h"
#include "client/plane_settings.h"
#include "contract/bundle.h"
#include "remote/plane_connection.h"

namespace writ::cli {

/// The plane that a command talks to: found by the options every such command has, opened, with what its bundles have
/// to be signed by. Files are read when it is opened; nothing is connected before the first call.
class PlaneLink {
 public:
  /// Errors: kInvalid when no plane is named or an option is wrong; kDenied for files that others may read, and for a
  /// token that would travel in clear to another machine.
  static Result<PlaneLink> Open(const Context& context);

  remote::PlaneConnection& plane() { return *plane_; }
  /// A connection of its own, for another thread. Errors: those of PlaneConnection::Open.
  Result<std::unique_ptr<remote::PlaneConnection>> Another() const;
  const client::PlaneTarget& target() const { return target_; }
  const client::PlaneTrust& trust() const { return trust_; }
  /// ` --plane X` for commands that are proposed to the reader; nothing when this plane is the default.
  std::string PlaneOption() const;
  /// Who asks: of the original's configuration, else the login name.
  std::string requested_by() const;
  const std::string& state_directory() const { return state_directory_; }

 private:
  PlaneLink() = default;
  client::PlaneTarget target_;
  client::PlaneTrust trust_;
  net::HttpClientOptions http_;
  std::string state_directory_;
  bool by_default_ = false;
  std::unique_ptr<remote::PlaneConnection> plane_;
};

/// The pins of options that name keys: key ids, or PEM files. Errors: kInvalid, and those of the files.
Result<std::vector<contract::Pin>> ReadPins(const std::vector<std::string_view>& keys);

/// The run that an operand names: client::FindRun.
Result<std::string> PlaneRunId(PlaneLink& link, std::string_view operand);

/// Whether the command line names a plane.
inline bool NamesPlane(const Context& context) { return context.invocation.Has("plane"); }

/// Opens the plane, then gives up what this process could do to its machine. Commands that still need their rights call
/// PlaneLink::Open alone.
Result<PlaneLink> OpenAndConfine(const Context& context);

}  // namespace writ::cli
