// What is tried of a listener as a whole: its syntax, its bounds, its TLS, what is not listed, and bans.

#include <fmt/format.h>

#include <algorithm>

#include "app/verify/drill_request.h"
#include "app/verify/drills.h"

namespace gatehouse::app {
namespace {

using Outcome = Drill::Outcome;

// Messages of which two parsers could make two things (docs/strictness.md); each must be refused, none passed on.
struct Malformed {
  std::string_view name, bytes;
};
constexpr Malformed kMalformed[] = {
    {"both Content-Length and Transfer-Encoding",
     "POST / HTTP/1.1\r\nHost: drill.invalid\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
    {"two Content-Lengths",
     "POST / HTTP/1.1\r\nHost: drill.invalid\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"},
    {"a Content-Length with a sign", "POST / HTTP/1.1\r\nHost: drill.invalid\r\nContent-Length: +1\r\n\r\nx"},
    {"an unknown transfer coding",
     "POST / HTTP/1.1\r\nHost: drill.invalid\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
    {"a chunk size that is none",
     "POST / HTTP/1.1\r\nHost: drill.invalid\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n"},
    {"lines that end in LF alone", "GET / HTTP/1.1\nHost: drill.invalid\n\n"},
    {"a space before the colon", "GET / HTTP/1.1\r\nHost : drill.invalid\r\n\r\n"},
    {"a folded field", "GET / HTTP/1.1\r\nHost: drill.invalid\r\nX-Drill: a\r\n b\r\n\r\n"},
    {"no Host", "GET / HTTP/1.1\r\n\r\n"},
    {"two Hosts", "GET / HTTP/1.1\r\nHost: drill.invalid\r\nHost: other.invalid\r\n\r\n"},
    {"a NUL in a field", std::string_view("GET / HTTP/1.1\r\nHost: drill.invalid\r\nX-Drill: a\0b\r\n\r\n", 62)},
    {"an encoded NUL in the path", "GET /%00 HTTP/1.1\r\nHost: drill.invalid\r\n\r\n"},
    {"a path that climbs above its root", "GET /../../etc/passwd HTTP/1.1\r\nHost: drill.invalid\r\n\r\n"},
    {"a version that is none", "GET / HTTP/1.9\r\nHost: drill.invalid\r\n\r\n"},
};

bool takes_everything(const gateway::Config& config) {
  return std::any_of(config.routes.begin(), config.routes.end(), [](const gateway::RouteConfig& route) {
    return route.match.hosts.empty() && route.match.path == "/**" && route.match.headers.empty() &&
           route.match.query.empty();
  });
}

}  // namespace

Status DrillRun::try_malformed(const gateway::ListenerConfig& listener, const Drill& base) {
  Drill drill = base;
  drill.name = "malformed", drill.practice = "gateway";
  std::string passed;
  for (const Malformed& one : kMalformed) {
    auto sent = send(listener, next_source(), one.bytes);
    if (!sent) return tl::unexpected(std::move(sent.error()));
    if (sent->status == 0 || (sent->status >= 400 && sent->status < 500)) continue;
    passed += fmt::format("{}{} ({})", passed.empty() ? "" : ", ", one.name, sent->status);
  }
  drill.outcome = passed.empty() ? Outcome::held : Outcome::failed;
  drill.detail = passed.empty() ? fmt::format("{} malformed messages were refused", std::size(kMalformed))
                                : "not refused: " + passed;
  if (!passed.empty()) drill.fix = "this is a fault of the gateway: report it";
  drills_.push_back(std::move(drill));
  return {};
}

Status DrillRun::try_bounds(const gateway::ListenerConfig& listener, const Drill& base) {
  struct Bound {
    std::string_view name;
    DrillRequest request;
  };
  std::vector<Bound> bounds(3);
  bounds[0] = {"oversized_uri", {}};
  bounds[0].request.path = "/" + std::string(listener.limits.uri_bytes, 'a');
  bounds[1] = {"oversized_header", {}};
  bounds[1].request.fields.emplace_back("x-drill", std::string(listener.limits.header_bytes, 'a'));
  bounds[2] = {"too_many_headers", {}};
  for (std::uint32_t i = 0; i <= listener.limits.headers; ++i)
    bounds[2].request.fields.emplace_back(fmt::format("x-drill-{}", i), "a");
  for (const Bound& bound : bounds) {
    Drill drill = base;
    drill.name = bound.name, drill.practice = "gateway";
    const auto sent = send(listener, next_source(), bound.request.bytes());
    if (!sent) return tl::unexpected(sent.error());
    judge(*sent, {}, std::move(drill), "a request beyond the bound");
  }
  Drill drill = base;
  drill.name = "trace", drill.practice = "gateway";
  DrillRequest request;
  request.method = "TRACE";
  const auto sent = send(listener, next_source(), request.bytes());
  if (!sent) return tl::unexpected(sent.error());
  judge(*sent, {}, std::move(drill), "TRACE");
  return {};
}

Status DrillRun::try_tls(const gateway::ListenerConfig& listener, const Drill& base) {
  Drill drill = base;
  drill.name = "tls", drill.practice = "data_protection";
  if (!listener.tls) {
    skip(std::move(drill), "the listener has no TLS");
    return {};
  }
  const DrillConnection connection = connection_to(listener, next_source());
  std::string agreed;
  for (const std::string_view version : {"1.0", "1.1"}) {
    const auto agrees = connection.agrees_on_tls(version);
    if (!agrees) return tl::unexpected(agrees.error());
    if (*agrees) agreed += fmt::format("{}TLS {}", agreed.empty() ? "" : ", ", version);
  }
  const auto plain = connection.send_plain(DrillRequest{}.bytes());
  if (!plain) return tl::unexpected(plain.error());
  if (plain->status >= 200 && plain->status < 400) agreed += agreed.empty() ? "plain HTTP" : ", plain HTTP";
  drill.outcome = agreed.empty() ? Outcome::held : Outcome::failed;
  drill.detail = agreed.empty() ? "TLS 1.0, TLS 1.1 and plain HTTP were refused" : "accepted: " + agreed;
  if (!agreed.empty()) drill.fix = "tls: { min_version: \"1.2\" }";
  drills_.push_back(std::move(drill));
  return {};
}

Status DrillRun::try_unlisted(const gateway::ListenerConfig& listener, const Drill& base) {
  Drill drill = base;
  drill.name = "unlisted", drill.practice = "gateway", drill.fix = "give routes the hosts and paths that they are for";
  if (takes_everything(config_)) {
    skip(std::move(drill), "a route takes every host and path");
    return {};
  }
  DrillRequest request;
  request.path = "/.drill/what-no-route-names";
  const auto sent = send(listener, next_source(), request.bytes());
  if (!sent) return tl::unexpected(sent.error());
  judge(*sent, {}, std::move(drill), "a host and a path that no route names");
  return {};
}

Status DrillRun::try_bans(const gateway::ListenerConfig& listener, const Drill& base) {
  constexpr std::uint32_t kThresholdMax = 100;
  Drill drill = base;
  drill.name = "repeated_attacks", drill.practice = "rate_limits",
  drill.fix = "penalties: { attacks: { threshold: 10 } }";
  const auto& attacks = config_.penalties.attacks;
  if (!attacks || config_.mode(telemetry::Layer::penalties, nullptr) != gateway::Mode::enforce) {
    drill.outcome = Outcome::failed;
    drill.detail = "who keeps attacking is not banned: penalties.attacks is off";
    drills_.push_back(std::move(drill));
    return {};
  }
  if (attacks->threshold > kThresholdMax || !access_.find_record || !listener.address.unix_path.empty()) {
    skip(std::move(drill), !access_.find_record ? "whether a ban refused it can only be told by the admin API"
                           : !listener.address.unix_path.empty()
                               ? "clients of a Unix socket have no address"
                               : fmt::format("{} attacks would be needed", attacks->threshold));
    return {};
  }
  const std::string source = next_source();
  for (std::uint32_t i = 0; i < attacks->threshold; ++i) {
    if (auto sent = send(listener, source, kMalformed[0].bytes); !sent) return tl::unexpected(std::move(sent.error()));
  }
  const auto sent = send(listener, source, DrillRequest{}.bytes());
  if (!sent) return tl::unexpected(sent.error());
  judge(*sent, {"bans"}, std::move(drill), fmt::format("an ordinary request after {} attacks", attacks->threshold));
  if (access_.lift_ban) access_.lift_ban(source);
  return {};
}

Status DrillRun::listener_drills(std::size_t index) {
  const gateway::ListenerConfig& listener = config_.listeners[index];
  Drill base;
  base.where = "listener " + listener.name;
  base.path = fmt::format("listeners/{}", index);
  if (!can_be_drilled(listener)) {
    base.name = "listener", base.practice = "gateway";
    skip(base, listener.proxy_protocol != gateway::ProxyProtocol::off
                   ? "it expects a PROXY header, which only its proxies send"
                   : "it asks for a client certificate");
    return {};
  }
  for (auto part : {&DrillRun::try_malformed, &DrillRun::try_bounds, &DrillRun::try_tls, &DrillRun::try_unlisted,
                    &DrillRun::try_bans}) {
    if (auto done = (this->*part)(listener, base); !done) return done;
  }
  return {};
}

}  // namespace gatehouse::app
