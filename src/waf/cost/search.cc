#include "waf/cost/search.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "waf/characters.h"
#include "waf/regression/suite.h"

namespace gatehouse::waf {
namespace {

constexpr std::size_t kKnownMax = 40;
constexpr std::size_t kPiecesMax = 6;
constexpr std::size_t kPieceBytesMax = 96;
constexpr std::size_t kWordBytesMax = 64;
// What ends a value or an element and begins the next, what escapes and comments begin with, and what patterns count.
constexpr std::string_view kSigns[] = {
    "&",   "=",    "&a=",     "a&",     ";",    "; c=",     "\",\"a\":\"", "\":\"", "{\"a\":", "[",     "]",
    "<a>", "</a>", "<a b='",  "'>",     "<!--", "-->",      "<![",         "]]>",   "/*",      "*/",    "--",
    "#",   "%",    "%25",     "%u0027", "\\u",  "\\x41",    "\\",          "&#x41", "&#",      "&amp;", "&lt;",
    "../", "..\\", "./",      "//",     "${",   "}",        "$(",          "(",     ")",       "`",     "'",
    "\"",  "\n",   "\r\n",    "\t",     " ",    "\xc2\xa0", "\xc0\xae",    "\xff",  "\x01",    "1",     "0x",
    "or ", "and ", "select ", "union ", ",",    "1,",       "(1,",         "||",    "@@",      "a.",    "a ",
    "=a ", "a=\"", "{{",      "on",     "=",    ":"};

void take_words(std::string_view text, std::set<std::string>& words) {
  if (text.size() >= 2 && text.size() <= kWordBytesMax) words.emplace(text);
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && is_alphanumeric(text[i])) continue;
    if (i - begin >= 3 && i - begin <= kWordBytesMax) {
      words.emplace(text.substr(begin, i - begin));
      if (i < text.size()) words.emplace(text.substr(begin, i + 1 - begin));
      if (begin > 0) words.emplace(text.substr(begin - 1, i - begin + 1));
    }
    begin = i + 1;
  }
}

// The others set up and count: without them it would be another rule set.
bool looks_at_request(const CompiledRule& rule) {
  return !rule.source->is_action &&
         std::none_of(rule.targets.begin(), rule.targets.end(), [](const CompiledTarget& target) {
           return target.count || target.variable == Variable::tx || target.variable == Variable::ip;
         });
}

}  // namespace

std::vector<std::string> search_words(const Program& program, const std::string& tests_folder) {
  std::set<std::string> words;
  for (const CompiledRule& rule : program.rules()) {
    if (rule.op.kind == OperatorKind::rx || rule.op.kind == OperatorKind::contains) {
      take_words(rule.op.argument.literal(), words);
    } else if (rule.op.kind == OperatorKind::pm || rule.op.kind == OperatorKind::pm_from_file) {
      for (const std::string& phrase : rule.source->op.phrases) take_words(phrase, words);
    }
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tests_folder, error)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto tests = read_regression_tests(entry.path());
    if (!tests) continue;
    for (const RegressionTest& test : *tests) {
      for (const RegressionStage& stage : test.stages) {
        take_words(stage.request.uri, words);
        take_words(stage.request.body, words);
        for (const auto& [name, value] : stage.request.headers) take_words(value, words);
      }
    }
  }
  return {words.begin(), words.end()};
}

SlowSearch::SlowSearch(Meter& meter, std::vector<std::string> words, std::uint64_t seed)
    : meter_(meter), words_(std::move(words)), random_(seed) {
  if (words_.empty()) words_.emplace_back("a");
}

std::string SlowSearch::random_text() {
  switch (below(4)) {
    case 0: return words_[below(words_.size())];
    case 1: return std::string(kSigns[below(std::size(kSigns))]);
    case 2: return std::string(1, static_cast<char>(0x20 + below(0x5f)));
    default: return words_[below(words_.size())] + std::string(kSigns[below(std::size(kSigns))]);
  }
}

Payload SlowSearch::random_payload(Place place) {
  Payload payload{place, {}, 1, below(2) == 0};
  for (std::size_t count = 1 + below(3); count > 0; --count) {
    payload.pieces.push_back({random_text(), static_cast<std::uint8_t>(below(3))});
  }
  payload.pieces.push_back({random_text(), 1});
  if (below(2) == 0) payload.values = 1u << below(11);
  return payload;
}

void SlowSearch::change(Payload& payload, const std::vector<Known>& others) {
  std::vector<Piece>& pieces = payload.pieces;
  const std::size_t at = below(pieces.size());
  std::string& text = pieces[at].text;
  switch (below(12)) {
    case 0: payload.values = 1u << below(12); return;
    case 1: payload.raw = !payload.raw; return;
    case 2: pieces[at].weight = static_cast<std::uint8_t>(below(4)); return;
    case 3:
      pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(at),
                    {random_text(), static_cast<std::uint8_t>(below(2))});
      break;
    case 4:
      if (pieces.size() > 1) pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 5: text = random_text(); break;
    case 6: text += random_text(); break;
    case 7: text.insert(below(text.size() + 1), random_text()); break;
    case 8:
      if (text.size() > 1) text.erase(below(text.size()), 1 + below(text.size() / 2 + 1));
      break;
    case 9:
      if (!text.empty()) text[below(text.size())] = static_cast<char>(below(256));
      break;
    case 10: std::swap(pieces[at], pieces[below(pieces.size())]); break;
    default: {
      const std::vector<Piece>& other = others[below(others.size())].payload.pieces;
      pieces[at] = other[below(other.size())];
    }
  }
  if (pieces.size() > kPiecesMax) pieces.resize(kPiecesMax);
  for (Piece& piece : pieces) {
    if (piece.text.size() > kPieceBytesMax) piece.text.resize(kPieceBytesMax);
  }
}

SlowRequest SlowSearch::run(Place place, std::size_t bytes, double seconds) {
  std::vector<Known> known;
  SlowRequest worst;
  worst.bytes = bytes;
  worst.ordinary_ns = meter_.least_ns(ordinary(place, bytes), 9);
  double spent_ns = 0;
  while (spent_ns < seconds * 1e9 || known.empty()) {
    Payload payload;
    if (known.size() < 8 || below(16) == 0) {
      payload = random_payload(place);
    } else {
      // The better of two: neither the best alone, nor all alike.
      payload = known[std::min(below(known.size()), below(known.size()))].payload;
      for (std::size_t changes = 1 + below(3); changes > 0; --changes) change(payload, known);
    }
    const RawRequest request = render(payload, bytes);
    double ns = meter_.least_ns(request, 2);
    spent_ns += 2 * ns;
    ++worst.tried;
    const bool enters = known.size() < kKnownMax || ns > known.back().ns;
    if (!enters || std::any_of(known.begin(), known.end(), [&](const Known& k) { return k.payload == payload; }))
      continue;
    if (known.empty() || ns > known.front().ns) {
      ns = std::min(ns, meter_.least_ns(request, 5));
      spent_ns += 5 * ns;
    }
    const auto place_in = std::find_if(known.begin(), known.end(), [&](const Known& k) { return k.ns < ns; });
    known.insert(place_in, {std::move(payload), ns});
    if (known.size() > kKnownMax) known.pop_back();
  }
  worst.payload = known.front().payload;
  worst.ns = known.front().ns;
  return worst;
}

std::vector<RuleCost> SlowSearch::blame(const RawRequest& request, std::size_t count) {
  constexpr int kTurns = 5;
  const double all = meter_.least_ns(request, kTurns);
  std::vector<RuleCost> costs;
  const Program& program = meter_.program();
  for (const std::size_t phase : {1u, 2u}) {
    for (const std::uint32_t head : program.phase(phase)) {
      if (!looks_at_request(program.rule(head))) continue;
      meter_.switch_off(head, true);
      double without = meter_.least_ns(request, 1);
      if (all - without > all / 20) without = meter_.least_ns(request, kTurns);
      meter_.switch_off(head, false);
      if (all - without > all / 20) costs.push_back({program.rule(head).source->actions.id, all - without});
    }
  }
  std::sort(costs.begin(), costs.end(), [](const RuleCost& a, const RuleCost& b) { return a.ns > b.ns; });
  if (costs.size() > count) costs.resize(count);
  return costs;
}

}  // namespace gatehouse::waf
