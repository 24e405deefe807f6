#pragma once

#include <sys/types.h>

#include <string>

namespace writ::cli {

/// Login name of a uid, as contracts record who asked. Read from the passwd file directly: the C library's lookup
/// loads name service plugins, which a statically linked program cannot and a lean one should not. Users known only
/// to a directory service, and any name that is not plain, come out as "uid:1000".
std::string UserName(uid_t uid, const std::string& passwd_file = "/etc/passwd");

}  // namespace writ::cli
