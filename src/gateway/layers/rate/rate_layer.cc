#include "gateway/layers/rate/rate_layer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "gateway/arena_text.h"
#include "gateway/evidence.h"
#include "gateway/shared_state.h"
#include "gateway/table_key.h"

namespace gatehouse::gateway {

// One for both phases. Lists are built back to front: a request meets a handful of limits.
struct RateNote {
  struct Report {
    std::string_view name, policy;
    std::uint32_t remaining;
    Duration reset;
    Report* next;
  };
  struct Held {  // a place in `SharedState::in_flight`, given back at the end
    std::uint64_t key;
    Held* next;
  };
  Report* reports = nullptr;
  Held* held = nullptr;
  bool refused = false;
  Duration retry_after{};
};

namespace {

std::string_view text_of(KeyPart part) noexcept {
  switch (part) {
    case KeyPart::client_ip: return "client_ip";
    case KeyPart::route: return "route";
    case KeyPart::user: return "user";
    case KeyPart::service: return "service";
    case KeyPart::host: return "host";
    case KeyPart::method: return "method";
    case KeyPart::header: return "header";
    case KeyPart::api_key: return "api_key";
  }
  return "client_ip";
}

bool needs_identity(const RateLimitConfig& limit) noexcept {
  return std::any_of(limit.key.begin(), limit.key.end(), [](const RateKeyPart& part) {
    return part.part == KeyPart::user || part.part == KeyPart::api_key;
  });
}

// The value of a key part, empty when the request has none. `client_ip` is not among them.
std::string_view value_of(const RateKeyPart& part, const Request& request) noexcept {
  switch (part.part) {
    case KeyPart::client_ip: return {};
    case KeyPart::route: return request.route != nullptr ? std::string_view(request.route->name) : "-";
    case KeyPart::user: return request.principal.user;
    case KeyPart::service:
      // Of a weighted split the first stands for all: the draw comes after the limits.
      if (request.route == nullptr || request.route->services.empty()) return "-";
      return request.config->services[request.route->services.front().service].name;
    case KeyPart::host: return request.message.host;
    case KeyPart::method: return request.message.method;
    case KeyPart::header: return request.message.fields.get(part.header).value_or(std::string_view());
    case KeyPart::api_key: return request.principal.key_id;
  }
  return {};
}

std::uint64_t key_of(const crypto::HashKey& names, std::uint64_t identity, const std::vector<RateKeyPart>& parts,
                     const Request& request) noexcept {
  TableKey key(names);
  key.add(identity);
  for (const RateKeyPart& part : parts) {
    const std::string_view value = value_of(part, request);
    if (value.empty()) {
      key.add(request.client_ip);
    } else {
      key.add(value);
    }
  }
  return key.hash();
}

// "client_ip 203.0.113.9, route orders"; values of header fields may be secrets and stay out.
std::string subject_of(const std::vector<RateKeyPart>& parts, const Request& request) {
  std::string subject;
  for (const RateKeyPart& part : parts) {
    if (!subject.empty()) subject += ", ";
    const std::string_view value = value_of(part, request);
    if (part.part == KeyPart::header) {
      subject += "header " + part.header;
    } else if (part.part == KeyPart::client_ip || value.empty()) {
      subject += "client_ip " + counted_address(request.client_ip).to_string();
      if (!request.client_ip.is_v4()) subject += "/64";
    } else {
      subject += fmt::format("{} {}", text_of(part.part), value.substr(0, 64));
    }
  }
  return subject;
}

RateNote& note_of(Request& request) {
  if (request.rate_note == nullptr) request.rate_note = request.arena.array<RateNote>(1).data();
  return *request.rate_note;
}

}  // namespace

RateLayer::RateLayer(const Config& config, SharedState& state, const Clock&, Phase phase)
    : state_(state), phase_(phase) {
  for (const RateLimitConfig& limit : config.rate_limit) {
    if (auto compiled = compile(limit, "", phase)) global_.push_back(std::move(*compiled));
  }
  name_limits(global_, {});
  routes_.resize(config.routes.size());
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    for (const RateLimitConfig& limit : config.routes[i].rate_limit) {
      if (auto compiled = compile(limit, config.routes[i].name, phase)) routes_[i].push_back(std::move(*compiled));
    }
    name_limits(routes_[i], global_);
    empty_ = empty_ && routes_[i].empty();
  }
  empty_ = empty_ && global_.empty();
}

std::optional<RateLayer::Limit> RateLayer::compile(const RateLimitConfig& config, std::string_view scope, Phase phase) {
  if (needs_identity(config) != (phase == Phase::after_authentication)) return std::nullopt;
  if (config.requests == 0 && config.concurrent == 0) return std::nullopt;
  Limit limit;
  limit.key = config.key;
  limit.concurrent = config.concurrent;
  limit.schedule = {config.hours_from, config.hours_to, config.days};
  // Of what the operator wrote: the same in every gateway that has the limit.
  static constexpr crypto::HashKey kContent{};
  TableKey identity(kContent);
  identity.add(scope);
  for (const RateKeyPart& part : limit.key) {
    if (!limit.name.empty()) limit.name += '+';
    limit.name += text_of(part.part);
    if (part.part == KeyPart::header) limit.name += ":" + part.header;
    identity.add(std::uint64_t(part.part)).add(part.header);
  }
  if (limit.concurrent == 0) {
    const std::uint32_t whole_window =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(config.requests, std::numeric_limits<std::uint32_t>::max()));
    limit.rate = {config.requests, config.window, config.burst != 0 ? config.burst : whole_window};
    limit.cost = cost_of(limit.rate);
    limit.text =
        config.text.empty() ? fmt::format("{} in {}", config.requests, duration_text(config.window)) : config.text;
    limit.text += fmt::format(" burst {}", limit.rate.burst);
  }
  identity.add(limit.rate.requests).add(std::uint64_t(limit.rate.window.count())).add(std::uint64_t{limit.rate.burst});
  identity.add(std::uint64_t{limit.concurrent}).add(std::uint64_t{limit.schedule.from});
  identity.add(std::uint64_t{limit.schedule.to}).add(std::uint64_t{limit.schedule.days});
  limit.identity = identity.hash();
  return limit;
}

// Names are unique in one answer: a second limit of the same key is "client_ip-2".
void RateLayer::name_limits(std::vector<Limit>& limits, const std::vector<Limit>& before) {
  std::vector<std::string> taken;
  for (const Limit& limit : before) taken.push_back(limit.name);
  for (Limit& limit : limits) {
    std::string name = fmt::format("\"{}\"", limit.name);
    for (int i = 2; std::find(taken.begin(), taken.end(), name) != taken.end(); ++i) {
      name = fmt::format("\"{}-{}\"", limit.name, i);
    }
    limit.name = name;
    taken.push_back(std::move(name));
    const double windows = static_cast<double>(limit.rate.burst) / static_cast<double>(limit.rate.requests);
    const double seconds = std::ceil(windows * std::chrono::duration<double>(limit.rate.window).count());
    limit.policy = fmt::format("{};q={};w={}", limit.name, limit.rate.burst, std::max(seconds, 1.0));
  }
}

Decision RateLayer::decide(Request& request) const {
  std::optional<LocalMoment> moment;
  for (const Limit& limit : global_) {
    const Decision decision = apply(limit, request, moment);
    if (decision.verdict != Verdict::pass) return decision;
  }
  if (request.route == nullptr || request.route_index >= routes_.size()) return {};
  for (const Limit& limit : routes_[request.route_index]) {
    const Decision decision = apply(limit, request, moment);
    if (decision.verdict != Verdict::pass) return decision;
  }
  return {};
}

Decision RateLayer::apply(const Limit& limit, Request& request, std::optional<LocalMoment>& moment) const {
  if (!limit.schedule.always()) {
    if (!moment) moment = local_time_.at(request.wall);
    if (!limit.schedule.holds(*moment)) return {};
  }
  const std::uint64_t key = key_of(state_.names(), limit.identity, limit.key, request);
  return limit.concurrent != 0 ? apply_concurrent(limit, key, request) : apply_rate(limit, key, request);
}

Decision RateLayer::apply_rate(const Limit& limit, std::uint64_t key, Request& request) const {
  const RateDecision rate = state_.rate().admit(key, limit.rate, request.now);
  RateNote& note = note_of(request);
  RateNote::Report* report = request.arena.array<RateNote::Report>(1).data();
  *report = {limit.name, limit.policy, rate.remaining, rate.reset, note.reports};
  note.reports = report;
  if (rate.verdict == RateDecision::Verdict::admit) {
    if (state_.desk().sharing()) {
      const auto owed = static_cast<std::uint64_t>(rate.reset.count());
      state_.desk().used({key, limit.cost.interval, limit.cost.whole, owed});
    }
    return {};
  }
  note.refused = true;
  note.retry_after = rate.retry_after;
  Decision decision{Verdict::deny, "rate.exceeded"};
  decision.status = 429;
  decision.evidence = evidence(request.arena, "{}: {} used up, retry in {}", subject_of(limit.key, request), limit.text,
                               duration_text(rate.retry_after));
  return decision;
}

Decision RateLayer::apply_concurrent(const Limit& limit, std::uint64_t key, Request& request) const {
  const CountTable::Acquired acquired = state_.in_flight().acquire(key, limit.concurrent);
  RateNote& note = note_of(request);
  if (acquired == CountTable::Acquired::ok) {
    RateNote::Held* held = request.arena.array<RateNote::Held>(1).data();
    *held = {key, note.held};
    note.held = held;
    return {};
  }
  note.refused = true;
  note.retry_after = std::chrono::seconds(1);
  Decision decision{Verdict::deny, "rate.concurrency"};
  decision.status = 429;
  decision.evidence = acquired == CountTable::Acquired::over
                          ? evidence(request.arena, "{}: {} requests in flight already", subject_of(limit.key, request),
                                     limit.concurrent)
                          : std::string_view("the table of requests in flight is full");
  return decision;
}

void RateLayer::on_response(Request& request, http::ResponseHead& response) const {
  const RateNote* note = request.rate_note;
  if (note == nullptr) return;
  if (note->refused && response.status == 429) {
    response.fields.set("retry-after", evidence(request.arena, "{}", whole_seconds(note->retry_after)));
  }
  if (note->reports == nullptr) return;
  const RateNote::Report* tightest = note->reports;
  std::size_t size = 0;
  for (const RateNote::Report* report = note->reports; report != nullptr; report = report->next) {
    // The list runs from the last limit to the first; of equals the first decides.
    if (report->remaining <= tightest->remaining) tightest = report;
    size += report->policy.size() + 2;
  }
  // `set`: with limits in both phases this runs twice, and the second time it says the same.
  char* policy = request.arena.allocate(size);
  char* at = policy + size;
  for (const RateNote::Report* report = note->reports; report != nullptr; report = report->next) {
    at -= report->policy.size();
    std::copy(report->policy.begin(), report->policy.end(), at);
    *--at = ' ', *--at = ',';
  }
  response.fields.set("ratelimit-policy", {policy + 2, size - 2});
  const auto reset =
      tightest->reset.count() == 0 ? std::uint64_t{0} : static_cast<std::uint64_t>(whole_seconds(tightest->reset));
  ArenaText quota(request.arena, tightest->name.size() + 6 + 2 * ArenaText::kNumberMax);
  quota.add(tightest->name).add(";r=").add(std::uint64_t{tightest->remaining}).add(";t=").add(reset);
  response.fields.set("ratelimit", quota.view());
}

void RateLayer::on_end(Request& request, int) const {
  if (request.rate_note == nullptr) return;
  for (const RateNote::Held* held = request.rate_note->held; held != nullptr; held = held->next) {
    state_.in_flight().release(held->key);
  }
  request.rate_note->held = nullptr;  // the other phase's turn comes too
}

}  // namespace gatehouse::gateway
