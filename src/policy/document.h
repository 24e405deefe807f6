#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "canon/json.h"
#include "policy/policy.h"
#include "policy/yaml.h"

namespace writ::policy {

/// A YAML policy as the `warrant.policy.v1` object that it stands for.
struct Document {
  canon::Json json;
  std::vector<Problem> problems;  ///< of form: unknown keys, wrong kinds of value; with positions
  struct Position {
    unsigned line = 0, column = 0;
  };
  std::map<std::string, Position, std::less<>> positions;  ///< path in the text -> place

  /// Gives a problem found in `json` the path that the text uses and the place of the nearest value around it.
  void Locate(Problem& problem) const;
};

/// Turns the tree of a YAML policy (docs/formats/policy.md) into JSON. Every member of the original protocol is
/// written, missing lists as empty ones, so that equal policies have equal hashes.
Document ConvertYaml(const YamlNode& root);

}  // namespace writ::policy
