#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"

namespace writ::secrets {

/// Values shorter than this are no secrets: they stand in ordinary text by accident.
inline constexpr std::size_t kSecretBytesMin = 4;
/// Bound of all values of one redactor together: the automaton takes a few hundred bytes per byte of a value.
inline constexpr std::size_t kRedactedBytesMax = 256 << 10;

struct RedactedValue {
  std::string_view name;
  ByteView value;
  std::string_view mark = {};  ///< what stands in for it; empty: `[redacted:NAME]`
};

/// The automaton that finds values and their encoded forms (docs/formats/secrets.md): plain, base64 and base64url at
/// every alignment, hex in both cases, percent- and form-encoded, escaped as JSON does, and each longer line of a
/// value of several lines. Built once per run, shared by its streams, never changed. Wiped on destruction.
/// Source: Aho and Corasick, "Efficient string matching", CACM 18(6), 1975.
class RedactionPatterns {
 public:
  /// Values shorter than kSecretBytesMin are left out. Errors: kExhausted over kRedactedBytesMax.
  static Result<std::shared_ptr<const RedactionPatterns>> Make(const std::vector<RedactedValue>& values);
  ~RedactionPatterns();
  RedactionPatterns(const RedactionPatterns&) = delete;
  RedactionPatterns& operator=(const RedactionPatterns&) = delete;

  bool empty() const { return nodes_.size() == 1; }
  std::size_t node_count() const { return nodes_.size(); }

 private:
  friend class Redactor;
  friend class PatternBuilder;
  static constexpr std::uint32_t kDenseNodes = 2048;  // the first levels: where text that is no secret stays
  struct Node {
    std::uint32_t fail = 0;
    std::uint32_t child = 0;    // first child; its siblings follow by `sibling`
    std::uint32_t sibling = 0;
    std::uint32_t depth = 0;
    std::uint32_t match = 0;    // bytes of the longest pattern that ends here; 0: none
    std::uint16_t name = 0;     // of that pattern
    std::uint8_t byte = 0;
    bool partial_after = false; // a base64 digit that follows belongs to the find
  };

  RedactionPatterns() = default;
  std::uint32_t Child(std::uint32_t node, std::uint8_t byte) const;
  std::uint32_t Step(std::uint32_t node, std::uint8_t byte) const {
    while (node >= kDenseNodes) {
      if (const std::uint32_t next = Child(node, byte); next != 0) return next;
      node = nodes_[node].fail;
    }
    return dense_[node * 256u + byte];
  }

  std::vector<Node> nodes_;           // in order of depth; 0 is the root
  std::vector<std::uint32_t> dense_;  // complete transitions of the first nodes
  std::vector<std::string> marks_;    // what stands in, by Node::name
};

/// Replaces what the patterns find in one stream by `[redacted:NAME]` or the mark given, in one pass and whatever the borders of the
/// pieces it comes in. Overlapping finds are replaced as one, under the name of the one that begins first (of several,
/// the longest). Everything else passes byte for byte. Only bytes that may be the beginning of a find are held back:
/// never more than the longest form of a value, and none of ordinary text.
class Redactor {
 public:
  using Sink = std::function<Result<>(ByteView)>;
  explicit Redactor(std::shared_ptr<const RedactionPatterns> patterns) : patterns_(std::move(patterns)) {}
  Redactor(Redactor&&) noexcept = default;
  ~Redactor();

  /// Errors: those of `sink` only; the stream must not be continued after one.
  Result<> Write(ByteView piece, const Sink& sink);
  /// The stream has ended: what was held back is not a secret.
  Result<> Finish(const Sink& sink);
  /// For a person who waits for a prompt: passes on what is held back if it is less than kSecretBytesMin bytes. If it
  /// turns out to begin a value, only the rest of that is replaced.
  Result<> ReleaseFew(const Sink& sink);
  /// The stream was cut off: what was held back may be the first part of a secret, so from kSecretBytesMin bytes on
  /// it is replaced. The redactor may be used for what follows.
  Result<> Cut(const Sink& sink);

  std::uint64_t found() const { return found_; }  ///< replacements so far
  std::size_t held() const { return held_.size(); }

 private:
  struct Find {
    std::uint64_t start, end;  // positions in the stream
    std::uint16_t name;
    bool marked;               // its replacement has been written already
  };
  void OnFind(std::uint64_t start, std::uint16_t name);
  Result<> Flush(std::uint64_t safe, ByteView window, std::uint64_t window_start, const Sink& sink);
  Result<> End(const Sink& sink);

  std::shared_ptr<const RedactionPatterns> patterns_;
  std::string held_;              // the bytes from `written_` on that were seen but not passed on
  std::uint64_t position_ = 0;    // bytes seen
  std::uint64_t written_ = 0;     // bytes passed on or replaced
  std::uint64_t replaced_ = 0;    // where the last replacement ended
  std::uint32_t state_ = 0;
  bool partial_after_ = false;    // a find ended with the last byte; a base64 digit that follows belongs to it
  std::vector<Find> finds_;       // not yet replaced, in order, not overlapping
  std::uint64_t found_ = 0;
};

/// The whole of a short text.
std::string RedactText(const std::shared_ptr<const RedactionPatterns>& patterns, std::string_view text);

}  // namespace writ::secrets
