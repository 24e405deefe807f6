#include "policy/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_set>

#include "base/utf8.h"

// The only file that knows yaml-cpp. That library reports errors by exceptions; none of them leaves ReadYaml.
namespace writ::policy {
namespace {

using Kind = YamlNode::Kind;

/// Thrown through the parser and caught in ReadYaml.
struct Refused {
  YamlError error;
};
[[noreturn]] void Refuse(std::string text, unsigned line, unsigned column) {
  throw Refused{{std::move(text), line, column}};
}

unsigned Line(const YAML::Mark& mark) { return mark.line < 0 ? 1 : static_cast<unsigned>(mark.line) + 1; }
unsigned Column(const YAML::Mark& mark) { return mark.column < 0 ? 1 : static_cast<unsigned>(mark.column) + 1; }
[[noreturn]] void Refuse(std::string text, const YAML::Mark& mark) {
  Refuse(std::move(text), Line(mark), Column(mark));
}

/// Builds the tree from the parser's events and refuses everything that is not plain data.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, const YamlLimits& limits) : text_(text), limits_(limits) {}

  YamlNode TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse("an alias is refused: a policy says everything where it is read", mark);
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override { RefuseAnchor(mark); }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    CheckProperties(mark, "", anchor);
    if (ExpectsName()) Refuse("a name is missing before the colon", mark);
    Add(Node(Kind::kNull, mark));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    CheckProperties(mark, tag, anchor);
    if (ExpectsName()) {
      TakeName(mark, tag, value);
      return;
    }
    YamlNode node = Node(tag == "?" ? Kind::kPlain : Kind::kQuoted, mark);
    node.text = value;
    Add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(Kind::kMapping, mark, tag, anchor);
  }
  void OnMapEnd() override { Close(); }

 private:
  /// A mapping or sequence that is not closed yet.
  struct Level {
    YamlNode node;
    YamlMember member;  ///< mappings: the name that waits for its value
    bool has_name = false;
    std::unordered_set<std::string> names;
  };

  bool ExpectsName() const {
    return !levels_.empty() && levels_.back().node.kind == Kind::kMapping && !levels_.back().has_name;
  }

  [[noreturn]] static void RefuseAnchor(const YAML::Mark& mark) {
    Refuse("an anchor is refused: a policy says everything where it is read", mark);
  }

  void CheckProperties(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != 0) RefuseAnchor(mark);
    // "?" is a plain scalar, "!" a quoted one or the tag "!", which only the text tells apart.
    const bool tagged = !tag.empty() && tag != "?" && tag != "!";
    const auto at = static_cast<std::size_t>(std::max(mark.pos, 0));
    if (tagged || (at < text_.size() && text_[at] == '!')) Refuse("a tag is refused: a policy is plain data", mark);
  }

  YamlNode Node(Kind kind, const YAML::Mark& mark) {
    if (++nodes_ > limits_.nodes_max) {
      Refuse(fmt::format("the document has more than {} values", limits_.nodes_max), mark);
    }
    YamlNode node;
    node.kind = kind;
    node.line = Line(mark);
    node.column = Column(mark);
    return node;
  }

  void TakeName(const YAML::Mark& mark, const std::string& tag, const std::string& name) {
    Level& level = levels_.back();
    if (tag == "?" && name == "<<") Refuse("a merge key is refused: a policy says everything where it is read", mark);
    if (!level.names.insert(name).second) Refuse(fmt::format("\"{}\" stands here twice", name), mark);
    level.member = {.name = name, .line = Line(mark), .column = Column(mark), .value = {}};
    level.has_name = true;
  }

  void Open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    CheckProperties(mark, tag, anchor);
    if (ExpectsName()) Refuse("a name must be text, not a list or a mapping", mark);
    if (levels_.size() >= limits_.depth_max) {
      Refuse(fmt::format("the document is nested more than {} levels deep", limits_.depth_max), mark);
    }
    Level level;
    level.node = Node(kind, mark);
    levels_.push_back(std::move(level));
  }

  void Close() {
    YamlNode node = std::move(levels_.back().node);
    levels_.pop_back();
    Add(std::move(node));
  }

  void Add(YamlNode node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == Kind::kSequence) {
      level.node.items.push_back(std::move(node));
      return;
    }
    level.member.value = std::move(node);
    level.node.members.push_back(std::move(level.member));
    level.has_name = false;
  }

  std::string_view text_;
  YamlLimits limits_;
  std::vector<Level> levels_;
  YamlNode root_;
  std::size_t nodes_ = 0;
};

/// Characters with which the text would read differently from what it says: controls, and those that turn the
/// reading direction.
bool IsDeceptive(char32_t code) {
  if (code < 0x20) return code != '\n' && code != '\t' && code != '\r';
  return (code >= 0x7F && code <= 0x9F) || code == 0x061C || (code >= 0x200E && code <= 0x200F) ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

/// Refuses what the parser would accept, or guess about, before it sees the text.
void CheckText(std::string_view text) {
  unsigned line = 1, column = 1;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = DecodeUtf8(text, at);
    if (!step.valid) Refuse("the text is not valid UTF-8", line, column);
    if (IsDeceptive(step.code)) {
      Refuse(fmt::format("the character U+{:04X} is refused, in comments too", static_cast<std::uint32_t>(step.code)),
             line, column);
    }
    if (column == 1 && step.code == '%') Refuse("a directive is refused: write plain YAML 1.2", line, column);
    if (step.code == '\n') {
      ++line;
      column = 1;
    } else {
      ++column;
    }
    at += step.bytes;
  }
}

}  // namespace

std::expected<YamlNode, YamlError> ReadYaml(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return std::unexpected(YamlError{fmt::format("the document is longer than {} bytes", limits.bytes_max), 0, 0});
  }
  try {
    CheckText(text);
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    TreeBuilder builder(text, limits);
    if (!parser.HandleNextDocument(builder)) {
      return std::unexpected(YamlError{"the document is empty", 1, 1});
    }
    YamlNode root = builder.TakeRoot();
    TreeBuilder second(text, limits);
    if (parser.HandleNextDocument(second)) {
      const YamlNode extra = second.TakeRoot();
      return std::unexpected(YamlError{"a second document is refused", extra.line, extra.column});
    }
    return root;
  } catch (const Refused& refused) {
    return std::unexpected(refused.error);
  } catch (const YAML::Exception& exception) {
    return std::unexpected(YamlError{exception.msg, Line(exception.mark), Column(exception.mark)});
  } catch (const std::exception& exception) {
    return std::unexpected(YamlError{fmt::format("cannot be read: {}", exception.what()), 0, 0});
  }
}

}  // namespace writ::policy
