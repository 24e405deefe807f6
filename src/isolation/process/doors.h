#pragma once

#include "base/error.h"
#include "isolation/backend.h"

namespace writ::isolation::process {

/// Makes the way out of a network namespace that has only `lo`: routes everything to `lo`, redirects every outgoing TCP
/// connection to a listener and every DNS question to the stub's, drops all else that is not for the namespace itself,
/// and opens the listeners. Call in the namespace, with CAP_NET_ADMIN and CAP_NET_BIND_SERVICE over it, before a guest
/// runs. Errors: kUnavailable when the kernel lacks nftables with redirection; the text says what.
/// Sources: rtnetlink(7), nft(8), Linux include/uapi/linux/netfilter/nf_tables.h.
Result<NetworkDoors> MakeDoors();

}  // namespace writ::isolation::process
