#include "app/export/export_target.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace gatehouse::app {
namespace {

using Transport = ExportTarget::Transport;

struct Scheme {
  std::string_view text;
  ExportProtocol protocol;
  Transport transport;
  std::uint16_t port;  // unless one is given
};
constexpr std::array<Scheme, 15> kSchemes{{
    {"otlp+http://", ExportProtocol::otlp, Transport::http, 4318},
    {"otlp+https://", ExportProtocol::otlp, Transport::http, 4318},
    {"influx+http://", ExportProtocol::influx, Transport::http, 8086},
    {"influx+https://", ExportProtocol::influx, Transport::http, 8086},
    {"elastic+http://", ExportProtocol::elastic, Transport::http, 9200},
    {"elastic+https://", ExportProtocol::elastic, Transport::http, 9200},
    {"splunk+http://", ExportProtocol::splunk, Transport::http, 8088},
    {"splunk+https://", ExportProtocol::splunk, Transport::http, 8088},
    {"statsd://", ExportProtocol::statsd, Transport::udp, 8125},
    {"dogstatsd://", ExportProtocol::dogstatsd, Transport::udp, 8125},
    {"syslog://", ExportProtocol::syslog, Transport::udp, 514},
    {"syslog+tcp://", ExportProtocol::syslog, Transport::tcp, 601},
    {"syslog+tls://", ExportProtocol::syslog, Transport::tls, 6514},
    {"tcp://", ExportProtocol::lines, Transport::tcp, 5000},
    {"tls://", ExportProtocol::lines, Transport::tls, 5000},
}};

tl::unexpected<Error> wrong(std::string what) {
  return fail(ErrorCode::invalid, std::move(what), ErrorSource::configuration);
}

// "host", "host:port", "[v6]:port".
Status read_authority(std::string_view text, ExportTarget& target) {
  std::string_view digits;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return wrong("no ']' after the address");
    target.host = text.substr(1, close - 1);
    digits = text.substr(close + 1);
    if (!digits.empty() && digits.front() != ':') return wrong("expected ':' and a port after ']'");
  } else {
    const std::size_t colon = text.find(':');
    target.host = text.substr(0, colon);
    if (colon != std::string_view::npos) digits = text.substr(colon);
  }
  if (target.host.empty()) return wrong("no host");
  const auto fits = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '%';
  };
  if (!std::all_of(target.host.begin(), target.host.end(), fits)) return wrong("a host has no such characters");
  if (digits.empty()) return {};
  digits.remove_prefix(1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), target.port);
  if (error != std::errc() || end != digits.data() + digits.size() || target.port == 0) return wrong("bad port");
  return {};
}

}  // namespace

std::string_view name_of(ExportSignal signal) noexcept {
  constexpr std::string_view kNames[] = {"records", "traces", "metrics"};
  return kNames[static_cast<std::size_t>(signal)];
}

bool ExportTarget::takes(ExportSignal signal) const noexcept {
  switch (protocol) {
    case ExportProtocol::otlp: return true;
    case ExportProtocol::influx:
    case ExportProtocol::statsd:
    case ExportProtocol::dogstatsd: return signal == ExportSignal::metrics;
    case ExportProtocol::elastic:
    case ExportProtocol::splunk:
    case ExportProtocol::syslog:
    case ExportProtocol::lines: return signal == ExportSignal::records;
  }
  return false;
}

std::string ExportTarget::name() const {
  constexpr std::string_view kNames[] = {"otlp",   "influx",    "elastic", "splunk",
                                         "statsd", "dogstatsd", "syslog",  "lines"};
  std::string name(kNames[static_cast<std::size_t>(protocol)]);
  name += '-';
  for (const char c : host) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    name += (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '.' ? lower : '-';
  }
  return name + '-' + std::to_string(port);
}

Result<ExportTarget> parse_export_target(std::string_view text) {
  const auto scheme =
      std::find_if(kSchemes.begin(), kSchemes.end(), [&](const Scheme& s) { return text.starts_with(s.text); });
  if (scheme == kSchemes.end()) {
    return wrong(
        "no such receiver; begin with otlp+http://, influx+http://, elastic+http://, splunk+http:// (or https), "
        "statsd://, dogstatsd://, syslog://, syslog+tcp://, syslog+tls://, tcp:// or tls://");
  }
  ExportTarget target{.protocol = scheme->protocol, .transport = scheme->transport, .port = scheme->port};
  std::string_view rest = text.substr(scheme->text.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  if (authority.find('@') != std::string_view::npos) {
    return wrong("a password in the address would be shown with it: say `token` instead");
  }
  if (auto read = read_authority(authority, target); !read) return tl::unexpected(read.error());
  std::string_view path = rest.substr(slash);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (target.transport != Transport::http) {
    if (!path.empty()) return wrong("only a host and a port may follow '://'");
    return target;
  }
  if (path.find_first_of("?# \"\\") != std::string_view::npos) return wrong("no query and no fragment may follow");
  const bool v6 = target.host.find(':') != std::string::npos;
  target.url = scheme->text.ends_with("+https://") ? "https://" : "http://";
  target.url += v6 ? "[" + target.host + "]" : target.host;
  target.url += ":" + std::to_string(target.port);
  target.url += path;
  return target;
}

}  // namespace gatehouse::app
