#pragma once
// Serves the dashboard's page, style and script from the binary.
//
// Everything about it is for everybody: it holds nothing but what the source repository holds. What it shows comes from
// the API, for who is signed in.

#include <optional>

#include "admin/service_sink.h"

namespace gatehouse::admin {

// nullopt: the path is none of the dashboard's.
std::optional<Answer> dashboard_answer(const Call& call);
bool is_dashboard_path(std::string_view path) noexcept;

}  // namespace gatehouse::admin
