#include "identity/users/login_parts.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace gatehouse::identity {

void add_methods(std::string& amr, std::string_view methods) {
  while (!methods.empty()) {
    const std::size_t end = methods.find(' ');
    const std::string method(methods.substr(0, end));
    methods.remove_prefix(end == std::string_view::npos ? methods.size() : end + 1);
    if (method.empty() || (" " + amr + " ").find(" " + method + " ") != std::string::npos) continue;
    if (!amr.empty()) amr += ' ';
    amr += method;
  }
}

LoginAnswer answer_to(const Error& error) {
  using Verdict = LoginAnswer::Verdict;
  switch (error.code) {
    case ErrorCode::conflict:
    case ErrorCode::not_found: return {Verdict::gone, LoginStep::password, {}};
    case ErrorCode::denied:
    case ErrorCode::invalid: return {Verdict::refused, LoginStep::password, {}};
    default: return {Verdict::unavailable, LoginStep::password, {}};
  }
}

std::string written_time(std::int64_t at_s) {
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(static_cast<std::time_t>(at_s)));
}

}  // namespace gatehouse::identity
