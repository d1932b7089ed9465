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

}  // namespace gatehouse::telemetry
