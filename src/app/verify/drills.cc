#include "app/verify/drills.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/config/built_in.h"
#include "app/verify/drill_request.h"

namespace gatehouse::app {

std::string_view name_of(Drill::Outcome outcome) noexcept {
  switch (outcome) {
    case Drill::Outcome::held: return "held";
    case Drill::Outcome::failed: return "failed";
    case Drill::Outcome::skipped: return "skipped";
  }
  return "";
}

// Addresses that nobody has: 127.77.0.1 and on. A bound of their number is the bound of drills.
std::string DrillRun::next_source() {
  ++sources_;
  return fmt::format("127.77.{}.{}", sources_ / 250 % 250, sources_ % 250 + 1);
}

DrillConnection DrillRun::connection_to(const gateway::ListenerConfig& listener, std::string source) const {
  const auto told = access_.addresses.find(listener.name);
  const gateway::Address& at = told != access_.addresses.end() ? told->second : listener.address;
  return {listener, reachable_address(at), std::move(source)};
}

Result<DrillRun::Sent> DrillRun::send(const gateway::ListenerConfig& listener, const std::string& source,
                                      std::string_view bytes) {
  auto reply = connection_to(listener, source).send(bytes);
  if (!reply) return tl::unexpected(std::move(reply.error()));
  Sent sent{reply->status, reply->request_id, reply->location, {}};
  if (!sent.request_id.empty() && access_.find_record) sent.record = access_.find_record(sent.request_id);
  return sent;
}

void DrillRun::skip(Drill drill, std::string why) {
  drill.outcome = Drill::Outcome::skipped;
  drill.detail = std::move(why);
  drill.fix.clear();
  drills_.push_back(std::move(drill));
}

void DrillRun::judge(const Sent& sent, std::initializer_list<std::string_view> layers, Drill drill,
                     std::string_view did) {
  const std::string answered = sent.status == 0 ? "the connection was closed" : fmt::format("{}", sent.status);
  const bool refused = sent.status == 0 || (sent.status >= 400 && sent.status < 500);
  if (!sent.record) {
    drill.outcome = refused ? Drill::Outcome::held : Drill::Outcome::failed;
    drill.detail = fmt::format("{}: {}", did, answered);
  } else {
    const DrillRecord& record = *sent.record;
    const bool denied =
        record.verdict == "deny" || record.verdict == "delay" || (record.verdict == "answer" && refused);
    const bool by_right = layers.size() == 0 || std::find(layers.begin(), layers.end(), record.layer) != layers.end();
    drill.outcome = denied && by_right ? Drill::Outcome::held : Drill::Outcome::failed;
    drill.detail = fmt::format("{}: {}, {} by {}{}{}", did, answered, record.verdict == "pass" ? "passed" : "refused",
                               record.layer, record.reason.empty() ? "" : ", ", record.reason);
    if (record.verdict == "pass") drill.detail = fmt::format("{}: {}, it reached the service", did, answered);
  }
  if (drill.outcome == Drill::Outcome::held) drill.fix.clear();
  drills_.push_back(std::move(drill));
}

// One that this machine can reach, with nothing in front of the request; TLS first.
const gateway::ListenerConfig* DrillRun::listener_for_routes() const {
  const gateway::ListenerConfig* found = nullptr;
  for (const gateway::ListenerConfig& listener : config_.listeners) {
    if (!can_be_drilled(listener)) continue;
    if (found == nullptr || (listener.tls && !found->tls)) found = &listener;
  }
  return found;
}

Result<std::vector<Drill>> run_drills(const gateway::Config& config, const DrillOptions& options,
                                      const DrillAccess& access) {
  DrillRun run(config, options, access);
  if (options.route.empty()) {
    for (std::size_t i = 0; i < config.listeners.size(); ++i) {
      if (auto done = run.listener_drills(i); !done) return tl::unexpected(std::move(done.error()));
    }
  }
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const gateway::RouteConfig& route = config.routes[i];
    if (is_built_in(config, route) || (!options.route.empty() && route.name != options.route)) continue;
    if (auto done = run.route_drills(i); !done) return tl::unexpected(std::move(done.error()));
  }
  return run.take();
}

}  // namespace gatehouse::app
