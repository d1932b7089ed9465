#include "app/commands/printed_table.h"

namespace gatehouse::app {

std::string joined(const codec::Json& object, std::string_view name) {
  std::string list;
  for (const codec::Json& one : list_of(object, name)) {
    if (!list.empty()) list += ',';
    list += one.string().value_or("");
  }
  return list;
}

std::string short_time(const codec::Json& object, std::string_view name) {
  std::string time(text_of(object, name).substr(0, 16));
  if (time.size() == 16) time[10] = ' ';
  return time;
}

}  // namespace gatehouse::app
