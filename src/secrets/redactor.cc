#include "secrets/redactor.h"

#include <algorithm>
#include <utility>

#include "crypto/secret.h"
#include "secrets/encodings.h"

namespace writ::secrets {
namespace {

bool IsBase64Digit(std::uint8_t c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
         c == '-' || c == '_';
}

}  // namespace

/// Makes the automaton: a trie first, then nodes in order of depth with failure links.
class PatternBuilder {
 public:
  using Node = RedactionPatterns::Node;

  PatternBuilder() { trie_.emplace_back(); }
  ~PatternBuilder() { WipeNodes(trie_); }

  void Add(const Form& form, std::uint16_t name) {
    // Too short to be told from other text; such a form belongs to a value that is refused, or is half of one.
    if (form.text.size() < kSecretBytesMin) return;
    std::uint32_t at = 0;
    for (const char c : form.text) at = ChildOrNew(at, static_cast<std::uint8_t>(c));
    Node& end = trie_[at];
    if (end.match == 0) {
      end.match = static_cast<std::uint32_t>(form.text.size());
      end.name = name;
    }
    end.partial_after |= form.partial_after;
  }

  void Finish(RedactionPatterns& patterns) {
    std::vector<std::uint32_t> order{0}, place(trie_.size(), 0);
    order.reserve(trie_.size());
    for (std::size_t i = 0; i < order.size(); ++i) {
      place[order[i]] = static_cast<std::uint32_t>(i);
      for (std::uint32_t child = trie_[order[i]].child; child != 0; child = trie_[child].sibling) order.push_back(child);
    }
    auto& nodes = patterns.nodes_;
    nodes.reserve(order.size());
    for (const std::uint32_t old : order) {
      Node node = trie_[old];
      node.child = place[node.child];      // the root's place is 0, which also means none
      node.sibling = place[node.sibling];
      nodes.push_back(node);
    }
    const std::size_t dense = std::min<std::size_t>(nodes.size(), RedactionPatterns::kDenseNodes);
    patterns.dense_.assign(dense * 256, 0);
    // In order of depth: the failure link of a node is ready before the node's children need it.
    for (std::uint32_t parent = 0; parent < nodes.size(); ++parent) {
      if (parent < dense && parent != 0) {
        const auto from = patterns.dense_.begin() + nodes[parent].fail * 256;
        std::copy(from, from + 256, patterns.dense_.begin() + parent * 256);
      }
      for (std::uint32_t child = nodes[parent].child; child != 0; child = nodes[child].sibling) {
        Node& node = nodes[child];
        node.fail = parent == 0 ? 0 : patterns.Step(nodes[parent].fail, node.byte);
        if (const Node& fail = nodes[node.fail]; node.match == 0 && fail.match != 0) {
          node.match = fail.match, node.name = fail.name, node.partial_after = fail.partial_after;
        }
        if (parent < dense) patterns.dense_[parent * 256 + node.byte] = child;
      }
    }
  }

 private:
  static void WipeNodes(std::vector<Node>& nodes) {
    crypto::Wipe(std::span(reinterpret_cast<std::uint8_t*>(nodes.data()), nodes.size() * sizeof(Node)));
  }
  friend class RedactionPatterns;

  std::uint32_t ChildOrNew(std::uint32_t parent, std::uint8_t byte) {
    for (std::uint32_t child = trie_[parent].child; child != 0; child = trie_[child].sibling) {
      if (trie_[child].byte == byte) return child;
    }
    Node node;
    node.byte = byte;
    node.depth = trie_[parent].depth + 1;
    node.sibling = trie_[parent].child;
    const auto fresh = static_cast<std::uint32_t>(trie_.size());
    if (trie_.size() == trie_.capacity()) {  // growing by itself would leave a copy behind
      std::vector<Node> larger;
      larger.reserve(trie_.size() * 2);
      larger.assign(trie_.begin(), trie_.end());
      WipeNodes(trie_);
      trie_ = std::move(larger);
    }
    trie_.push_back(node);
    trie_[parent].child = fresh;
    return fresh;
  }

  std::vector<Node> trie_;
};

Result<std::shared_ptr<const RedactionPatterns>> RedactionPatterns::Make(const std::vector<RedactedValue>& values) {
  std::size_t bytes = 0;
  for (const auto& value : values) bytes += value.value.size();
  if (bytes > kRedactedBytesMax || values.size() > 4096) {
    return Fail(Code::kExhausted, "{} secrets of {} bytes are too many for one run; at most {} bytes together",
                values.size(), bytes, kRedactedBytesMax);
  }
  std::shared_ptr<RedactionPatterns> patterns(new RedactionPatterns);
  PatternBuilder builder;
  for (const auto& value : values) {
    if (value.value.size() < kSecretBytesMin) continue;
    const auto name = static_cast<std::uint16_t>(patterns->marks_.size());
    patterns->marks_.push_back(value.mark.empty() ? "[redacted:" + std::string(value.name) + "]" : std::string(value.mark));
    ForEachForm(value.value, [&](const Form& form) { builder.Add(form, name); });
  }
  builder.Finish(*patterns);
  return patterns;
}

RedactionPatterns::~RedactionPatterns() {
  PatternBuilder::WipeNodes(nodes_);
  crypto::Wipe(std::span(reinterpret_cast<std::uint8_t*>(dense_.data()), dense_.size() * sizeof(dense_[0])));
}

std::uint32_t RedactionPatterns::Child(std::uint32_t node, std::uint8_t byte) const {
  for (std::uint32_t child = nodes_[node].child; child != 0; child = nodes_[child].sibling) {
    if (nodes_[child].byte == byte) return child;
  }
  return 0;
}

Redactor::~Redactor() { crypto::Wipe(held_); }

/// A find from `start` up to here.
void Redactor::OnFind(std::uint64_t start, std::uint16_t name) {
  Find find{start, position_, name, false};
  find.marked = find.start < replaced_;  // goes on where a replaced one ended
  find.start = std::max(find.start, written_);
  while (!finds_.empty() && finds_.back().end > find.start) {
    const Find& last = finds_.back();
    if (last.start < find.start) find.start = last.start, find.name = last.name;
    find.marked |= last.marked;
    finds_.pop_back();
  }
  finds_.push_back(find);
}

/// Passes on everything that no find beginning at or after `safe` can change. `window` holds the bytes of the stream
/// from `window_start` on.
Result<> Redactor::Flush(std::uint64_t safe, ByteView window, std::uint64_t window_start, const Sink& sink) {
  const auto pass = [&](std::uint64_t upto) -> Result<> {
    if (upto <= written_) return {};
    const auto piece = window.subspan(written_ - window_start, upto - written_);
    written_ = upto;
    return sink(piece);
  };
  std::size_t done = 0;
  // Where a find begins is settled before it is settled where those that overlap it end: what follows is left out.
  for (; done < finds_.size() && (finds_[done].end <= safe || finds_[done].start < safe); ++done) {
    const Find find = finds_[done];
    if (auto passed = pass(find.start); !passed) return passed;
    written_ = replaced_ = find.end;
    if (find.marked) continue;
    ++found_;
    if (auto passed = sink(AsBytes(patterns_->marks_[find.name])); !passed) return passed;
  }
  finds_.erase(finds_.begin(), finds_.begin() + static_cast<std::ptrdiff_t>(done));
  return pass(finds_.empty() ? safe : std::min(safe, finds_.front().start));
}

Result<> Redactor::Write(ByteView piece, const Sink& sink) {
  if (patterns_ == nullptr || patterns_->empty()) return piece.empty() ? Result<>() : sink(piece);
  std::string joined;  // only when something was held back
  if (!held_.empty()) {
    joined.reserve(held_.size() + piece.size());
    joined += held_;
    joined += AsText(piece);
    crypto::Wipe(held_);
  }
  const ByteView window = joined.empty() ? piece : AsBytes(joined);
  const std::uint64_t window_start = position_ + piece.size() - window.size();
  const auto& nodes = patterns_->nodes_;
  std::uint32_t state = state_;
  for (const std::uint8_t byte : piece) {
    if (partial_after_) {
      partial_after_ = false;
      ++position_;
      if (IsBase64Digit(byte)) OnFind(position_ - 2, 0);
      --position_;
    }
    state = patterns_->Step(state, byte);
    ++position_;
    if (nodes[state].match != 0) {
      OnFind(position_ - nodes[state].match, nodes[state].name);
      partial_after_ = nodes[state].partial_after;
    }
  }
  state_ = state;
  // Later finds begin in what the automaton still remembers; one that ended just now may take one byte more.
  const std::uint64_t safe = position_ - nodes[state].depth;
  Result<> flushed = Flush(safe, window, window_start, sink);
  if (flushed) held_.assign(AsText(window.subspan(std::min(written_ - window_start, window.size()))));
  crypto::Wipe(joined);
  return flushed;
}

Result<> Redactor::ReleaseFew(const Sink& sink) {
  if (held_.empty() || held_.size() >= kSecretBytesMin || !finds_.empty()) return {};
  written_ = position_;
  std::string few = std::exchange(held_, {});
  return sink(AsBytes(few));
}

Result<> Redactor::End(const Sink& sink) {
  std::string rest = std::exchange(held_, {});
  Result<> flushed = Flush(position_, AsBytes(rest), position_ - rest.size(), sink);
  crypto::Wipe(rest);
  state_ = 0;
  partial_after_ = false;
  return flushed;
}

Result<> Redactor::Finish(const Sink& sink) {
  if (patterns_ == nullptr || patterns_->empty()) return {};
  return End(sink);
}

Result<> Redactor::Cut(const Sink& sink) {
  if (patterns_ == nullptr || patterns_->empty()) return {};
  if (const auto& node = patterns_->nodes_[state_]; node.depth >= kSecretBytesMin) {
    std::uint32_t at = state_;  // any pattern that goes on from here names it
    while (patterns_->nodes_[at].match == 0) at = patterns_->nodes_[at].child;
    OnFind(position_ - node.depth, patterns_->nodes_[at].name);
  }
  return End(sink);
}

std::string RedactText(const std::shared_ptr<const RedactionPatterns>& patterns, std::string_view text) {
  std::string redacted;
  Redactor redactor(patterns);
  const Redactor::Sink sink = [&](ByteView piece) -> Result<> {
    redacted += AsText(piece);
    return {};
  };
  static_cast<void>(redactor.Write(AsBytes(text), sink));  // the sink cannot fail
  static_cast<void>(redactor.Finish(sink));
  return redacted;
}

}  // namespace writ::secrets
