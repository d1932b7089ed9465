#include "app/commands/admin_commands.h"

#include <filesystem>

#include "admin/admin_api.h"
#include "app/commands/admin_output.h"
#include "base/ip.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "telemetry/explain.h"
#include "telemetry/trace.h"

namespace gatehouse::app {
namespace {

using codec::Json;

std::string uptime_text(std::int64_t seconds) {
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min", seconds / 60);
  if (seconds < 86'400) return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
  return fmt::format("{} d {} h", seconds / 86'400, seconds / 3600 % 24);
}

std::size_t widest(std::span<const Json> list, std::string_view name) {
  std::size_t width = 0;
  for (const Json& one : list) width = std::max(width, text_of(one, name).size());
  return width;
}

// What was reloaded and still acts only from the next start on.
void add_needs_restart(const Json& object, std::string_view heading, PrintedText& text) {
  const auto keys = list_of(object, "needs_restart");
  if (keys.empty()) return;
  text.literal(heading);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    text.literal(i == 0 ? "" : ", ").bad(keys[i].string().value_or(""));
  }
}

void add_status(const Json& status, PrintedText& text) {
  text.strong("gatehouse ").add(text_of(status, "version")).literal("  ");
  const std::string_view state = text_of(status, "state");
  (state == "serving" ? text.good(state) : text.bad(state)).literal("  up ");
  text.add(uptime_text(number_of(status, "uptime_seconds"))).literal("  pid ").add(number_of(status, "pid"));
  text.literal("  shards ").add(number_of(status, "shards"));
  text.literal("\n  configuration  ").add(text_of(status, "config_file"));
  text.literal(", generation ").add(number_of(status, "generation"));
  const std::int64_t routes = number_of(status, "routes");
  text.literal(", ").add(routes).literal(routes == 1 ? " route" : " routes");
  if (const Json* reload = status.find("last_reload")) {
    text.literal("\n  last reload    ").add(text_of(*reload, "time")).literal("  ");
    if (flag_of(*reload, "applied")) {
      text.good("applied");
    } else {
      text.bad("refused").literal(": ").add(text_of(*reload, "message"));
    }
  }
  add_needs_restart(status, "\n  needs a restart  ", text);
  text.literal("\n  requests       ").add(number_of(status, "requests")).literal(", ");
  text.add(number_of(status, "requests_active")).literal(" in progress, ");
  text.add(number_of(status, "denied")).literal(" denied");
  text.literal("\n  endpoints      ").add(number_of(status, "endpoints_healthy")).literal(" of ");
  text.add(number_of(status, "endpoints")).literal(" healthy");
  text.literal("\n  bans           ").add(number_of(status, "bans"));
  if (const std::int64_t dropped = number_of(status, "log_lines_dropped"); dropped > 0) {
    text.literal("\n  access log     ").bad(fmt::format("{} lines dropped", dropped));
  }
  text.literal("\n");
  const auto listeners = list_of(status, "listeners");
  if (!listeners.empty()) text.literal("\n").strong("listeners").literal("\n");
  for (const Json& listener : listeners) {
    text.literal("  ").column(text_of(listener, "name"), widest(listeners, "name"));
    text.column(text_of(listener, "address"), widest(listeners, "address"));
    text.column(text_of(listener, "zone"), widest(listeners, "zone"));
    text.literal(flag_of(listener, "tls") ? "TLS    " : "plain  ");
    text.add(number_of(listener, "connections")).literal(" connections\n");
  }
}

// "http://orders.internal:80 (192.0.2.7:80)": a name may have many addresses, each with its own health.
std::string shown_url(const Json& endpoint) {
  const std::string_view url = text_of(endpoint, "url"), address = text_of(endpoint, "address");
  return address.empty() || url.ends_with(address) ? std::string(url) : fmt::format("{} ({})", url, address);
}

void add_services(const Json& services, PrintedText& text) {
  const auto list = list_of(services, "services");
  if (!list.empty()) text.literal("\n").strong("services").literal("\n");
  for (const Json& service : list) {
    text.literal("  ").column(text_of(service, "name"), 0).add(text_of(service, "balance"));
    if (flag_of(service, "circuit_open")) text.literal("  ").bad("circuit open");
    text.literal("\n");
    const auto endpoints = list_of(service, "endpoints");
    std::size_t width = 0;
    for (const Json& endpoint : endpoints) width = std::max(width, shown_url(endpoint).size());
    for (const Json& endpoint : endpoints) {
      text.literal("    ").column(shown_url(endpoint), width);
      const std::string_view health = text_of(endpoint, "health");
      (health == "healthy" ? text.good(health) : text.bad(health)).literal("  ");
      text.add(number_of(endpoint, "requests_active")).literal(" in progress, ");
      text.add(number_of(endpoint, "requests")).literal(" requests, ");
      text.add(number_of(endpoint, "failures")).literal(" failures\n");
    }
  }
}

// The file that the gateway reads is the one that it was started with, whichever was named here.
void tell_other_file(const AdminTarget& target, const Json& report) {
  const std::string_view running = text_of(report, "config_file");
  std::error_code error;
  if (target.config_file.empty() || running.empty()) return;
  if (std::filesystem::equivalent(target.config_file, running, error) || error) return;  // or in another file system
  complain(fmt::format("the running gateway reads {}, not {}", running, target.config_file));
}

enum class Asked : std::uint8_t { reload, dry_run, rollback };

int finish_reload(const AdminTarget& target, const Result<AdminReply>& reply, Asked asked, bool json) {
  if (reply && (reply->status == 200 || reply->status == 422)) {
    const int code = reply->status == 422 ? kRefused : kDone;
    const auto report = Json::parse(reply->body, kReplyLimits);
    if (!report || !report->is_object()) return complain("the answer is not from a gatehouse admin API");
    tell_other_file(target, *report);
    if (json) return print_raw(*reply), code;
    PrintedText text(in_colour());
    for (const Json& error : list_of(*report, "errors")) text.add(error.string().value_or("")).literal("\n");
    for (const Json& change : list_of(*report, "changes")) {
      text.literal("  ").add(change.string().value_or("")).literal("\n");
    }
    if (code == kRefused) {
      text.bad("refused").literal(": the configuration in force stays as it is\n");
    } else if (asked == Asked::dry_run) {
      text.good("valid").literal(list_of(*report, "changes").empty() ? ": nothing would change\n"
                                                                     : ": not applied, dry run\n");
    } else if (flag_of(*report, "applied")) {
      text.good("applied").literal(": generation ").add(number_of(*report, "generation"));
      if (list_of(*report, "changes").empty()) text.literal(", with no setting changed; its files were read again");
      if (asked == Asked::rollback) {
        text.literal("\nthe next reload or start takes what ").add(text_of(*report, "config_file")).literal(" says");
      }
      text.literal("\n");
    } else {
      text.literal("nothing has changed\n");
    }
    if (code == kDone && !list_of(*report, "needs_restart").empty()) {
      add_needs_restart(*report, "not before a restart: ", text);
      text.literal("\n");
    }
    text.print_out();
    return code;
  }
  int code = kFailed;
  expect_json(target, reply, code);
  return code;
}

std::string not_a_network(const std::string& text) {
  return fmt::format("'{}' is no address and no network{}", text,
                     text.find('/') == std::string::npos ? "" : "; a network has no bits set behind its prefix");
}

}  // namespace

int run_status(const AdminTarget& target, bool json) {
  int code = kDone;
  const auto reply = admin_call(target, "GET", "/v1/status");
  const auto status = expect_json(target, reply, code);
  if (!status) return code;
  if (json) return print_raw(*reply);
  const auto services = expect_json(target, admin_call(target, "GET", "/v1/services"), code);
  if (!services) return code;
  PrintedText text(in_colour());
  add_status(*status, text);
  add_services(*services, text);
  text.print_out();
  return kDone;
}

Result<std::string> sign_in_link(const AdminTarget& target, const std::string& role) {
  const auto reply = admin_call(target, "POST", "/v1/session/code", fmt::format(R"({{"role":"{}"}})", role));
  if (!reply) return tl::unexpected(reply.error());
  const auto json = Json::parse(reply->body, kReplyLimits);
  if (reply->status != 201 || !json)
    return fail(ErrorCode::internal, fmt::format("the admin API answers {}: {}", reply->status, reply->body));
  return fmt::format("http://{}/#code={}", target.address, text_of(*json, "code"));
}

int run_dashboard(const AdminTarget& target, const std::string& role, bool json) {
  if (target.is_local()) {
    return complain(
        fmt::format("a browser cannot open {}; from your own machine: ssh -L 9900:{} HOST, and then "
                    "http://localhost:9900/",
                    target.address, target.address.substr(std::string_view("unix:").size())));
  }
  const auto link = sign_in_link(target, role);
  if (!link) return complain(link.error().message);
  print(json ? fmt::format("{{\"link\":\"{}\",\"role\":\"{}\"}}\n", *link, role) : *link + "\n");
  return kDone;
}

int run_reload(const AdminTarget& target, bool dry_run, bool json) {
  return finish_reload(target, admin_call(target, "POST", "/v1/reload", dry_run ? R"({"dry_run":true})" : "{}"),
                       dry_run ? Asked::dry_run : Asked::reload, json);
}

int run_rollback(const AdminTarget& target, bool json) {
  return finish_reload(target, admin_call(target, "POST", "/v1/rollback", "{}"), Asked::rollback, json);
}

int run_bans_list(const AdminTarget& target, bool json) {
  int code = kDone;
  const auto reply = admin_call(target, "GET", "/v1/bans");
  const auto answer = expect_json(target, reply, code);
  if (!answer) return code;
  if (json) return print_raw(*reply);
  const auto bans = list_of(*answer, "bans");
  PrintedText text(in_colour());
  if (bans.empty()) text.literal("nobody is banned\n");
  for (const Json& ban : bans) {
    text.column(text_of(ban, "network"), widest(bans, "network"))
        .column(text_of(ban, "source"), widest(bans, "source"));
    const std::string until = fmt::format("until {}", text_of(ban, "until"));
    text.column(text_of(ban, "until").empty() ? "for as long as it is configured" : until, 0);
    text.add(text_of(ban, "reason")).literal("\n");
  }
  text.print_out();
  return kDone;
}

int run_bans_add(const AdminTarget& target, const std::string& network, const std::string& duration,
                 const std::string& reason, bool json) {
  if (!Network::parse(network)) return complain(not_a_network(network), kRefused);
  if (!admin::parse_ban_duration(duration))
    return complain(fmt::format("--for takes a time such as 10m, 24h or 7d, a year at most, not '{}'", duration),
                    kRefused);
  std::string body;
  {
    codec::JsonWriter writer(body);
    writer.raw("{\"network\":"), writer.string(network);
    writer.raw(",\"duration\":"), writer.string(duration);
    writer.raw(",\"reason\":"), writer.string(reason);
    writer.raw("}");
  }
  int code = kDone;
  const auto reply = admin_call(target, "POST", "/v1/bans", body);
  if (!expect_json(target, reply, code)) return code;
  if (json) return print_raw(*reply);
  PrintedText text(in_colour());
  text.add(network).literal(" is banned for ").add(duration).literal("\n").print_out();
  return kDone;
}

int run_bans_remove(const AdminTarget& target, const std::string& network, bool json) {
  // Nothing but an address or network goes into the path.
  const auto parsed = Network::parse(network);
  if (!parsed) return complain(not_a_network(network), kRefused);
  int code = kDone;
  const auto reply = admin_call(target, "DELETE", "/v1/bans/" + parsed->to_string());
  if (!expect_json(target, reply, code)) return code;
  if (json) return print_raw(*reply);
  PrintedText text(in_colour());
  text.add(network).literal(" is no longer banned\n").print_out();
  return kDone;
}

int run_explain(const AdminTarget& target, const std::string& request_id, const std::optional<std::string>& log_file,
                bool json) {
  if (!telemetry::is_request_id(request_id)) {
    return complain(fmt::format("'{}' is no request id: it has 26 characters of 0-9 and a-z, and every answer carries "
                                "it in x-request-id",
                                request_id),
                    kRefused);
  }
  std::string line;
  if (log_file) {
    auto found = telemetry::find_in_log(*log_file, request_id);
    if (!found) return complain(found.error().message);
    line = std::move(*found);
  } else {
    int code = kDone;
    auto reply = admin_call(target, "GET", "/v1/requests/" + request_id);
    if (!expect_json(target, reply, code)) return code;
    line = std::move(reply->body);
  }
  if (json) {
    print(line);
    print("\n");
    return kDone;
  }
  const auto text = telemetry::explain(line, {.colour = in_colour()});
  if (!text) return complain(text.error().message);
  print(*text);
  return kDone;
}

}  // namespace gatehouse::app
