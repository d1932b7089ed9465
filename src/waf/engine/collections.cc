#include "waf/engine/collections.h"

namespace gatehouse::waf {

ValueSource source_of(Variable variable, std::string_view key) noexcept {
  switch (variable) {
    case Variable::args: return {{ValueList::args_get, ValueList::args_post}, 2, false};
    case Variable::args_names: return {{ValueList::args_get, ValueList::args_post}, 2, true};
    case Variable::args_get: return {{ValueList::args_get}, 1, false};
    case Variable::args_get_names: return {{ValueList::args_get}, 1, true};
    case Variable::args_post: return {{ValueList::args_post}, 1, false};
    case Variable::args_post_names: return {{ValueList::args_post}, 1, true};
    case Variable::request_cookies: return {{ValueList::cookies}, 1, false};
    case Variable::request_cookies_names: return {{ValueList::cookies}, 1, true};
    case Variable::request_headers: return {{ValueList::request_headers}, 1, false};
    case Variable::request_headers_names: return {{ValueList::request_headers}, 1, true};
    case Variable::response_headers: return {{ValueList::response_headers}, 1, false};
    case Variable::response_headers_names: return {{ValueList::response_headers}, 1, true};
    case Variable::files: return {{ValueList::files}, 1, false};
    case Variable::files_names: return {{ValueList::files}, 1, true};
    case Variable::multipart_part_headers: return {{ValueList::part_headers}, 1, false};
    case Variable::xml: return {{key == "//@*" ? ValueList::xml_attributes : ValueList::xml_texts}, 1, false};
    default: return {};
  }
}

void Collections::clear() noexcept {
  for (auto& list : lists_) list.clear();
  single_.fill(std::nullopt);
  times_.fill(0);
  time_ = 0;
}

std::size_t Collections::bytes() const noexcept {
  std::size_t sum = 0;
  for (const auto& list : lists_) sum += list.capacity() * sizeof(NameValue);
  return sum;
}

}  // namespace gatehouse::waf
