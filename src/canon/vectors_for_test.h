#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <iterator>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "canon/json.h"

/// Golden vectors as parameters of tests. Only for *_test.cc and benchmarks, which define WRIT_SOURCE_DIR.
namespace writ::test {

/// One case of a vector file. `problem` is not empty when the file could not be read; then the test must fail.
struct VectorCase {
  std::string name;  ///< a valid identifier, unique in the file
  canon::Json value;
  std::string problem;
};
inline void PrintTo(const VectorCase& vector_case, std::ostream* out) { *out << vector_case.name; }

/// The bytes of tests/vectors/warrant/<file>, or an empty string.
inline std::string VectorText(const std::string& file) {
  std::ifstream in(std::string(WRIT_SOURCE_DIR "/tests/vectors/warrant/") + file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The parsed file; null (and a test failure when inside a test) if it is missing or broken.
inline canon::Json VectorFile(const std::string& file) {
  auto parsed = canon::Parse(VectorText(file), canon::Mode::kStrict);
  if (!parsed) {
    ADD_FAILURE() << "vector file " << file << ": " << parsed.error().what;
    return {};
  }
  return *std::move(parsed);
}

/// The members of the array `list` of a vector file, named by their "name", "input" or position.
inline std::vector<VectorCase> VectorCases(const std::string& file, const std::string& list) {
  auto parsed = canon::Parse(VectorText(file), canon::Mode::kStrict);
  if (!parsed) return {{"missing", {}, "vector file " + file + ": " + parsed.error().what}};
  const canon::Json* items = parsed->Find(list);
  if (items == nullptr || !items->is_array() || items->array().empty()) {
    return {{"missing", {}, "vector file " + file + " has no cases under " + list}};
  }
  std::vector<VectorCase> cases;
  std::set<std::string> names;
  for (const canon::Json& item : items->array()) {
    const std::string* label = item.FindString("name");
    if (label == nullptr) label = item.FindString("input");
    std::string name;
    for (const char c : label == nullptr ? std::string() : label->substr(0, 80)) {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
        name += c;
      } else if (!name.empty() && name.back() != '_') {
        name += '_';
      }
    }
    while (name.ends_with('_')) name.pop_back();
    if (name.empty() || !names.insert(name).second) {
      name += (name.empty() ? "case_" : "_") + std::to_string(cases.size());
      names.insert(name);
    }
    cases.push_back({name, item, {}});
  }
  return cases;
}

inline std::string VectorCaseName(const testing::TestParamInfo<VectorCase>& info) { return info.param.name; }

}  // namespace writ::test
