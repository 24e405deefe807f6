#pragma once

#include <string>
#include <string_view>

namespace writ::cli {

/// Makes a job's output safe for a person's terminal while it streams. Passed through: text, newline, tab, carriage
/// return, and colours (SGR sequences, except concealed text). Everything else that a terminal would obey or that
/// hides text is written visibly, as `\u{1b}` or `\x{9b}`: cursor movement, titles, clipboard (OSC 52), links (OSC 8),
/// queries that make a terminal type an answer, C1 controls, bidirectional and invisible characters. Joiners and
/// variation selectors stay, because scripts and emoji need them. Bytes may be cut anywhere between two calls.
/// Source: ECMA-48; XTerm Control Sequences.
class TerminalFilter {
 public:
  /// Appends the safe form of `bytes` to `out`: at most eight bytes for each one read.
  void Append(std::string_view bytes, std::string& out);
  /// Appends what was held back because it may have been the beginning of a sequence, and ends colours.
  void Finish(std::string& out);

 private:
  std::string held_;      ///< an incomplete UTF-8 or SGR sequence; bounded by kHeldMax
  bool coloured_ = false; ///< a colour was switched on and not reset
};

/// The safe form of a whole text.
std::string SafeForTerminal(std::string_view text);

}  // namespace writ::cli
