// Nothing is read past the text and no argument is lost: there is one for each piece between separators.
#include "waf/body/urlencoded.h"

#include <algorithm>

#include "base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gatehouse;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Arena arena;
  std::vector<waf::NameValue> arguments;
  const waf::UrlencodedResult result = waf::parse_urlencoded(text, 64, arena, arguments);
  const auto separators = static_cast<std::size_t>(std::count(text.begin(), text.end(), '&'));
  const std::size_t pieces = separators + (!text.empty() && text.back() != '&' ? 1 : 0);
  GH_CHECK(arguments.size() == std::min<std::size_t>(pieces, 64));
  GH_CHECK(result.too_many == (pieces > 64));
  std::size_t bytes = 0;
  for (const waf::NameValue& argument : arguments) bytes += argument.name.size() + argument.value.size();
  GH_CHECK(bytes <= size);

  std::vector<waf::NameValue> cookies;
  waf::parse_cookies(text, 64, cookies);
  GH_CHECK(cookies.size() <= 64);
  for (const waf::NameValue& cookie : cookies) {
    GH_CHECK(!cookie.name.empty() && cookie.name.data() >= text.data());
    GH_CHECK(cookie.name.data() + cookie.name.size() <= text.data() + size);
    GH_CHECK(cookie.value.empty() || cookie.value.data() + cookie.value.size() <= text.data() + size);
  }
  return 0;
}
