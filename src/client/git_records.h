#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace writ::client {

/// The members of a list that ends each with NUL, as git's -z writes it. Errors: kCorrupt when the last is cut.
Result<std::vector<std::string>> SplitNul(std::string_view text);

/// One changed path of `git diff-tree -r -z`.
struct ChangeRecord {
  std::string mode, object, path;  ///< what it is afterwards: six octal digits, object id
  char kind = 'M';                 ///< A, M, D, T
  bool operator==(const ChangeRecord&) const = default;
};
/// Reads records `:OLDMODE NEWMODE OLD NEW LETTER NUL PATH NUL`. Errors: kCorrupt.
/// Source: git-diff-tree(1), "RAW OUTPUT FORMAT".
Result<std::vector<ChangeRecord>> ReadChangeRecords(std::string_view text);

/// Reads contents by object id from the answer of `git cat-file --batch`: `OBJECT blob SIZE LF CONTENT LF`, repeated.
/// Errors: kCorrupt, also for an object that is missing or no blob. Source: git-cat-file(1), "BATCH OUTPUT".
Result<std::map<std::string, std::string>> ReadBatch(std::string_view text);

}  // namespace writ::client
