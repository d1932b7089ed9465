// Whatever a request that the gateway's parser lets pass: the same rules fire as in libmodsecurity, or the difference
// is one of those in known_differences_for_tests.h. The rules are a Core Rule Set at paranoia 4, the one that
// rules_for_tests.h finds: without one there is nothing to compare.
//
// An input is a request as it stands on the wire; a zero byte splits it from an upstream's answer. With
// GATEHOUSE_LONG=1 the engine has its plan, which takes a minute to make the first time; otherwise it runs rule by
// rule. GATEHOUSE_FUZZ_RULES=debian takes Debian's rules though the others are here.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "http/http1_parser.h"
#include "waf/differential/fuzzed_exchange_for_tests.h"
#include "waf/differential/known_differences_for_tests.h"
#include "waf/differential/plan_cache_for_tests.h"

namespace {

using namespace gatehouse::waf;

std::unique_ptr<BothEngines> load() {
  const char* named = std::getenv("GATEHOUSE_FUZZ_RULES");
  const bool debian = crs_main().empty() || (named != nullptr && std::string_view(named) == "debian");
  std::string error;
  auto both = BothEngines::load(
      debian ? RuleSetUnderTest{"crs_debian", crs_debian, 4} : RuleSetUnderTest{"crs_main", crs_main, 4}, error);
  if (both == nullptr) {
    std::fprintf(stderr, "%s\n", error.empty() ? "no Core Rule Set is here: nothing is compared" : error.c_str());
    GH_CHECK(error.empty());
    return nullptr;
  }
  if (std::getenv("GATEHOUSE_LONG") != nullptr) {
    const std::string refused = both->use_plan(plan_cache_file(debian ? "both_debian" : "both_main"));
    if (!refused.empty()) std::fprintf(stderr, "%s\n", refused.c_str());
    GH_CHECK(refused.empty());
  }
  return both;
}

// What reaches the rules: a head that the gateway's own parser takes, and the body that it frames.
std::optional<Exchange> exchange_of(std::string_view bytes) {
  auto exchange = fuzzed_exchange(bytes);
  if (!exchange) return std::nullopt;
  exchange->request = framed(std::move(exchange->request));
  gatehouse::Arena arena;
  gatehouse::http::Http1Request parsed;
  const std::string text = exchange->request.text();
  if (gatehouse::http::parse_request_head(text, {}, arena, parsed).status != gatehouse::http::ParseStatus::complete)
    return std::nullopt;
  return exchange;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<BothEngines> both = load();
  if (both == nullptr) return 0;
  const auto exchange = exchange_of({reinterpret_cast<const char*>(data), size});
  if (!exchange) return -1;  // not worth keeping
  const Comparison comparison = compare_both(*both, *exchange);
  if (!comparison.unexplained.empty()) {
    std::fprintf(stderr, "only in ours (+), only in libmodsecurity (-):%s\n%s\n", comparison.unexplained.c_str(),
                 exchange->request.text().c_str());
    GH_CHECK(comparison.unexplained.empty());
  }
  return 0;
}
