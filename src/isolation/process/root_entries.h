#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/error.h"

// Single entries of a root file system that is being built: `path` is relative to the directory `at`, which nobody else can
// reach yet.
namespace writ::isolation::process {

/// One that exists already is fine.
Result<> MakeDirectory(int at, const char* path, mode_t mode = 0755);
Result<> MakeFile(int at, const char* path, std::string_view text);
/// An empty file for something to be mounted on.
Result<> MakeMountPoint(int at, const char* path);
Result<> MakeLink(int at, const char* target, const char* path);

/// Shows the host's `from` (absolute) at `to` below `at`, read-only, as file, directory or link, as it is outside.
/// What the host lacks is left out.
Result<> ShowHostEntry(int at, const std::string& from, const char* to);

}  // namespace writ::isolation::process
