#include "app/commands/waf_suggest.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "app/commands/admin_client.h"
#include "app/config/documents.h"
#include "gateway/layers/waf/route_tuning.h"
#include "telemetry/trace.h"

namespace gatehouse::app {
namespace {

using nlohmann::json;

constexpr std::chrono::days kProposedEnd{90};
constexpr std::size_t kListedMax = 10;

std::string text_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}
std::int64_t number_of(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<std::int64_t>() : 0;
}

struct Hit {
  std::int64_t rule = 0, score = 0;
  std::int64_t elsewhere = 0;          // values of which the record does not say where they stood
  std::vector<std::string> variables;  // in which it matched; the first one alone in records of old
  std::string message;
};
struct Refused {
  std::string id, route, path, client, reason;
  std::int64_t score = 0, threshold = 0;
  std::vector<Hit> hits;
};

// Null: it was not the rules that refused it.
std::optional<Refused> refused_of(const std::string& record) {
  const json read = json::parse(record, nullptr, false);
  if (!read.is_object() || !read.contains("waf") || !read["waf"].is_object()) return std::nullopt;
  const json& waf = read["waf"];
  Refused result{
      text_of(read, "request_id"), text_of(read, "route"),  text_of(read, "path"),       text_of(read, "client_ip"),
      text_of(read, "reason"),     number_of(waf, "score"), number_of(waf, "threshold"), {}};
  const auto layers = read.find("layers");
  for (const json& layer : layers != read.end() && layers->is_array() ? *layers : json::array()) {
    // In monitor mode the request passed; the layer tells what it would have done.
    if (layer.is_object() && text_of(layer, "layer") == "waf" && text_of(layer, "verdict") == "deny")
      result.reason = text_of(layer, "reason");
  }
  // The answer's score is its own: only rules that look at the answer add to it.
  const bool answer = result.reason == "waf.response_score" || result.reason == "waf.response_rule";
  if (answer) result.reason = result.reason == "waf.response_score" ? "waf.score" : "waf.rule";
  if (result.reason != "waf.score" && result.reason != "waf.rule") return std::nullopt;
  const auto rules = waf.find("rules");
  for (const json& rule : rules != waf.end() && rules->is_array() ? *rules : json::array()) {
    if (!rule.is_object() || (number_of(rule, "phase") >= 3) != answer) continue;
    Hit hit{number_of(rule, "rule"), number_of(rule, "score"), number_of(rule, "elsewhere"), {}, ""};
    hit.variables.push_back(text_of(rule, "variable"));
    const auto also = rule.find("also");
    for (const json& variable : also != rule.end() && also->is_array() ? *also : json::array()) {
      if (variable.is_string()) hit.variables.push_back(variable.get<std::string>());
    }
    hit.message = text_of(rule, "message");
    result.hits.push_back(std::move(hit));
  }
  return result;
}

// Where a rule matched, as an exclusion says it.
struct Place {
  enum class Kind : std::uint8_t { parameter, target, rule } kind = Kind::rule;
  std::string name;
  bool operator==(const Place&) const = default;
};
Place place_of(const std::string& variable) {
  const auto target = waf::parse_target(variable);
  if (!target || target->variable == waf::Variable::tx || variable.starts_with("MATCHED_")) return {};
  if (target->select == waf::Target::Select::key && variable.starts_with("ARGS"))
    return {Place::Kind::parameter, waf::argument_of(variable.substr(variable.find(':') + 1))};
  return {Place::Kind::target, variable};
}

// Where one of them is no field of the request, the rule has to go.
std::vector<Place> places_of(const Hit& hit) {
  std::vector<Place> places;
  for (const std::string& variable : hit.variables) {
    const Place place = place_of(variable);
    if (place.kind == Place::Kind::rule) return {place};
    if (std::find(places.begin(), places.end(), place) == places.end()) places.push_back(place);
  }
  return places;
}
bool is_everywhere(const Hit& hit) { return places_of(hit).front().kind == Place::Kind::rule; }

// Fewest rules first: those that weigh most, until the rest stays below the threshold.
std::vector<Hit> in_the_way(const Refused& refused) {
  if (refused.reason == "waf.rule")
    return refused.hits.empty() ? std::vector<Hit>{} : std::vector<Hit>{refused.hits.back()};
  // Rules that keep their score where it can't be told whose it is: all that matched in the request itself.
  const bool unknown =
      std::all_of(refused.hits.begin(), refused.hits.end(), [](const Hit& hit) { return hit.score == 0; });
  if (unknown) {
    std::vector<Hit> all;
    std::copy_if(refused.hits.begin(), refused.hits.end(), std::back_inserter(all),
                 [](const Hit& hit) { return !is_everywhere(hit); });
    return all;
  }
  std::vector<Hit> hits = refused.hits;
  std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.score > b.score; });
  std::int64_t left = refused.score;
  std::vector<Hit> chosen;
  for (const Hit& hit : hits) {
    if (hit.score <= 0 || left < refused.threshold) break;
    left -= hit.score;
    chosen.push_back(hit);
  }
  return left < refused.threshold ? chosen : std::vector<Hit>{};
}

// A segment that is a number or a UUID stands for all of its kind.
std::string path_pattern_of(const std::string& path) {
  std::string pattern;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string segment = path.substr(at + 1, end - at - 1);
    const bool number = !segment.empty() && segment.find_first_not_of("0123456789") == std::string::npos;
    const bool uuid = segment.size() == 36 && segment[8] == '-' && segment[13] == '-' &&
                      segment.find_first_not_of("0123456789abcdefABCDEF-") == std::string::npos;
    pattern += '/';
    pattern += number || uuid ? "*" : segment;
    at = end;
  }
  // What no pattern can say is left out: the route's own path bounds it.
  return gateway::PathPattern::parse(pattern) ? pattern : std::string();
}

struct Suggestion {
  Place place;
  std::vector<std::int64_t> rules;
  std::string because;
};

std::vector<Suggestion> suggestions_of(const std::vector<Hit>& hits, const Refused& refused) {
  std::vector<Suggestion> result;
  for (const Hit& hit : hits) {
    for (const Place& place : places_of(hit)) {
      auto at = std::find_if(result.begin(), result.end(), [&](const Suggestion& s) { return s.place == place; });
      if (at == result.end())
        at = result.insert(result.end(), {place, {}, fmt::format("request {}: {}", refused.id, hit.message)});
      at->rules.push_back(hit.rule);
    }
  }
  return result;
}

bool would_pass(const Refused& refused, const std::vector<Suggestion>& suggestions, const std::string& route,
                const std::string& pattern) {
  if (refused.route != route) return false;
  if (!pattern.empty() && !gateway::PathPattern::parse(pattern)->matches(refused.path)) return false;
  const auto covers = [](const Suggestion& s, const Hit& hit, const Place& place) {
    return (s.place.kind == Place::Kind::rule || s.place == place) &&
           std::find(s.rules.begin(), s.rules.end(), hit.rule) != s.rules.end();
  };
  const auto excluded = [&](const Hit& hit) {
    const std::vector<Place> places = places_of(hit);
    return std::all_of(places.begin(), places.end(), [&](const Place& place) {
      return std::any_of(suggestions.begin(), suggestions.end(),
                         [&](const Suggestion& s) { return covers(s, hit, place); });
    });
  };
  if (refused.reason == "waf.rule") return !refused.hits.empty() && excluded(refused.hits.back());
  std::int64_t left = refused.score;
  bool scored = false, all = true;
  for (const Hit& hit : refused.hits) {
    scored |= hit.score != 0;
    all &= excluded(hit) || is_everywhere(hit);
    left -= excluded(hit) ? hit.score : 0;
  }
  if (!scored) return all;
  return left < refused.threshold;
}

json exclusion_json(const Suggestion& suggestion, const std::string& pattern, const std::string& until) {
  json out;
  if (suggestion.rules.size() == 1) {
    out["rule"] = suggestion.rules.front();
  } else {
    out["rule"] = suggestion.rules;
  }
  if (suggestion.place.kind == Place::Kind::parameter) out["parameter"] = suggestion.place.name;
  if (suggestion.place.kind == Place::Kind::target) out["target"] = suggestion.place.name;
  if (!pattern.empty()) out["path"] = pattern;
  out["until"] = until;
  out["because"] = suggestion.because;
  return out;
}

std::string to_text(const Refused& refused, const json& exclusions, const std::vector<Refused>& others,
                    const std::vector<std::string>& notes, std::size_t looked_at) {
  std::string out = fmt::format("# To let this request pass, on the route {}:\nwaf:\n  exclude:\n", refused.route);
  for (const json& exclusion : exclusions) {
    bool first = true;
    for (const char* key : {"rule", "parameter", "target", "path", "until", "because"}) {
      if (!exclusion.contains(key)) continue;
      out += fmt::format("    {} {}: {}\n", first ? "-" : " ", key, to_yaml_flow(Json::parse(exclusion[key].dump())));
      first = false;
    }
  }
  for (const std::string& note : notes) out += "# " + note + "\n";
  out += fmt::format("# Of {} other refused requests that are still recorded it would have let pass {}.\n", looked_at,
                     others.size());
  for (std::size_t i = 0; i < std::min(others.size(), kListedMax); ++i) {
    const Json path = others[i].path;  // in quotes where it must be: it may hold anything
    out += fmt::format("#   {}  {}  {}\n", others[i].id, others[i].client, path.dump());
  }
  return out;
}

}  // namespace

Result<std::string> suggest_exclusion(const std::string& record, std::span<const std::string> records, WallTime now,
                                      bool json_form) {
  const auto refused = refused_of(record);
  if (!refused)
    return fail(ErrorCode::invalid,
                "the inspection rules did not refuse this request: gatehouse explain tells who did");
  const std::vector<Hit> hits = in_the_way(*refused);
  if (hits.empty())
    return fail(ErrorCode::invalid,
                "the record does not hold enough of the rules that matched: raise the threshold, or look at the rules");
  const std::vector<Suggestion> suggestions = suggestions_of(hits, *refused);
  const std::string pattern = path_pattern_of(refused->path);
  const auto end = std::chrono::floor<std::chrono::days>(now) + kProposedEnd;
  const std::string until = fmt::format(
      "{:%Y-%m-%d}",
      fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::seconds>(end))));
  json exclusions = json::array();
  for (const Suggestion& suggestion : suggestions) exclusions.push_back(exclusion_json(suggestion, pattern, until));
  std::vector<std::string> notes;
  for (const Hit& hit : hits) {
    if (hit.elsewhere > 0 && !is_everywhere(hit))
      notes.push_back(
          fmt::format("Rule {} matched in more places than the record keeps: this is not enough.", hit.rule));
    if (is_everywhere(hit))
      notes.push_back(
          fmt::format("Rule {} is off on this path: what it matched is no field of the request.", hit.rule));
  }
  std::vector<Refused> others;
  std::size_t looked_at = 0;
  for (const std::string& other : records) {
    const auto read = refused_of(other);
    if (!read || read->id == refused->id) continue;
    ++looked_at;
    if (would_pass(*read, suggestions, refused->route, pattern)) others.push_back(*read);
  }
  if (!json_form) return to_text(*refused, exclusions, others, notes, looked_at);
  json out{{"request_id", refused->id}, {"route", refused->route}, {"exclude", exclusions}, {"notes", notes}};
  out["others"] = {{"looked_at", looked_at}, {"would_pass", json::array()}};
  for (const Refused& other : others)
    out["others"]["would_pass"].push_back(
        {{"request_id", other.id}, {"client_ip", other.client}, {"path", other.path}});
  return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

int run_waf_suggest(const AdminTarget& target, const std::string& request_id, bool json_form) {
  const auto complain = [](std::string_view message) {
    std::fprintf(stderr, "gatehouse waf suggest: %.*s\n", static_cast<int>(message.size()), message.data());
    return 2;
  };
  if (!telemetry::is_request_id(request_id)) return complain("that is no request id: answers carry it in x-request-id");
  const auto record = admin_call(target, "GET", "/v1/requests/" + request_id);
  if (!record) return complain(record.error().message);
  if (record->status == 404) return complain("the gateway no longer has a record of this request");
  if (record->status != 200) return complain(fmt::format("the gateway answered {}", record->status));
  const auto list = admin_call(target, "GET", "/v1/requests?layer=waf&limit=1000");
  if (!list) return complain(list.error().message);
  std::vector<std::string> records;
  const json read = json::parse(list->body, nullptr, false);
  if (read.is_object() && read.contains("requests") && read["requests"].is_array()) {
    for (const json& one : read["requests"]) records.push_back(one.dump());
  }
  const auto text = suggest_exclusion(record->body, records, SystemClock::instance().wall(), json_form);
  if (!text) return complain(text.error().message);
  std::fputs(text->c_str(), stdout);
  return 0;
}

}  // namespace gatehouse::app
