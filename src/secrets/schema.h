#pragma once
// The tables of the keyring (schema.cc), as steps that the store applies.

#include <span>

#include "store/database.h"

namespace gatehouse::secrets {

std::span<const store::Migration> migrations();
inline constexpr std::string_view kProduct = "secrets";

}  // namespace gatehouse::secrets
