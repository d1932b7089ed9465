#pragma once
// Where people sign in, as a configuration says. Thread safety: pure functions.

#include <string>
#include <vector>

#include "gateway/config.h"

namespace gatehouse::gateway {

bool lets_sign_in(const Config& config);                     // does some route have `access.login`?
std::vector<std::string> login_hosts(const Config& config);  // of those routes, each once

}  // namespace gatehouse::gateway
