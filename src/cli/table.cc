#include "cli/table.h"

#include <algorithm>

#include "base/clock.h"
#include "base/escape.h"

namespace writ::cli {

std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string RenderTable(const std::vector<std::vector<std::string>>& rows, std::size_t columns) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::size_t used = 0;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool last = i + 1 == row.size();
      std::string_view cell = row[i];
      std::string cut;
      if (last && used + Width(cell) > columns && columns > used + 1) {
        std::size_t bytes = 0;
        for (std::size_t shown = 0; shown < columns - used - 1; ++shown) {
          ++bytes;
          while (bytes < cell.size() && (static_cast<unsigned char>(cell[bytes]) & 0xC0) == 0x80) ++bytes;
        }
        cut = std::string(cell.substr(0, bytes)) + "\u2026";
        cell = cut;
      }
      out += cell;
      if (!last) {
        out.append(widths[i] - Width(cell) + 2, ' ');
        used += widths[i] + 2;
      }
    }
    while (!out.empty() && out.back() == ' ') out.pop_back();
    out += '\n';
  }
  return out;
}

std::string ShortRunId(std::string_view run_id) {
  constexpr std::size_t kDigits = 8;
  if (run_id.starts_with("run_")) run_id.remove_prefix(4);
  return EscapeVisible(run_id.substr(0, kDigits));
}

std::string ShowTime(std::string_view timestamp) {
  if (!ParseTimestamp(timestamp)) return EscapeVisible(timestamp, 24);
  std::string shown(timestamp.substr(0, 19));
  shown[10] = ' ';
  return shown;
}

}  // namespace writ::cli
