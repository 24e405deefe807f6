#include "base/error.h"

#include <cerrno>
#include <cstring>

namespace writ {
namespace {

Code CodeOfErrno(int value) {
  switch (value) {
    case EINVAL:
    case ENAMETOOLONG:
    case EISDIR:
    case ENOTDIR:
    case ELOOP:
    case EEXIST:
      return Code::kInvalid;
    case ENOENT:
    case ESRCH:
      return Code::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
    case EXDEV:
      return Code::kDenied;
    case ETIMEDOUT:
      return Code::kDeadline;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EFBIG:
      return Code::kExhausted;
    case ENOSYS:
    case EOPNOTSUPP:
    case ENODEV:
    case EAGAIN:
    case EBUSY:
    case ECONNREFUSED:
    case EPIPE:
    case ECONNRESET:
      return Code::kUnavailable;
    default:
      return Code::kInternal;
  }
}

}  // namespace

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kInvalid: return "invalid";
    case Code::kNotFound: return "not_found";
    case Code::kDenied: return "denied";
    case Code::kDeadline: return "deadline";
    case Code::kExhausted: return "exhausted";
    case Code::kUnavailable: return "unavailable";
    case Code::kCorrupt: return "corrupt";
    case Code::kInternal: return "internal";
  }
  return "internal";
}

Error ErrnoError(int errno_value, std::string_view what) {
  return Error{CodeOfErrno(errno_value), fmt::format("{}: {}", what, ::strerrordesc_np(errno_value) ?: "unknown error")};
}

std::unexpected<Error> FailErrno(std::string_view what) { return std::unexpected(ErrnoError(errno, what)); }

}  // namespace writ
