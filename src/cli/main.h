#pragma once

#include "cli/context.h"

namespace writ::cli {

/// The whole program: reads the command line, runs the command, returns the exit status.
int Main(int argc, char** argv, const Wiring& wiring);

}  // namespace writ::cli
