// Any text, however it is cut: the same bytes come out, as many as went in; little is held back; what changes becomes
// an asterisk or a zero; and JSON stays JSON. Input: a byte of options, then the text.
#include "gateway/layers/waf/answer_mask.h"

#include "base/check.h"
#include "codec/json.h"

namespace {

using namespace gatehouse;
using gateway::AnswerMask;

struct Masked {
  std::string text;
  std::uint64_t cards = 0, keys = 0;
  bool operator==(const Masked&) const = default;
};

Masked in_pieces(const AnswerMask::What& what, std::string_view text, std::size_t first, std::size_t step) {
  AnswerMask mask(what);
  Masked out;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view piece = text.substr(at, at == 0 ? first : step);
    mask.mask(piece, http::End::no, out.text);
    at += piece.size();
    GH_CHECK(out.text.size() <= at && at - out.text.size() <= AnswerMask::kHeldBytesMax);
  }
  mask.mask({}, http::End::yes, out.text);
  out.cards = mask.cards();
  out.keys = mask.keys();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t options = data[0];
  const AnswerMask::What what{.cards = (options & 1) != 0,
                              .keys = (options & 2) != 0,
                              .syntax = static_cast<AnswerMask::Syntax>((options >> 2) % 3)};
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  AnswerMask mask(what);
  Masked whole;
  mask.mask(text, http::End::yes, whole.text);
  whole.cards = mask.cards();
  whole.keys = mask.keys();
  GH_CHECK(in_pieces(what, text, 1, 1) == whole);
  const std::size_t step = 1 + (options >> 4);
  GH_CHECK(in_pieces(what, text, text.size() / 2 + 1, step) == whole);
  GH_CHECK(whole.text.size() == text.size());
  for (std::size_t i = 0; i < text.size(); ++i)
    GH_CHECK(whole.text[i] == text[i] || whole.text[i] == '*' || (whole.text[i] == '0' && what.cards));
  if (whole.cards + whole.keys == 0) GH_CHECK(whole.text == text);
  const codec::JsonLimits limits{.bytes_max = 1 << 16, .depth_max = 64, .values_max = 10'000};
  if (what.syntax == AnswerMask::Syntax::json && codec::Json::parse(text, limits))
    GH_CHECK(codec::Json::parse(whole.text, limits));
  return 0;
}
