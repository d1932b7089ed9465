#pragma once
// Names of users, groups, factors and events: ULIDs in lower case, which sort by time. No secrets: whoever has seen one
// may guess others.

#include <string>
#include <string_view>

#include "base/clock.h"

namespace gatehouse::identity {

std::string new_id(WallTime now);  // any thread
// Has it the form of one?
bool may_be_id(std::string_view text) noexcept;

}  // namespace gatehouse::identity
