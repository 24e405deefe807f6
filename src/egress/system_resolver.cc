#include "egress/resolver.h"
#include "egress/resolver_files.h"
#include "egress/stub_resolver.h"

namespace writ::egress {

Result<std::unique_ptr<Resolver>> SystemResolver() {
  return std::make_unique<StubResolver>(WRIT_TRY("resolver", LoadResolverFiles()));
}

}  // namespace writ::egress
