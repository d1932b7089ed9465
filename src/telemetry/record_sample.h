#pragma once
// A decision record as a busy shop produces it: eight layers, evidence on some. For tests and benchmarks.

#include <cstring>

#include "telemetry/decision_record.h"

namespace gatehouse::telemetry {

inline DecisionRecord sample_record() {
  DecisionRecord record;
  record.time = WallTime(Duration(1'750'000'000'123'456'000));
  record.request_id = "01jxt1rqwvh7r3k9w2m4d8c6f5";
  std::memcpy(record.trace_id.data(), "4bf92f3577b34da6a3ce929d0e0e4736", 32);
  record.client_ip = *IpAddress::parse("203.0.113.9");
  record.zone = "external";
  record.listener = "public";
  record.route = "orders-read";
  record.service = "orders";
  record.endpoint = "http://127.0.0.1:9001";
  record.method = "GET";
  record.host = "shop.example";
  record.path = "/orders/1234/items";
  record.protocol = "HTTP/2";
  record.status = 200;
  record.bytes_in = 412, record.bytes_out = 1833;
  record.duration_us = 2750, record.upstream_us = 2610, record.gatehouse_us = 64;
  record.user = "alice@shop.example";
  record.auth = "jwt";
  record.tls = "TLSv1.3";
  const auto pass = [&](Layer layer, std::uint32_t ns, std::string_view evidence = {}) {
    record.add({layer, Verdict::pass, Mode::enforce, ns, {}, evidence});
  };
  pass(Layer::bans, 41);
  pass(Layer::zone, 23);
  pass(Layer::limits, 18);
  pass(Layer::rate, 136, "client_ip 203.0.113.9: 12 of 1000 in the burst");
  pass(Layer::authentication, 310, "jwt main: verified token, cached");
  pass(Layer::authorization, 52, "role customer");
  pass(Layer::cors, 12);
  pass(Layer::upstream, 2410, "1 attempt");
  return record;
}

// What the inspection rules found in an injection.
inline WafRecord sample_waf() {
  WafRecord waf;
  waf.score = 10, waf.threshold = 5, waf.levels = {10, 0, 0, 0};
  WafHit& first = waf.hits[waf.hit_count++];
  first.rule = 942100, first.score = 5, first.level = 1, first.phase = 2, first.severity = "critical";
  first.message = "SQL Injection Attack Detected via libinjection";
  first.variable = "ARGS:id", first.matched = "1' OR 1=1";
  first.tags[first.tag_count++] = "attack-sqli";
  first.tags[first.tag_count++] = "paranoia-level/1";
  WafHit& second = waf.hits[waf.hit_count++];
  second = first;
  second.rule = 942190, second.times = 2, second.tag_count = 0;
  second.message = "Detects MSSQL code execution and information gathering attempts";
  WafHit& last = waf.hits[waf.hit_count++];
  last.rule = 949110, last.phase = 2, last.message = "Inbound Anomaly Score Exceeded (Total Score: 10)";
  last.variable = "TX:anomaly_score", last.matched = "10";
  return waf;
}

}  // namespace gatehouse::telemetry
