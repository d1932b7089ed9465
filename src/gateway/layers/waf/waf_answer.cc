// The answer under the rules: phases 3 and 4.

#include <algorithm>
#include <array>
#include <limits>

#include "gateway/evidence.h"
#include "gateway/layers/waf/waf_layer.h"
#include "waf/body/content_coding.h"

namespace gatehouse::gateway {
namespace {

// What ModSecurity's set-ups list, and what carries the errors of APIs. Others with the endings of JSON and XML are
// the same thing by another name.
constexpr std::array<std::string_view, 5> kTextTypes{"text/plain", "text/html", "text/xml", "application/json",
                                                     "application/xml"};

std::string_view type_of(const http::ResponseHead& answer) noexcept {
  std::string_view type = answer.fields.get("content-type").value_or("");
  type = type.substr(0, type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return type;
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) noexcept {
  return text.size() >= end.size() && http::equals_ignoring_case(text.substr(text.size() - end.size()), end);
}

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& types, std::string_view type) noexcept {
  return std::any_of(types.begin(), types.end(),
                     [&](std::string_view one) { return http::equals_ignoring_case(type, one); });
}

bool is_json(std::string_view type) noexcept {
  static constexpr std::array<std::string_view, 5> kTypes{"application/json", "text/json", "application/x-ndjson",
                                                          "application/jsonl", "application/json-seq"};
  return is_one_of(kTypes, type) || ends_with_ignoring_case(type, "+json");
}

// RFC 9239 §6 and what was registered before it.
bool is_script(std::string_view type) noexcept {
  static constexpr std::array<std::string_view, 8> kTypes{
      "text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript",
      "text/ecmascript", "text/x-javascript",      "application/x-ecmascript", "text/jscript"};
  return is_one_of(kTypes, type);
}

// More than rules read: nothing has to be held back for long.
bool is_text(std::string_view type) noexcept {
  static constexpr std::array<std::string_view, 6> kOthers{
      "application/xml",        "application/x-www-form-urlencoded", "application/yaml", "application/x-yaml",
      "application/x-pem-file", "application/pem-certificate-chain"};
  return type.empty() || http::equals_ignoring_case(type.substr(0, 5), "text/") || is_json(type) || is_script(type) ||
         ends_with_ignoring_case(type, "+xml") || is_one_of(kOthers, type);
}

AnswerMask::Syntax syntax_of(std::string_view type) noexcept {
  if (is_json(type)) return AnswerMask::Syntax::json;
  const bool script = is_script(type) || http::equals_ignoring_case(type, "text/event-stream");
  return script ? AnswerMask::Syntax::script : AnswerMask::Syntax::text;
}

}  // namespace

waf::ContentCoding WafLayer::coding_of(const http::ResponseHead& answer) noexcept {
  const auto field = answer.fields.get("content-encoding");
  if (!field) return waf::ContentCoding::identity;
  return answer.fields.count("content-encoding") > 1 ? waf::ContentCoding::unknown : waf::content_coding_of(*field);
}

bool WafLayer::reads_answer_body(const http::ResponseHead& answer) const noexcept {
  const std::string_view type = type_of(answer);
  if (http::equals_ignoring_case(type, "text/event-stream")) return false;  // held back it would be none
  if (!text_types_.empty()) {
    const auto is_type = [&](std::string_view one) { return http::equals_ignoring_case(type, one); };
    return std::any_of(text_types_.begin(), text_types_.end(), is_type) ||
           (type.empty() && std::find(text_types_.begin(), text_types_.end(), "(null)") != text_types_.end());
  }
  // Of an unknown type a browser makes what it looks like.
  return type.empty() || ends_with_ignoring_case(type, "+json") || ends_with_ignoring_case(type, "+xml") ||
         is_one_of(kTextTypes, type);
}

WafDecision WafLayer::inspect_answer_head(Request& request, const http::ResponseHead& answer,
                                          WafInspection& inspection) const {
  const WafTimed timed(inspection);
  waf::Transaction& transaction = *inspection.transaction;
  transaction.disregard_interruption();  // of the request, which was only monitored
  transaction.response_head(http::version_name(answer.version), static_cast<std::uint16_t>(answer.status));
  // The rules get the body decoded, and those of the Core Rule Set look at none of which they are told that it is not.
  const waf::ContentCoding coding = coding_of(answer);
  const bool decoded = coding != waf::ContentCoding::unknown && reads_answer_body(answer);
  for (const http::Field& field : answer.fields) {
    if (field.name == "content-length" || (decoded && field.name == "content-encoding")) continue;
    transaction.response_header(field.name, field.value);
  }
  if (answer.content_length)
    transaction.response_header("content-length", evidence(request.arena, "{}", *answer.content_length));
  timed.has_read();
  transaction.run(3);
  return judge(request, transaction, Step::answer_head, {});
}

WafDecision WafLayer::inspect_answer_body(Request& request, const http::ResponseHead& answer, std::string_view body,
                                          bool complete, WafShard& shard, WafInspection& inspection) const {
  const WafTimed timed(inspection);
  const Route& at = route(request);
  WafDecision refused;
  const waf::ContentCoding coding = coding_of(answer);
  if (coding == waf::ContentCoding::unknown && !body.empty()) {
    refused = waf_denial(request, "waf.response_coding", 502,
                         "the answer has a coding that is not read: gzip, deflate and br are");
    body = {};
  } else if (coding != waf::ContentCoding::identity && !body.empty()) {
    waf::DecodingLimits limits;
    limits.bytes_max = at.response_body;
    limits.ratio_max = std::numeric_limits<std::size_t>::max();  // pages of much the same text are no bombs
    limits.gzip_members = true;
    std::string& decoded = shard.decoded();
    const waf::DecodedContent result = waf::decode_content(coding, body, limits, decoded);
    if (result.error == waf::BodyError::too_large) {
      refused = waf_denial(
          request, "waf.response_too_large", 502,
          evidence(request.arena, "decoded it has more than the {} bytes that are inspected", at.response_body));
    } else if (result.error != waf::BodyError::none && complete) {
      refused = waf_denial(request, "waf.response_coding", 502, result.message);
    }
    body = decoded;
  }
  waf::Transaction& transaction = *inspection.transaction;
  if (!body.empty()) transaction.response_body(body);
  timed.has_read();
  transaction.run(4);
  const WafDecision decision = judge(request, transaction, Step::answer_body, {});
  if (decision.verdict != Verdict::pass || at.response_on_exceed == WafOnExceed::partial) return decision;
  return refused.verdict != Verdict::pass ? refused : decision;
}

std::unique_ptr<AnswerMask> WafLayer::mask_for(const Request& request, const http::ResponseHead& answer) const {
  const Route& at = route(request);
  if (!at.masks() || at.mode == Mode::off) return nullptr;
  const std::string_view type = type_of(answer);
  if (!is_text(type)) return nullptr;
  return std::make_unique<AnswerMask>(
      AnswerMask::What{.cards = at.mask_cards, .keys = at.mask_keys, .syntax = syntax_of(type)});
}

WafDecision WafLayer::refuse_answer_length(Request& request, std::uint64_t bytes) const {
  return waf_denial(
      request, "waf.response_too_large", 502,
      evidence(request.arena, "at least {} bytes, and {} are inspected", bytes, route(request).response_body));
}

}  // namespace gatehouse::gateway
