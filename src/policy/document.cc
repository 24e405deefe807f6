#include "policy/document.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/nearest.h"
#include "base/units.h"
#include "policy/schema.h"

namespace writ::policy {
namespace {

using canon::Json;
using Kind = YamlNode::Kind;

/// What one YAML value contributes to the base object and to the extension.
struct Parts {
  std::optional<Json> base, extension;
};

/// A plain decimal number: JSON's grammar, finite. Hexadecimal, octal, .inf and digit groups are not numbers here.
std::optional<double> ReadNumber(std::string_view text) {
  const bool starts_well = !text.empty() && text.front() >= '0' && text.front() <= '9';
  const bool leading_zero = text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
  if (!starts_well || leading_zero || text.back() == '.') return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

class Converter {
 public:
  explicit Converter(Document& document) : document_(document) {}

  void Root(const YamlNode& root) {
    document_.json = Json::Of({{"version", std::string(kPolicyVersion)}});
    Mark("", root.line, root.column);
    if (root.kind != Kind::kMapping) {
      Problem(root, "", "must be a mapping that starts with `version: 1`");
      return;
    }
    Version(root);
    Parts parts = Members(root, PolicyFields(), "", true);
    for (const auto& [name, value] : parts.base->object()) document_.json.Set(name, value);
    Json extension = Json::Of({{"v", 1}});
    for (const auto& [name, value] : parts.extension->object()) extension.Set(name, value);
    document_.json.Set("writ", std::move(extension));
  }

 private:
  void Problem(const YamlNode& node, const std::string& path, std::string text) {
    Problem(node.line, node.column, path, std::move(text));
  }
  void Problem(unsigned line, unsigned column, const std::string& path, std::string text, bool fatal = true) {
    const std::size_t before = document_.problems.size();
    Report(document_.problems, fatal, path, std::move(text));
    if (document_.problems.size() > before) {
      document_.problems.back().line = line;
      document_.problems.back().column = column;
    }
  }
  void Mark(const std::string& path, unsigned line, unsigned column) {
    document_.positions.emplace(path, Document::Position{line, column});
  }

  void Version(const YamlNode& root) {
    const auto version = std::ranges::find(root.members, "version", &YamlMember::name);
    if (version == root.members.end()) {
      Problem(root, "version", "is missing: a policy starts with `version: 1`");
    } else if (version->value.kind != Kind::kPlain || version->value.text != "1") {
      Problem(version->value, "version", "must be 1, the only version that is known here");
    }
  }

  /// Both parts are objects, also when empty.
  Parts Members(const YamlNode& node, std::span<const Field> fields, const std::string& path, bool root = false) {
    Parts parts{Json::MakeObject(), Json::MakeObject()};
    std::vector<std::string_view> known;
    if (root) known.push_back("version");
    for (const Field& field : fields) known.push_back(field.name);
    for (const YamlMember& member : node.members) {
      if (document_.problems.size() >= kProblemsMax) break;
      const auto field = std::ranges::find(fields, member.name, &Field::name);
      if (field == fields.end()) {
        if (root && member.name == "version") continue;
        Problem(member.line, member.column, MemberPath(path, member.name),
                "is not a key of a policy" + DidYouMean(member.name, known));
        continue;
      }
      const std::string member_path = MemberPath(path, field->name);
      Mark(member_path, member.line, member.column);
      Parts value = Value(member.value, *field, member_path);
      if (value.base) parts.base->Set(field->member, *std::move(value.base));
      if (value.extension) parts.extension->Set(field->member, *std::move(value.extension));
    }
    return parts;
  }

  Parts Value(const YamlNode& node, const Field& field, const std::string& path) {
    switch (field.shape) {
      case Shape::kMap:
        return Map(node, field, path);
      case Shape::kList:
        return List(node, field, path);
      case Shape::kTexts:
        return Leaf(field, Texts(node, field, path));
      default:
        return Leaf(field, Scalar(node, field, path));
    }
  }
  static Parts Leaf(const Field& field, std::optional<Json> value) {
    if (field.part == Part::kBase) return {std::move(value), std::nullopt};
    return {std::nullopt, std::move(value)};
  }

  Parts Map(const YamlNode& node, const Field& field, const std::string& path) {
    if (node.kind == Kind::kNull) return {};  // as if it were missing
    if (node.kind != Kind::kMapping) {
      Problem(node, path, "must be a mapping");
      return {};
    }
    Parts parts = Members(node, field.fields, path);
    if (!Belongs(field, Part::kBase)) parts.base.reset();
    if (!Belongs(field, Part::kExtension) || parts.extension->object().empty()) parts.extension.reset();
    return parts;
  }

  Parts List(const YamlNode& node, const Field& field, const std::string& path) {
    if (node.kind == Kind::kNull) return Leaf(field, EmptyList(node, field, path));
    if (node.kind != Kind::kSequence) {
      Problem(node, path, "must be a list");
      return {};
    }
    Json base = Json::MakeArray(), extension = Json::MakeArray();
    bool any_extension = field.part == Part::kExtension;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      const std::string item_path = ItemPath(path, i);
      Mark(item_path, item.line, item.column);
      if (item.kind != Kind::kMapping) {
        Problem(item, item_path, "must be a mapping");
        if (document_.problems.size() >= kProblemsMax) break;
        continue;
      }
      Parts parts = Members(item, field.fields, item_path);
      any_extension |= !parts.extension->object().empty();
      base.Append(*std::move(parts.base));
      extension.Append(*std::move(parts.extension));
    }
    Parts parts;
    if (Belongs(field, Part::kBase)) parts.base = std::move(base);
    if (any_extension) parts.extension = std::move(extension);
    return parts;
  }

  /// What a key without a value means where a list is expected.
  Json EmptyList(const YamlNode& node, const Field& field, const std::string& path) {
    if (field.null_widens) {
      Problem(node, path, "has no value; an empty list here would allow more, so write [] if that is meant");
    } else {
      Problem(node.line, node.column, path, "has no value and allows nothing; write [] if that is meant", false);
    }
    return Json::MakeArray();
  }

  std::optional<Json> Texts(const YamlNode& node, const Field& field, const std::string& path) {
    if (node.kind == Kind::kNull) return EmptyList(node, field, path);
    if (node.kind != Kind::kSequence) {
      Problem(node, path, "must be a list, such as [a, b]");
      return std::nullopt;
    }
    Json list = Json::MakeArray();
    for (std::size_t i = 0; i < node.items.size() && document_.problems.size() < kProblemsMax; ++i) {
      const std::string item_path = ItemPath(path, i);
      Mark(item_path, node.items[i].line, node.items[i].column);
      if (auto text = Text(node.items[i], field, item_path)) list.Append(*std::move(text));
    }
    return list;
  }

  std::optional<Json> Text(const YamlNode& node, const Field&, const std::string& path) {
    if (node.kind == Kind::kQuoted || node.kind == Kind::kPlain) return Json(node.text);
    Problem(node, path, "must be text");
    return std::nullopt;
  }

  std::optional<Json> Scalar(const YamlNode& node, const Field& field, const std::string& path) {
    if (field.shape == Shape::kText) return Text(node, field, path);
    if (node.kind != Kind::kPlain) {
      Problem(node, path, field.shape == Shape::kBool ? "must be true or false" : "must be a plain value, not quoted");
      return std::nullopt;
    }
    switch (field.shape) {
      case Shape::kBool:
        if (node.text == "true" || node.text == "false") return Json(node.text == "true");
        Problem(node, path, "must be true or false");
        return std::nullopt;
      case Shape::kLimit: {
        const LimitField* limit = FindLimit(field.name);
        const auto value = ParseLimit(*limit, node.text);
        if (value) return Json(*value);
        Problem(node, path, value.error().what);
        return std::nullopt;
      }
      case Shape::kSize: {
        const auto bytes = ParseSize(node.text);
        if (bytes) return Json(*bytes);
        Problem(node, path, bytes.error().what);
        return std::nullopt;
      }
      case Shape::kMillis: {
        const auto span = ParseDuration(node.text);
        if (span) return Json(span->count());
        Problem(node, path, span.error().what);
        return std::nullopt;
      }
      default: {
        if (const auto number = ReadNumber(node.text)) return Json(*number);
        Problem(node, path, "must be a plain decimal number");
        return std::nullopt;
      }
    }
  }

  Document& document_;
};

/// Writes what the original protocol expects in every policy.
void FillBase(Json& json) {
  const auto section = [&](std::string_view name) {
    const Json* found = json.Find(name);
    return found != nullptr && found->is_object() ? *found : Json::MakeObject();
  };
  const auto fill = [&](std::string_view name, std::initializer_list<Json::Member> defaults) {
    Json object = section(name);
    for (const auto& [member, value] : defaults) {
      if (object.Find(member) == nullptr) object.Set(member, value);
    }
    json.Set(name, std::move(object));
  };
  const Json empty = Json::MakeArray();
  fill("runners", {{"allowPools", empty}});
  fill("agents", {{"allow", empty}});
  fill("network", {{"defaultDeny", true}, {"allowHosts", empty}});
  fill("secrets", {{"releasable", empty}});
  fill("budget", {{"maxSpendUsd", 0}, {"maxDurationMin", 0}});
  fill("retention", {{"receiptsDays", 365}, {"artifactsDays", 90}});
  for (const std::string_view list : {"dataClasses", "consent"}) {
    if (json.Find(list) == nullptr) json.Set(list, empty);
  }
}

}  // namespace

void Document::Locate(Problem& problem) const {
  if (problem.line != 0) return;
  if (problem.path.starts_with("writ.")) problem.path.erase(0, 5);
  std::string path = problem.path;
  for (;;) {
    if (const auto found = positions.find(path); found != positions.end()) {
      problem.line = found->second.line;
      problem.column = found->second.column;
      return;
    }
    if (path.empty()) return;
    const std::size_t cut = path.find_last_of(".[");
    path.resize(cut == std::string::npos ? 0 : cut);
  }
}

Document ConvertYaml(const YamlNode& root) {
  Document document;
  Converter(document).Root(root);
  FillBase(document.json);
  return document;
}

}  // namespace writ::policy
