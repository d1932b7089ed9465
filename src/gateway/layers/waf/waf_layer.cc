#include "gateway/layers/waf/waf_layer.h"

#include <algorithm>

#include "gateway/evidence.h"
#include "gateway/layers/waf/waf_findings.h"
#include "waf/body/content_coding.h"

namespace gatehouse::gateway {
namespace {

// The rules that compare the sum with the threshold; with any other rule it is that rule itself which denies.
bool is_score_rule(std::uint64_t id) noexcept { return id == 949110 || id == 949111 || id == 959100 || id == 959101; }

std::string_view protocol_of(http::Version version) noexcept {
  // As the rules know it: nginx and Apache call it so.
  return version == http::Version::http2 ? std::string_view("HTTP/2.0") : http::version_name(version);
}

bool speaks_http2_only(const Config& config, const RouteConfig& route) noexcept {
  return std::all_of(route.services.begin(), route.services.end(), [&](const WeightedService& weighted) {
    const std::vector<EndpointConfig>& endpoints = config.services[weighted.service].endpoints;
    return std::all_of(endpoints.begin(), endpoints.end(),
                       [](const EndpointConfig& endpoint) { return endpoint.protocol == UpstreamProtocol::h2; });
  });
}

bool speaks_of_answers(const waf::Program& program) noexcept {
  return !program.phase(3).empty() || !program.phase(4).empty();
}

}  // namespace

WafDecision waf_denial(Request& request, std::string_view reason, std::uint16_t status, std::string_view why) {
  WafDecision decision;
  decision.verdict = Verdict::deny;
  decision.reason = reason;
  decision.status = status;
  decision.evidence = why.empty() ? std::string_view{} : evidence(request.arena, "{}", why);
  return decision;
}

WafLayer::WafLayer(const Config& config, std::shared_ptr<const waf::RuleEngine> engine)
    : engine_(std::move(engine)), masker_(config.telemetry.mask) {
  routes_.resize(config.routes.size() + 1);
  for (std::size_t i = 0; i < config.routes.size(); ++i)
    routes_[i].request_body = config.routes[i].waf.request_body.value_or(config.waf.request_body);
  if (engine_ == nullptr) return;
  routes_.back().mode = config.mode(telemetry::Layer::waf, nullptr);
  routes_.back().tuning = std::make_unique<RouteTuning>(config.waf, RouteWafConfig(), *engine_->program);
  const waf::RuleSettings& rules = engine_->program->source().settings;
  if (rules.request_body_json_depth_limit) settings_.json_depth_max = *rules.request_body_json_depth_limit;
  if (rules.arguments_limit) settings_.arguments_max = *rules.arguments_limit;
  text_types_ = rules.response_body_mime_types;
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const RouteConfig& route = config.routes[i];
    routes_[i].http2 = speaks_http2_only(config, route);
    routes_[i].mode = config.mode(telemetry::Layer::waf, &route);
    routes_[i].on_exceed = route.waf.on_exceed.value_or(config.waf.on_exceed);
    if (speaks_of_answers(*engine_->program))
      routes_[i].response_body = route.waf.response_body.value_or(config.waf.response_body);
    const auto& said = route.waf.response_on_exceed ? route.waf.response_on_exceed : config.waf.response_on_exceed;
    routes_[i].response_on_exceed = said.value_or(routes_[i].on_exceed);
    routes_[i].websocket_message = route.waf.websocket_message.value_or(config.waf.websocket_message);
    for (const WafSecret secret : route.waf.response_mask.value_or(config.waf.response_mask))
      (secret == WafSecret::cards ? routes_[i].mask_cards : routes_[i].mask_keys) = true;
    routes_[i].tuning = std::make_unique<RouteTuning>(config.waf, route.waf, *engine_->program);
  }
}

bool WafLayer::streams_past(const Request& request) const noexcept {
  const http::CanonicalRequest& message = request.message;
  if (!route(request).http2 || message.version != http::Version::http2 || message.method != "POST") return false;
  if (!message.te_trailers || message.fields.count("content-type") != 1) return false;
  // `application/grpc` or `application/grpc+proto`, not `application/grpc-web`.
  constexpr std::string_view kGrpc = "application/grpc";
  const std::string_view type = *message.fields.get("content-type");
  if (!http::equals_ignoring_case(type.substr(0, kGrpc.size()), kGrpc)) return false;
  return type.size() == kGrpc.size() || type[kGrpc.size()] == '+' || type[kGrpc.size()] == ';';
}

WafDecision WafLayer::inspect_head(Request& request, std::string_view raw_target, bool chunked, WafShard& shard,
                                   WafInspection& inspection) const {
  const WafTimed timed(inspection);
  inspection.target = {};
  waf::Transaction& transaction = begin(request, raw_target, chunked, shard, inspection);
  timed.has_read();
  transaction.run(1);
  return judge(request, transaction, Step::head, {});
}

waf::Transaction& WafLayer::begin(Request& request, std::string_view raw_target, bool chunked, WafShard& shard,
                                  WafInspection& inspection) const {
  shard.lend(engine_, inspection.transaction);
  waf::Transaction& transaction = *inspection.transaction;
  waf::Transaction::Settings settings = settings_;
  settings.collections = &shard.collections();
  settings.counters = &inspection.transaction.counters();
  settings.timed = inspection.transaction.timed() != nullptr;
  route(request).tuning->choose(request.message.path, request.wall, shard.tunings(), settings);
  transaction.begin(settings);
  const http::CanonicalRequest& message = request.message;
  transaction.connection(request.client_ip.to_string(), request.record.request_id);
  std::string_view& target = inspection.target;
  if (target.empty()) target = message.path;
  if (message.has_query && target.size() == message.path.size()) {
    char* const to = request.arena.allocate(message.path.size() + 1 + message.query.size());
    char* at = std::copy(message.path.begin(), message.path.end(), to);
    *at++ = '?';
    at = std::copy(message.query.begin(), message.query.end(), at);
    target = {to, static_cast<std::size_t>(at - to)};
  }
  transaction.request_line(message.method, raw_target, target, protocol_of(message.version));
  transaction.request_header("host", message.authority);
  for (const http::Field& field : message.fields) transaction.request_header(field.name, field.value);
  if (message.content_length) {
    transaction.request_header("content-length", evidence(request.arena, "{}", *message.content_length));
  } else if (chunked) {
    transaction.request_header("transfer-encoding", "chunked");
  }
  return transaction;
}

WafDecision WafLayer::inspect_body(Request& request, std::string_view body, bool complete, const http::Fields& trailers,
                                   WafShard& shard, WafInspection& inspection) const {
  const WafTimed timed(inspection);
  waf::Transaction& transaction = *inspection.transaction;
  for (const http::Field& field : trailers) transaction.request_header(field.name, field.value);
  WafDecision refused;
  const http::Fields& fields = request.message.fields;
  const bool past = streams_past(request);
  if (past) body = {};
  const auto field = fields.get("content-encoding");
  const waf::ContentCoding coding = !field                                 ? waf::ContentCoding::identity
                                    : fields.count("content-encoding") > 1 ? waf::ContentCoding::unknown
                                                                           : waf::content_coding_of(*field);
  if (coding == waf::ContentCoding::unknown && !body.empty()) {
    refused = waf_denial(request, "waf.content_coding", 415,
                         "the body has a coding that is not read: gzip, deflate and br are");
  } else if (coding != waf::ContentCoding::identity && !body.empty()) {
    waf::DecodingLimits limits;
    limits.bytes_max = route(request).request_body;
    std::string& decoded = shard.decoded();
    const waf::DecodedContent result = waf::decode_content(coding, body, limits, decoded);
    const bool cut = result.error == waf::BodyError::too_large;
    if (cut && route(request).on_exceed == WafOnExceed::deny) {
      refused = waf_denial(request, "waf.body_too_large", 413, result.message);
    } else if (result.error != waf::BodyError::none && !cut && complete) {
      refused = waf_denial(request, "waf.content_coding", 400, result.message);
    }
    complete = complete && result.error == waf::BodyError::none;
    body = decoded;
  }
  if (!body.empty()) transaction.request_body(body, complete);
  timed.has_read();
  transaction.run(2);
  WafDecision decision = judge(request, transaction, Step::body, body);
  if (past && decision.verdict == Verdict::pass) {
    decision.reason = "waf.not_inspected";
    if (decision.evidence.empty()) decision.evidence = "the body: it is gRPC";
  }
  return decision.verdict == Verdict::pass && refused.verdict != Verdict::pass ? refused : decision;
}

WafDecision WafLayer::inspect_message(Request& request, std::string_view raw_target, std::string_view text,
                                      bool complete, bool told, WafShard& shard, WafInspection& inspection) const {
  const WafTimed timed(inspection);
  waf::Transaction& transaction = begin(request, raw_target, false, shard, inspection);
  timed.has_read();
  transaction.run(1);
  transaction.disregard_interruption();  // the head was judged when the tunnel was opened
  transaction.websocket_message(text, complete);
  const waf::Interruption* const stopped = transaction.run(2);
  if (stopped == nullptr || !stopped->acts) return {};
  if (!told) return judge(request, transaction, Step::body, text);
  return waf_denial(request, "waf.rule", 403, {});
}

void WafLayer::finish(WafInspection& inspection) const {
  if (!inspection.transaction) return;
  const WafTimed timed(inspection);
  inspection.transaction->run_counting();
}

WafDecision WafLayer::refuse_length(Request& request, std::uint64_t bytes) const {
  return waf_denial(
      request, "waf.body_too_large", 413,
      evidence(request.arena, "at least {} bytes, and {} are inspected", bytes, route(request).request_body));
}

void WafLayer::tell(Request& request, const waf::Transaction& transaction, Step step, std::string_view body,
                    WafDecision& decision) const {
  const auto& fired = transaction.fired();
  const auto has = [&](auto what) { return std::any_of(fired.begin(), fired.end(), what); };
  const bool of_answer = step == Step::answer_head || step == Step::answer_body;
  // What the request showed stays as it is told unless the answer shows something.
  if (of_answer && !has([](const waf::FiredRule& rule) { return rule.phase >= 3 && rule.logged; })) return;
  const bool request_scored = has([](const waf::FiredRule& rule) { return rule.phase < 3 && rule.score != 0; });
  const WafDirection direction = of_answer && (transaction.interruption() != nullptr || !request_scored)
                                     ? WafDirection::outbound
                                     : WafDirection::inbound;
  const WafFindings findings = take_findings(transaction, *engine_->program, masker_, request, body, direction);
  if (findings.record == nullptr) return;
  request.record.waf = findings.record;
  decision.evidence = findings.summary;
}

WafDecision WafLayer::judge(Request& request, const waf::Transaction& transaction, Step step,
                            std::string_view body) const {
  WafDecision decision;
  const waf::Interruption* const stopped = transaction.interruption();
  // What the head showed is told with what the body shows, unless that is not looked at any more.
  const bool last = step == Step::body || step == Step::answer_body;
  if (!transaction.fired().empty() && (last || stopped != nullptr)) tell(request, transaction, step, body, decision);
  if (stopped == nullptr || !stopped->acts) return decision;
  decision.verdict = Verdict::deny;
  const bool score = is_score_rule(stopped->rule_id);
  if (step == Step::answer_head || step == Step::answer_body) {
    decision.reason = score ? "waf.response_score" : "waf.response_rule";
  } else {
    decision.reason = score ? "waf.score" : "waf.rule";
  }
  decision.status = stopped->status >= 400 && stopped->status <= 599 ? stopped->status : 403;
  if (stopped->action == waf::Disruptive::redirect && !stopped->redirect.empty() &&
      http::is_field_value(stopped->redirect)) {
    decision.status = stopped->status >= 300 && stopped->status <= 399 ? stopped->status : 302;
    decision.location = request.arena.copy(stopped->redirect);
  }
  decision.close = stopped->action == waf::Disruptive::drop;
  return decision;
}

}  // namespace gatehouse::gateway
