#pragma once

#include "api/create_run.h"
#include "base/error.h"

namespace writ::api {

/// The first thing a request meets: bounds, names, paths that stay inside, limits that are not zero. What passes can
/// be put into a contract word for word; whether it may run is policy, and whether it can is the tier's answer.
/// Errors: kInvalid, naming the option's value and what would be right. Texts contain what was asked, so escape them.
Result<> CheckRequest(const CreateRun& request);

/// The name under /in: the given one, else the last component of the path. Empty when there is none.
std::string InputName(const InputRequest& input);

}  // namespace writ::api
