#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "workspace/glob_segment.h"

namespace writ::workspace {

/// One file name pattern with the meaning it has for npm's minimatch with dot files included:
/// `*`, `?`, `[a-z]`, `[!..]`, `{a,b}`, `{1..3}`, `**`, `+(..)`, `*(..)`, `?(..)`, `@(..)`, inside a name also
/// `!(..)`; each leading `!` negates the whole, a leading `#` never matches. Case-sensitive. Without a `/` it is matched against the last component.
class Pattern {
 public:
  /// Errors: kInvalid for more than 512 characters, a NUL, or braces that expand to more than 4096 patterns.
  static Result<Pattern> Compile(std::string_view text);

  /// Time is bounded by pattern length times path length.
  bool Matches(std::string_view path) const;
  const std::string& text() const { return text_; }

 private:
  using Segments = std::vector<GlobSegment>;
  std::string text_;
  bool negated_ = false, never_ = false, last_component_only_ = false;
  std::optional<std::pair<std::string, std::string>> affixes_;  // what stands before and after the only star
  std::vector<Segments> alternatives_;  // one per brace expansion
};

/// Patterns in order; a path matches when one of them does.
class PatternList {
 public:
  /// Errors: kInvalid, naming the pattern; kExhausted for more than 10000.
  static Result<PatternList> Compile(const std::vector<std::string>& texts);
  bool Matches(std::string_view path) const;
  std::vector<std::string> texts() const;

 private:
  std::vector<Pattern> patterns_;
};

/// `.env`, `.env.*`, `*.pem`, `*.key`, `id_rsa*`, `id_ed25519*`.
const std::vector<std::string>& DefaultDenyPatterns();

}  // namespace writ::workspace
