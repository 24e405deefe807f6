#pragma once

#include <string_view>

namespace writ::sys {

/// Whether a swap area is listed in the text of /proc/swaps: a heading, then a line each. An empty text, as of a file
/// that could not be read, counts as yes: nothing is known then.
/// Source: proc(5).
bool ListsSwap(std::string_view proc_swaps);
/// The same of this host at this moment.
bool HostHasSwap();

}  // namespace writ::sys
