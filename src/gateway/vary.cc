#include "gateway/vary.h"

#include <string>

namespace gatehouse::gateway {

void add_vary(Arena& arena, http::Fields& fields, std::string_view name) {
  if (fields.has_token("vary", name) || fields.has_token("vary", "*")) return;
  std::string names;
  for (const http::Field& field : fields) {
    if (field.name != "vary" || field.value.empty()) continue;
    names += field.value;
    names += ", ";
  }
  names += name;
  fields.set("vary", arena.copy(names));
}

}  // namespace gatehouse::gateway
