#pragma once
// Objects and lists of the admin API's answers, as they are written.
//
// Thread safety: one owner. Invariant: an object is whole when its `Members` ends.

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "codec/json_writer.h"
#include "telemetry/render.h"

namespace gatehouse::admin {

// Writes the members of one object; commas take care of themselves.
class Members {
 public:
  explicit Members(codec::JsonWriter& json) : json_(json) { json_.raw("{"); }
  ~Members() { json_.raw("}"); }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  void name(std::string_view name) {
    json_.raw(first_ ? "" : ",");
    first_ = false;
    json_.string(name);
    json_.raw(":");
  }
  void text(std::string_view n, std::string_view value) { name(n), json_.string(value); }
  void number(std::string_view n, std::integral auto value) { name(n), json_.number(value); }
  void number(std::string_view n, double value) { name(n), json_.number(value); }
  void boolean(std::string_view n, bool value) { name(n), json_.boolean(value); }
  void time(std::string_view n, WallTime value) {
    char buffer[telemetry::kTimeBytes];
    text(n, telemetry::format_time(value, buffer));
  }
  void texts(std::string_view n, const std::vector<std::string>& values) {
    name(n);
    json_.raw("[");
    for (std::size_t i = 0; i < values.size(); ++i) {
      json_.raw(i == 0 ? "" : ",");
      json_.string(values[i]);
    }
    json_.raw("]");
  }

 private:
  codec::JsonWriter& json_;
  bool first_ = true;
};

template <class Values, class Write>
void write_list(codec::JsonWriter& json, const Values& values, Write write) {
  json.raw("[");
  bool first = true;
  for (const auto& value : values) {
    json.raw(first ? "" : ",");
    first = false;
    write(value);
  }
  json.raw("]");
}

}  // namespace gatehouse::admin
