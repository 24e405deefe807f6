#pragma once

#include "api/create_run.h"
#include "base/error.h"
#include "contract/contract.h"
#include "crypto/ed25519.h"
#include "session/materialise.h"

namespace writ::api {

/// Ties what a contract only names to the approval of a run that waits: sets `writ.bound` (docs/formats/writ.md), so that
/// another value of a variable of the caller's environment, or another directory as root, is another digest and asks again.
/// `environment` is a digest under the machine's own key: it tells nobody a value and is compared here only. `root` covers
/// which directory it is and the names, kinds, owners, modes and times of its topmost entries, not what is below them.
/// Precondition: the draft has its nonce. Does nothing for a run that has neither.
/// Errors: kUnavailable when the root cannot be listed.
Result<> BindToApproval(contract::Contract& draft, const CreateRun& request, const session::Materialised& given,
                        const crypto::PrivateKey& key);

}  // namespace writ::api
