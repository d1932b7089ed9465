#pragma once
// The tables of identity (schema.cc), as steps that the store applies.

#include <span>

#include "store/database.h"

namespace gatehouse::identity {

std::span<const store::Migration> migrations();
inline constexpr std::string_view kProduct = "identity";

}  // namespace gatehouse::identity
