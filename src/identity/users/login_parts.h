#pragma once
// What the parts of a login share. For users/*.cc alone.

#include <string>
#include <string_view>

#include "identity/users/authentication.h"

namespace gatehouse::identity {

// Adds those of `methods` (separated by spaces) that `amr` doesn't have.
void add_methods(std::string& amr, std::string_view methods);

// What an error of the store means at a page.
LoginAnswer answer_to(const Error& error);

std::string written_time(std::int64_t at_s);  // "2026-01-02 03:04 UTC"

}  // namespace gatehouse::identity
