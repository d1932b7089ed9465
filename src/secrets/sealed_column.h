#pragma once
// Where sealed values are: what the owner of a record and whoever seals it anew must agree about.
//
// A table with sealed columns has a primary key of one column, and a column `version`.

#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse::secrets {

struct SealedColumn {
  enum class Id : std::uint8_t { text, bytes };  // of the primary key: in the path, bytes are hexadecimal
  std::string_view table, id, column;
  Id id_type = Id::text;

  // "users/01j…/profile_sealed": what the value is bound to, beside the row's version.
  std::string path(std::string_view id_value) const;
};

}  // namespace gatehouse::secrets
