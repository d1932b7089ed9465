#include "app/commands/verify.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <thread>

#include "app/commands/admin_output.h"
#include "app/config/load.h"
#include "codec/json_writer.h"
#include "telemetry/explain.h"

namespace gatehouse::app {
namespace {

using Outcome = Drill::Outcome;
using codec::Json;

std::size_t count_of(const std::vector<Drill>& drills, Outcome outcome) {
  return static_cast<std::size_t>(
      std::count_if(drills.begin(), drills.end(), [&](const Drill& drill) { return drill.outcome == outcome; }));
}

// What the gateway says of a request; it is there a moment after the answer.
std::optional<DrillRecord> find_record(const AdminTarget& target, std::string_view request_id) {
  for (int tries = 0; tries < 20; ++tries) {
    const auto reply = admin_call(target, "GET", "/v1/requests/" + std::string(request_id));
    if (!reply || (reply->status != 200 && reply->status != 404)) return std::nullopt;
    if (reply->status == 200) {
      const auto record = Json::parse(reply->body, kReplyLimits);
      if (!record || !record->is_object()) return std::nullopt;
      return DrillRecord{std::string(text_of(*record, "verdict")), std::string(text_of(*record, "layer")),
                         std::string(text_of(*record, "reason"))};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return std::nullopt;
}

// Where the listeners are, as the gateway says: a port of 0 is one that the kernel has chosen.
std::map<std::string, gateway::Address> addresses_in(std::string_view status) {
  std::map<std::string, gateway::Address> addresses;
  const auto parsed = Json::parse(status, kReplyLimits);
  if (!parsed || !parsed->is_object()) return addresses;
  for (const Json& listener : list_of(*parsed, "listeners")) {
    gateway::Address at;
    std::string_view text = text_of(listener, "address");
    if (text.starts_with("unix:")) {
      at.unix_path = text.substr(5);
    } else {
      const std::size_t colon = text.rfind(':');
      std::uint16_t port = 0;
      if (colon == std::string_view::npos ||
          std::from_chars(text.data() + colon + 1, text.data() + text.size(), port).ec != std::errc()) {
        continue;
      }
      at.host = text.substr(0, colon);
      if (at.host.starts_with('[')) at.host = at.host.substr(1, at.host.size() - 2);
      at.port = port;
    }
    addresses.emplace(text_of(listener, "name"), std::move(at));
  }
  return addresses;
}

DrillAccess access_by(const AdminTarget& target) {
  const auto status = admin_call(target, "GET", "/v1/status");
  if (!status || status->status != 200) {
    complain("the admin API cannot be asked: what held is told by answers alone");
    return {};
  }
  return {[target](std::string_view id) { return find_record(target, id); },
          [target](std::string_view address) {
            (void)admin_call(target, "DELETE", "/v1/bans/" + std::string(address) + "/32");
          },
          addresses_in(status->body)};
}

std::string xml(std::string_view text) {
  std::string printable, out;
  telemetry::append_printable(text, printable);
  for (const char c : printable) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string drills_to_sarif(const std::vector<Drill>& drills, const LoadOutcome& outcome) {
  std::vector<Diagnostic> found;
  for (const Drill& drill : drills) {
    if (drill.outcome != Outcome::failed) continue;
    found.push_back({Severity::error, "drill." + drill.name, outcome.file, locate(outcome.root, drill.path),
                     drill.where + ": " + drill.detail, "", drill.fix});
  }
  return to_sarif(found, outcome.file, "gatehouse verify");
}

}  // namespace

std::string drills_to_text(const std::vector<Drill>& drills, bool colour) {
  PrintedText text(colour);
  std::string_view where;
  std::size_t width = 0;
  for (const Drill& drill : drills) width = std::max(width, drill.name.size());
  for (const Drill& drill : drills) {
    if (drill.where != where) text.literal(where.empty() ? "" : "\n").strong(drill.where).literal("\n");
    where = drill.where;
    text.literal("  ");
    switch (drill.outcome) {
      case Outcome::held: text.good("held   "); break;
      case Outcome::failed: text.bad("FAILED "); break;
      case Outcome::skipped: text.literal("-      "); break;
    }
    text.literal(" ").column(drill.name, width).add(drill.detail).literal("\n");
    if (!drill.fix.empty()) text.literal("           fix: ").add(drill.fix).literal("\n");
  }
  const std::size_t failed = count_of(drills, Outcome::failed);
  text.literal("\n").add(static_cast<std::int64_t>(count_of(drills, Outcome::held))).literal(" held, ");
  const std::string failures = fmt::format("{} failed", failed);
  (failed > 0 ? text.bad(failures) : text.literal(failures)).literal(", ");
  text.add(static_cast<std::int64_t>(count_of(drills, Outcome::skipped))).literal(" do not apply\n");
  return text.text();
}

std::string drills_to_json(const std::vector<Drill>& drills) {
  std::string out;
  codec::JsonWriter json(out);
  json.raw("{\"held\":"), json.number(count_of(drills, Outcome::held));
  json.raw(",\"failed\":"), json.number(count_of(drills, Outcome::failed));
  json.raw(",\"skipped\":"), json.number(count_of(drills, Outcome::skipped));
  json.raw(",\"drills\":[");
  for (std::size_t i = 0; i < drills.size(); ++i) {
    const Drill& drill = drills[i];
    json.raw(i == 0 ? "{\"outcome\":" : ",{\"outcome\":"), json.string(name_of(drill.outcome));
    json.raw(",\"where\":"), json.string(drill.where);
    json.raw(",\"name\":"), json.string(drill.name);
    json.raw(",\"practice\":"), json.string(drill.practice);
    json.raw(",\"detail\":"), json.string(drill.detail);
    json.raw(",\"fix\":"), json.string(drill.fix);
    json.raw("}");
  }
  json.raw("]}\n");
  json.flush();
  return out;
}

std::string drills_to_junit(const std::vector<Drill>& drills) {
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  out += fmt::format("<testsuites name=\"gatehouse verify\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n",
                     drills.size(), count_of(drills, Outcome::failed), count_of(drills, Outcome::skipped));
  for (std::size_t begin = 0; begin < drills.size();) {
    std::size_t end = begin;
    while (end < drills.size() && drills[end].where == drills[begin].where) ++end;
    const std::vector<Drill> suite(drills.begin() + static_cast<std::ptrdiff_t>(begin),
                                   drills.begin() + static_cast<std::ptrdiff_t>(end));
    out +=
        fmt::format("  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">\n", xml(suite.front().where),
                    suite.size(), count_of(suite, Outcome::failed), count_of(suite, Outcome::skipped));
    for (const Drill& drill : suite) {
      out += fmt::format("    <testcase classname=\"{}\" name=\"{}\">", xml(drill.where), xml(drill.name));
      if (drill.outcome == Outcome::failed)
        out += fmt::format("<failure message=\"{}\">fix: {}</failure>", xml(drill.detail), xml(drill.fix));
      if (drill.outcome == Outcome::skipped) out += fmt::format("<skipped message=\"{}\"/>", xml(drill.detail));
      if (drill.outcome == Outcome::held) out += fmt::format("<system-out>{}</system-out>", xml(drill.detail));
      out += "</testcase>\n";
    }
    out += "  </testsuite>\n";
    begin = end;
  }
  return out + "</testsuites>\n";
}

int run_verify(const AdminOptions& admin, const VerifyOptions& options) {
  const LoadOutcome outcome = load_config(admin.config_path);
  if (!outcome.ok()) {
    std::fputs(to_text(outcome.diagnostics, outcome.source, wants_colour(STDERR_FILENO)).c_str(), stderr);
    return kRefused;
  }
  const auto& routes = outcome.config->routes;
  if (!options.drills.route.empty() &&
      std::none_of(routes.begin(), routes.end(),
                   [&](const gateway::RouteConfig& route) { return route.name == options.drills.route; })) {
    return complain(fmt::format("there is no route '{}'", options.drills.route), kRefused);
  }
  DrillAccess access;
  const bool has_admin = !admin.address.empty() || outcome.config->admin.address.is_given();
  if (has_admin) with_target(admin, [&](const AdminTarget& target) { return access = access_by(target), kDone; });
  const auto drills = run_drills(*outcome.config, options.drills, access);
  if (!drills) return complain(drills.error().message);
  if (options.format == "json") {
    print(drills_to_json(*drills));
  } else if (options.format == "junit") {
    print(drills_to_junit(*drills));
  } else if (options.format == "sarif") {
    print(drills_to_sarif(*drills, outcome));
  } else {
    print(drills_to_text(*drills, in_colour()));
  }
  return count_of(*drills, Outcome::failed) > 0 ? kFailed : kDone;
}

}  // namespace gatehouse::app
