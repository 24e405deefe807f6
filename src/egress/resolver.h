#pragma once

#include <memory>
#include <string>
#include <vector>

#include "egress/event_loop.h"
#include "net/ip_address.h"

namespace writ::egress {

/// A look-up under way; destroying it ends it without an answer.
class Lookup {
 public:
  virtual ~Lookup() = default;
};

class LookupOwner {
 public:
  virtual ~LookupOwner() = default;
  /// Once, on the loop's thread. Not empty; in the order in which to try them. Errors: kNotFound when the name has no
  /// address, kUnavailable when nobody answered properly, kDeadline. The look-up may be destroyed in here.
  virtual void OnResolved(Result<std::vector<net::IpAddress>> addresses) = 0;
};

/// Turns names into addresses, outside of the cell. Asked only for names that the rules grant.
class Resolver {
 public:
  virtual ~Resolver() = default;
  /// Starts a look-up of a normalised name. `owner` is borrowed until it was told or the Lookup is gone, and is never
  /// told from inside this call.
  virtual std::unique_ptr<Lookup> Resolve(EventLoop& loop, const std::string& name, MonoTime deadline,
                                          LookupOwner& owner) = 0;
};

/// A resolver that reads /etc/hosts and asks the name servers of /etc/resolv.conf, as they are now. Errors: those of
/// reading the files.
Result<std::unique_ptr<Resolver>> SystemResolver();

}  // namespace writ::egress
