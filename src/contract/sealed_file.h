#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "crypto/sealed.h"

namespace writ::contract {

/// A `warrant.sealed.v1`: the JSON form of an encrypted box.
canon::Json ToJson(const crypto::SealedBox& box);
/// Errors: kCorrupt naming the member that is missing, no base64 or of a wrong version.
Result<crypto::SealedBox> DecodeSealed(const canon::Json& json);

/// Text of a sealed file. Errors: those of crypto::Seal.
Result<std::string> SealText(ByteView plaintext, const crypto::SecretBytes& master);
/// Opens the text of a sealed file. Errors: kCorrupt when it is none; kDenied for a wrong master or changed data.
Result<crypto::SecretBytes> OpenText(std::string_view text, const crypto::SecretBytes& master);

}  // namespace writ::contract
