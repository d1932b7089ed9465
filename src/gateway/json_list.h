#pragma once
// A list of texts in JSON.

#include "codec/json_writer.h"

namespace gatehouse::gateway {

// `before`: what stands in front of it: `,"roles":`.
template <class Texts>
void write_list(codec::JsonWriter& out, std::string_view before, const Texts& texts) {
  out.raw(before);
  out.raw("[");
  bool first = true;
  for (const std::string_view text : texts) {
    if (!first) out.raw(",");
    first = false;
    out.string(text);
  }
  out.raw("]");
}

}  // namespace gatehouse::gateway
