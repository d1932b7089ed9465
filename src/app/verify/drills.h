#pragma once
// Attack drills against the running gateway, and whether its defences held: `gatehouse verify`.
//
// Harmless by design: everything goes to the listeners of the configuration, on this machine; what a drill sends asks
// for nothing, and where it might reach a service its method changes nothing (`all_methods` lifts that); each comes
// from a client address of its own within 127.0.0.0/8, so that no penalty meets anybody else, and bans that drills earn
// are lifted again.
//
// What held is told by the gateway's own decision records where the admin API can be asked: a refusal by the layer that
// should refuse, not just some 4xx. Without it, by the answer.
// Blocks; one thread.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/verify/drill_connection.h"
#include "base/result.h"
#include "gateway/config.h"

namespace gatehouse::app {

struct Drill {
  enum class Outcome : std::uint8_t { held, failed, skipped } outcome = Outcome::skipped;
  std::string where;     // "listener public", "route orders-read"
  std::string path;      // of that in the configuration, as `locate` takes it: "routes/0"
  std::string name;      // stable: "unauthenticated", "injection"
  std::string practice;  // which one it tries: "gateway", "tokens", "waf"
  std::string detail;    // what happened, or why it does not apply
  std::string fix;       // where it failed
};
std::string_view name_of(Drill::Outcome outcome) noexcept;

struct DrillOptions {
  std::string token;         // a bearer token that is good, to get past authentication; may be empty
  std::string route;         // only this one; empty: all
  bool all_methods = false;  // also methods that could change something, should a defence fail
  bool rates = false;        // as many requests as a limit admits; services see them
};

// What became of a request, from its decision record.
struct DrillRecord {
  std::string verdict, layer, reason;
};
using FindRecord = std::function<std::optional<DrillRecord>(std::string_view request_id)>;
using LiftBan = std::function<void(std::string_view address)>;

struct DrillAccess {
  FindRecord find_record;                             // empty: the admin API cannot be asked
  LiftBan lift_ban;                                   // likewise
  std::map<std::string, gateway::Address> addresses;  // where listeners are; others are where the configuration says
};

// Every drill that applies, and why others don't. unavailable: no listener answers.
Result<std::vector<Drill>> run_drills(const gateway::Config& config, const DrillOptions& options,
                                      const DrillAccess& access);

// The parts of it; for drills*.cc only.
class DrillRun {
 public:
  DrillRun(const gateway::Config& config, const DrillOptions& options, const DrillAccess& access)
      : config_(config), options_(options), access_(access) {}

  Status listener_drills(std::size_t index);
  Status route_drills(std::size_t index);
  std::vector<Drill> take() { return std::move(drills_); }

 private:
  struct Sent {
    int status = 0;
    std::string request_id, location;
    std::optional<DrillRecord> record;
  };
  struct RouteRequest;
  const gateway::ListenerConfig* listener_for_routes() const;
  std::string next_source();
  DrillConnection connection_to(const gateway::ListenerConfig& listener, std::string source) const;
  Result<Sent> send(const gateway::ListenerConfig& listener, const std::string& source, std::string_view bytes);

  // Adds a drill that held when the request was refused: by one of `layers` (all, when empty), as far as can be known.
  void judge(const Sent& sent, std::initializer_list<std::string_view> layers, Drill drill, std::string_view did);
  void skip(Drill drill, std::string why);

  Status try_malformed(const gateway::ListenerConfig& listener, const Drill& base);
  Status try_bounds(const gateway::ListenerConfig& listener, const Drill& base);
  Status try_tls(const gateway::ListenerConfig& listener, const Drill& base);
  Status try_unlisted(const gateway::ListenerConfig& listener, const Drill& base);
  Status try_bans(const gateway::ListenerConfig& listener, const Drill& base);
  Status try_authentication(const RouteRequest& request, const Drill& base);
  Status try_roles(const RouteRequest& request, const Drill& base);
  Status try_zone(const RouteRequest& request, const Drill& base);
  Status try_injections(const RouteRequest& request, const Drill& base);
  Status try_body(const RouteRequest& request, const Drill& base);
  Status try_rate(const RouteRequest& request, const Drill& base);

  const gateway::Config& config_;
  const DrillOptions& options_;
  const DrillAccess& access_;
  std::vector<Drill> drills_;
  std::uint32_t sources_ = 0;
};

}  // namespace gatehouse::app
