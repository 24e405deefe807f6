#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace writ::policy {

struct YamlNode;
struct YamlMember;

/// One node of a YAML document, with its place. Scalars keep their text; what it means is the reader's business.
struct YamlNode {
  enum class Kind : std::uint8_t { kNull, kPlain, kQuoted, kSequence, kMapping };
  Kind kind = Kind::kNull;
  unsigned line = 0, column = 0;    ///< 1-based
  std::string text;                 ///< scalars
  std::vector<YamlNode> items;      ///< sequences
  std::vector<YamlMember> members;  ///< mappings, in document order; names are unique
};
struct YamlMember {
  std::string name;
  unsigned line = 0, column = 0;  ///< of the name
  YamlNode value;
};

struct YamlError {
  std::string text;
  unsigned line = 0, column = 0;
};

struct YamlLimits {
  std::size_t bytes_max = 1u << 20;
  std::size_t depth_max = 16;
  std::size_t nodes_max = 100000;
};

/// Reads one YAML document into plain data. Refused with line and column: duplicate names, anchors, aliases, merge
/// keys, tags, directives, several documents, names that are not plain text, control characters, and anything over
/// the limits. No exception of the YAML library leaves this function.
std::expected<YamlNode, YamlError> ReadYaml(std::string_view text, const YamlLimits& limits = {});

}  // namespace writ::policy
