#pragma once

#include <termios.h>

#include <cstddef>
#include <memory>
#include <optional>

#include "base/error.h"
#include "isolation/backend.h"

namespace writ::cli {

bool IsTerminal(int fd);
/// Nothing when `fd` is no terminal or says 0.
std::optional<isolation::SessionSpec::Terminal> TerminalSize(int fd);
/// Columns for help and tables: the terminal's, within 60..120; 100 when `fd` is no terminal.
std::size_t TextColumns(int fd);
/// Columns for a table on stdout: a pipe gets whole commands, within reason.
std::size_t TableColumns();

/// Keys go to the job unread while it lives: no echo, no line editing, no signals. Destruction restores the terminal,
/// and so do the signals of a crash. At most one at a time.
class RawTerminal {
 public:
  /// `fd` is borrowed. Errors: from tcgetattr and tcsetattr.
  static Result<std::unique_ptr<RawTerminal>> Enter(int fd);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  RawTerminal() = default;
};

}  // namespace writ::cli
