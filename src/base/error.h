#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace writ {

/// What a caller may branch on. The text is for people, never for branching.
enum class Code : std::uint8_t {
  kInvalid,      ///< the input is wrong; the same call will fail again
  kNotFound,     ///< the named thing does not exist
  kDenied,       ///< a rule or a permission forbids it
  kDeadline,     ///< the deadline passed first
  kExhausted,    ///< a limit, a quota or the disk is full
  kUnavailable,  ///< this host or peer cannot do it now
  kCorrupt,      ///< stored or received data contradicts itself
  kInternal      ///< a system call failed in a way the code does not know
};

/// Lower-case name of a code, for JSON and logs: "invalid", "not_found", ...
std::string_view CodeName(Code code);

/// A failure as a value: gathers context on the way up with Doing().
struct [[nodiscard]] Error {
  Code code = Code::kInternal;
  std::string what;

  /// Prepends the step that failed: "limit memory: openat memory.max: No such file or directory".
  Error Doing(std::string_view step) && {
    what.insert(0, fmt::format("{}: ", step));
    return std::move(*this);
  }
};

template <class T = void>
using Result = std::expected<T, Error>;

/// `return Fail(Code::kInvalid, "port {} is not in 1..65535", port);`
template <class... Args>
std::unexpected<Error> Fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

/// An Error from errno: "<what>: No such file or directory". The code follows the errno value
/// (ENOENT kNotFound, EACCES/EPERM kDenied, ENOSPC/EMFILE/... kExhausted, ENOSYS/EOPNOTSUPP kUnavailable, ...).
Error ErrnoError(int errno_value, std::string_view what);
std::unexpected<Error> FailErrno(std::string_view what);  ///< uses the current errno

}  // namespace writ

/// Yields the value of a Result or returns its error with the step prepended. Plain functions only.
#define WRIT_TRY(doing, expr)                                                              \
  __extension__({                                                                          \
    auto writ_result = (expr);                                                             \
    if (!writ_result) return std::unexpected(std::move(writ_result).error().Doing(doing)); \
    *std::move(writ_result);                                                               \
  })
