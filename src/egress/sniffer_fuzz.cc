#include "egress/sniffer.h"

#include <algorithm>
#include <cstdlib>

// Whatever the pieces it comes in, the same bytes are found to be the same, and what was decided stays decided.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace writ;
  using Kind = egress::Sniffer::Kind;
  if (size == 0) return 0;
  const std::size_t piece = data[0] % 64 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto host = net::NormaliseHost("ok.test");
  egress::Sniffer whole(*host, 4096), pieces(*host, 4096);
  whole.Add(bytes);
  const auto at_once = whole.Look();
  egress::Sniffer::Result last;
  for (std::size_t at = 0; at < bytes.size() && last.kind == Kind::kMore; at += piece) {
    pieces.Add(bytes.substr(at, piece));
    last = pieces.Look();
  }
  if (last.kind == Kind::kMore && at_once.kind != Kind::kMore && !bytes.empty()) std::abort();
  const bool known = last.kind == Kind::kPass || last.kind == Kind::kTls || last.kind == Kind::kHttp;
  // Too many bytes at once are refused where the first of them would have been enough.
  if (known && at_once.kind != last.kind && at_once.kind != Kind::kRefused) std::abort();
  if (last.kind == Kind::kRefused && last.rule.empty()) std::abort();
  return 0;
}
