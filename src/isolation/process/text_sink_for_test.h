#pragma once

#include <string>

#include "base/bytes.h"
#include "isolation/backend.h"

namespace writ::isolation::process {

/// Both streams of a guest, one after the other as they came.
struct TextSink final : OutputSink {
  Result<> Write(Stream, ByteView bytes) override {
    text += AsText(bytes);
    return {};
  }
  Result<> Truncated(Stream) override { return {}; }
  std::string text;
};

}  // namespace writ::isolation::process
