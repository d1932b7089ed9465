#include "gateway/accept_encoding.h"

#include <algorithm>
#include <string>

#include "waf/body/content_coding.h"

namespace gatehouse::gateway {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

void keep_read_codings(Arena& arena, http::Fields& fields) {
  std::string kept;
  bool any = false;
  for (const http::Field& field : fields) {
    if (field.name != "accept-encoding") continue;
    any = true;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::string_view element = list.substr(0, list.find(','));
      list.remove_prefix(std::min(element.size() + 1, list.size()));
      const std::string_view name = trimmed(element.substr(0, element.find(';')));
      if (name.empty() || waf::content_coding_of(name) == waf::ContentCoding::unknown) continue;
      kept.append(kept.empty() ? "" : ", ").append(trimmed(element));
    }
  }
  if (any) fields.set("accept-encoding", kept.empty() ? std::string_view("identity") : arena.copy(kept));
}

}  // namespace gatehouse::gateway
