// The first byte chooses an operator, the first line behind it is its argument, the rest the value. The value ends
// where a page ends and the next one is forbidden: libinjection, PCRE2 and Vectorscan are not instrumented, yet reading
// past it is seen.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/check.h"
#include "waf/operator/injection.h"
#include "waf/operator/operator.h"
#include "waf/operator/phrases.h"
#include "waf/operator/regex.h"

namespace {

using namespace gatehouse::waf;

constexpr std::size_t kValueBytesMax = 1 << 16;

// A copy of `value` whose last byte is the last that may be read.
std::string_view at_the_edge(std::string_view value) {
  static char* const end = [] {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* memory = mmap(nullptr, kValueBytesMax + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    GH_CHECK(memory != MAP_FAILED);
    char* edge = static_cast<char*>(memory) + kValueBytesMax;
    GH_CHECK(mprotect(edge, page, PROT_NONE) == 0);
    return edge;
  }();
  char* begin = end - value.size();
  if (!value.empty()) std::memcpy(begin, value.data(), value.size());
  return {begin, value.size()};
}

void check_inside(const std::optional<Match>& match, std::string_view value) {
  GH_CHECK(!match || (match->offset <= value.size() && match->size <= value.size() - match->offset));
}

void fuzz_regex(std::string_view pattern, std::string_view value) {
  if (pattern.size() > 64) return;  // compiling long ones is PCRE2's affair
  const auto regex = Regex::compile(pattern);
  if (!regex) return;
  Captures captures;
  if (regex->match(value, &captures, 1000) != Regex::Outcome::match) return;
  for (const auto& capture : captures) check_inside(capture, value);
}

void fuzz_phrases(std::string_view list, std::string_view value) {
  std::vector<std::string> phrases;
  for (std::size_t start = 0; start < list.size() && phrases.size() < 8;) {
    const std::size_t end = std::min(list.find(' ', start), list.size());
    phrases.emplace_back(list.substr(start, end - start));
    start = end + 1;
  }
  const auto set = PhraseSet::compile(phrases);
  if (!set) return;
  const auto found = set->find(value);
  if (!found) return;
  check_inside(found->match, value);
  GH_CHECK(found->phrase < phrases.size() && found->match.size == phrases[found->phrase].size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > kValueBytesMax) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string_view argument = input.substr(0, line);
  const std::string_view value = at_the_edge(input.substr(std::min(line + 1, input.size())));
  constexpr auto kKinds = static_cast<unsigned>(OperatorKind::within) + 1;
  const auto kind = static_cast<OperatorKind>(data[0] % kKinds);
  if (is_textual(kind)) check_inside(match_textual(kind, argument, value), value);
  switch (kind) {
    case OperatorKind::detect_sqli:
      if (const auto found = detect_sqli(value)) GH_CHECK(!found->view().empty() && found->view().size() < 8);
      break;
    case OperatorKind::detect_xss: detect_xss(value); break;
    case OperatorKind::ip_match:
      if (const auto list = IpList::parse(argument)) list->matches(value);
      break;
    case OperatorKind::pm: fuzz_phrases(argument, value); break;
    case OperatorKind::rx: fuzz_regex(argument, value); break;
    case OperatorKind::validate_byte_range:
      if (const auto allowed = parse_byte_ranges(argument)) {
        const auto match = validate_byte_range(*allowed, value);
        check_inside(match, value);
        GH_CHECK(match.has_value() == std::any_of(value.begin(), value.end(), [&](char c) {
                   return !allowed->contains(static_cast<std::uint8_t>(c));
                 }));
      }
      break;
    default: break;
  }
  return 0;
}
