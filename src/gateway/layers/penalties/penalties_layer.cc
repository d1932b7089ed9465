#include "gateway/layers/penalties/penalties_layer.h"

#include <algorithm>
#include <array>

#include "gateway/evidence.h"
#include "gateway/shared_state.h"
#include "gateway/table_key.h"

namespace gatehouse::gateway {

struct PenaltyNote {
  bool parked = false;  // holds a parking place now
  bool waited = false;  // was held back once; the other phase doesn't do it again
  bool refused = false;
  Duration retry_after{};
};

namespace {

enum class Subject : std::uint64_t { address_failures, user_failures, address_attacks };

std::uint64_t key_of(const SharedState& state, Subject subject, const IpAddress& address) noexcept {
  return TableKey(state.names()).add(std::uint64_t(subject)).add(address).hash();
}
std::uint64_t key_of(const SharedState& state, Subject subject, std::string_view user) noexcept {
  return TableKey(state.names()).add(std::uint64_t(subject)).add(user).hash();
}

// Counts one more here, and lets other gateways know.
void add_failure(SharedState& state, std::uint64_t key, const FailedLoginsConfig& logins, MonotonicTime now) {
  state.penalties().add(key, logins.window, logins.threshold, now);
  if (!state.desk().sharing()) return;
  Notice notice;
  notice.kind = Notice::Kind::failures;
  notice.key = key, notice.window = logins.window, notice.threshold = logins.threshold;
  state.desk().tell(std::move(notice));
}

void forgive(SharedState& state, std::uint64_t key, MonotonicTime now) {
  if (!state.penalties().forgive(key, now) || !state.desk().sharing()) return;
  Notice notice;
  notice.kind = Notice::Kind::forgiven;
  notice.key = key;
  state.desk().tell(std::move(notice));
}

// What an honest client on a bad line, or with a large upload, causes as well.
bool is_honest_trouble(std::string_view reason) noexcept {
  static constexpr std::array<http::Reason, 8> kHonest{
      http::Reason::peer_closed,      http::Reason::truncated,      http::Reason::header_timeout,
      http::Reason::body_too_slow,    http::Reason::body_too_large, http::Reason::header_too_large,
      http::Reason::too_many_headers, http::Reason::uri_too_long,
  };
  return std::any_of(kHonest.begin(), kHonest.end(),
                     [&](http::Reason honest) { return http::reason_code(honest) == reason; });
}

// What the parser refuses is no layer's decision: whoever saw it calls `record_attack`. Nor is a missing route one,
// nor what an OpenAPI document does not describe: it knows what is right, and not what is meant badly.
bool is_attack(const telemetry::DecisionRecord& record) noexcept {
  if (record.verdict != Verdict::deny) return false;
  switch (record.layer) {
    case telemetry::Layer::waf: return record.reason == "waf.score" || record.reason == "waf.rule";
    case telemetry::Layer::authentication: return record.reason == "auth.signature";
    default: return false;
  }
}

bool brought_credentials(const Request& request) noexcept {
  if (request.message.fields.has("authorization")) return true;
  const auto& keys = request.config->authentication.api_keys;
  if (keys && request.message.fields.has(keys->header)) return true;
  return request.connection != nullptr && !request.connection->certificate_sha256.empty();
}

PenaltyNote& note_of(Request& request) {
  if (request.penalty_note == nullptr) request.penalty_note = request.arena.array<PenaltyNote>(1).data();
  return *request.penalty_note;
}

Duration doubled(Duration first, std::uint32_t times, Duration max) noexcept {
  Duration delay = std::min(first, max);
  for (; times > 0 && delay < max; --times) delay = std::min(delay * 2, max);
  return delay;
}

}  // namespace

PenaltiesLayer::PenaltiesLayer(const Config& config, SharedState& state, const Clock& clock, Phase phase)
    : config_(config.penalties), state_(state), clock_(clock), phase_(phase) {}

Decision PenaltiesLayer::decide(Request& request) const {
  if (!config_.failed_logins) return {};
  const FailedLoginsConfig& logins = *config_.failed_logins;
  if (phase_ == Phase::after_authentication) {
    if (request.principal.user.empty()) return {};
    const auto failures = state_.penalties().count(key_of(state_, Subject::user_failures, request.principal.user),
                                                   logins.window, request.now);
    return failures < logins.threshold ? Decision{} : delay_for(failures, "user", request);
  }
  const auto failures = state_.penalties().count(key_of(state_, Subject::address_failures, request.client_ip),
                                                 logins.window, request.now);
  return failures < logins.threshold ? Decision{} : delay_for(failures, "client_ip", request);
}

Decision PenaltiesLayer::delay_for(std::uint32_t failures, std::string_view whose, Request& request) const {
  const FailedLoginsConfig& logins = *config_.failed_logins;
  PenaltyNote& note = note_of(request);
  if (note.waited) return {};
  const Duration delay = doubled(logins.delay, failures - logins.threshold, logins.max_delay);
  const std::string subject = whose == "user" ? std::string(request.principal.user.substr(0, 64))
                                              : counted_address(request.client_ip).to_string();
  if (!state_.parked().acquire(config_.parked_max)) {
    note.refused = true;
    note.retry_after = delay;
    Decision decision{Verdict::deny, "penalty.parked_full"};
    decision.status = 429;
    decision.evidence = evidence(request.arena, "{} {}: {} failures in {}, and {} requests are held back already",
                                 whose, subject, failures, duration_text(logins.window), config_.parked_max);
    return decision;
  }
  note.parked = note.waited = true;
  Decision decision{Verdict::delay, "penalty.delay"};
  decision.delay = delay;
  decision.evidence = evidence(request.arena, "{} {}: {} failures in {}, held back for {}", whose, subject, failures,
                               duration_text(logins.window), duration_text(delay));
  return decision;
}

void PenaltiesLayer::on_response(Request& request, http::ResponseHead& response) const {
  const PenaltyNote* note = request.penalty_note;
  if (note == nullptr || !note->refused || response.status != 429 || response.fields.has("retry-after")) return;
  response.fields.set("retry-after", evidence(request.arena, "{}", whole_seconds(note->retry_after)));
}

void PenaltiesLayer::resumed(Request& request) const noexcept {
  if (request.penalty_note == nullptr || !request.penalty_note->parked) return;
  request.penalty_note->parked = false;
  state_.parked().release();
}

void PenaltiesLayer::on_end(Request& request, int status) const {
  resumed(request);
  if (phase_ == Phase::before_authentication) record_outcome(request, status);
}

void PenaltiesLayer::record_outcome(Request& request, int status) const {
  const telemetry::DecisionRecord& record = request.record;
  if (is_attack(record) && record_attack(request.client_ip, record.reason)) {
    const std::string_view why = evidence(request.arena, "{}: attacks above the threshold, the last {}",
                                          counted_address(request.client_ip).to_string(), record.reason);
    request.record.add({telemetry::Layer::penalties, Verdict::pass, Mode::enforce, 0, "penalty.ban", why});
  }
  if (!config_.failed_logins) return;
  const FailedLoginsConfig& logins = *config_.failed_logins;
  if (request.login != LoginFact::unknown) return record_login(request);
  // Another layer's refusal (a zone, a ban) says nothing about credentials.
  const bool credentials_judged = record.verdict != Verdict::deny || record.layer == telemetry::Layer::authorization ||
                                  (record.layer == telemetry::Layer::authentication && brought_credentials(request));
  const bool failed = std::find(logins.statuses.begin(), logins.statuses.end(), status) != logins.statuses.end();
  if (failed && credentials_judged) {
    add_failure(state_, key_of(state_, Subject::address_failures, request.client_ip), logins, clock_.now());
    if (request.principal.user.empty()) return;
    add_failure(state_, key_of(state_, Subject::user_failures, request.principal.user), logins, clock_.now());
  } else if (status >= 200 && status < 400 && !request.principal.user.empty()) {
    forgive(state_, key_of(state_, Subject::user_failures, request.principal.user), clock_.now());
  }
}

// A service of our own knows what was wrong. A failure counts against the address alone: whoever can name a user could
// slow him down otherwise, and the service has its own throttle for guesses at one account.
void PenaltiesLayer::record_login(Request& request) const {
  const FailedLoginsConfig& logins = *config_.failed_logins;
  if (request.login == LoginFact::failed) {
    add_failure(state_, key_of(state_, Subject::address_failures, request.client_ip), logins, clock_.now());
  } else if (request.login == LoginFact::accepted && !request.login_user.empty()) {
    forgive(state_, key_of(state_, Subject::user_failures, request.login_user), clock_.now());
  }
}

bool PenaltiesLayer::record_attack(const IpAddress& client, std::string_view reason) const {
  if (!config_.attacks || is_honest_trouble(reason)) return false;
  const AttacksConfig& attacks = *config_.attacks;
  const std::uint64_t key = key_of(state_, Subject::address_attacks, client);
  const std::string why = fmt::format("penalty.ban: {}", reason);
  if (state_.desk().sharing()) {
    Notice notice;
    notice.kind = Notice::Kind::attacks;
    notice.key = key, notice.window = attacks.window, notice.threshold = attacks.threshold;
    notice.network = ban_network(client), notice.first = attacks.ban, notice.longest = attacks.max_ban;
    notice.reason = why;
    state_.desk().tell(std::move(notice));
  }
  return state_.count_attack(key, 1, {attacks.window, attacks.threshold, attacks.ban, attacks.max_ban}, client, why);
}

}  // namespace gatehouse::gateway
