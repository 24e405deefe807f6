#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "canon/json.h"
#include "workspace/manifest.h"

namespace writ::session {

/// {type, mode, links, bytes, sha256?, target?}: one file in the records that stand beside a run
/// (docs/formats/records.md).
canon::Json EncodeFileState(const workspace::FileState& state);
/// Errors: kCorrupt, naming the member.
Result<workspace::FileState> DecodeFileState(const canon::Json& json);

// Members of records. Errors: kCorrupt, naming the member.
Result<std::string> RecordText(const canon::Json& object, std::string_view name);
Result<std::string> RecordPath(const canon::Json& object, std::string_view name);  ///< decoded by FromWirePath
Result<std::uint64_t> RecordCount(const canon::Json& object, std::string_view name);  ///< an integer below 2^53
Result<const canon::Json::Array*> RecordList(const canon::Json& object, std::string_view name);
Result<> CheckRecordVersion(const canon::Json& record, std::string_view version);

}  // namespace writ::session
