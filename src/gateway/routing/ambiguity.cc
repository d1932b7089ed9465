// Routes of which neither is more specific. Two patterns of the path that both match some path are either the same or
// one of them is more specific, so only routes with the same host and path pattern have to be compared.
#include <algorithm>
#include <map>
#include <set>

#include "gateway/routing/router.h"

namespace gatehouse::gateway {
namespace {

// A method that both admit; empty when there is none.
std::string_view common_method(const MatchConfig& a, const MatchConfig& b) {
  if (a.methods.empty()) return b.methods.empty() ? std::string_view("GET") : std::string_view(b.methods.front());
  if (b.methods.empty()) return a.methods.front();
  for (const std::string& method : a.methods) {
    if (std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end()) return method;
  }
  return {};
}

bool headers_exclude(const MatchConfig& a, const MatchConfig& b) {
  for (const HeaderMatch& left : a.headers) {
    for (const HeaderMatch& right : b.headers) {
      const bool exact = !left.value.empty() && !right.value.empty();
      if (exact && left.name == right.name && left.value != right.value) return true;
    }
  }
  return false;
}

bool queries_exclude(const MatchConfig& a, const MatchConfig& b) {
  for (const auto& [name, value] : a.query) {
    for (const auto& [other_name, other_value] : b.query) {
      if (name == other_name && value != other_value) return true;
    }
  }
  return false;
}

std::string example_of(const HostPattern& host, const PathPattern& path, const MatchConfig& a, const MatchConfig& b) {
  std::string text = fmt::format("{} ", common_method(a, b));
  text += host.kind == HostPattern::Kind::any     ? "any.example"
          : host.kind == HostPattern::Kind::exact ? host.name
                                                  : "x." + host.name;
  std::string full;
  for (const PathPattern::Segment& segment : path.segments) {
    full += '/';
    full += segment.kind == PathPattern::Segment::Kind::any ? "x" : segment.text;
  }
  if (path.rest) full += "/x";
  text += full.empty() ? "/" : full;
  std::set<std::string> parameters, headers;
  for (const MatchConfig* match : {&a, &b}) {
    for (const auto& [name, value] : match->query) parameters.insert(name + "=" + value);
    for (const HeaderMatch& header : match->headers) headers.insert(header.name + ": " + header.value);
  }
  if (!parameters.empty()) text += fmt::format("?{}", fmt::join(parameters, "&"));
  if (!headers.empty()) text += fmt::format(" ({})", fmt::join(headers, ", "));
  return text;
}

}  // namespace

std::vector<Ambiguity> find_ambiguities(const Config& config, std::size_t max) {
  struct Bucket {
    HostPattern host;
    PathPattern path;
    std::vector<std::uint32_t> routes;
  };
  std::map<std::pair<std::string, std::string>, Bucket> buckets;
  for (std::uint32_t i = 0; i < config.routes.size(); ++i) {
    const MatchConfig& match = config.routes[i].match;
    auto path = PathPattern::parse(match.path);
    if (!path) continue;
    std::vector<std::string> hosts = match.hosts;
    if (hosts.empty()) hosts.emplace_back();
    for (const std::string& text : hosts) {
      auto host = HostPattern::parse(text);
      if (!host) continue;
      Bucket& bucket = buckets[{host->to_string(), path->to_string()}];
      bucket.host = *std::move(host);
      bucket.path = *path;
      if (bucket.routes.empty() || bucket.routes.back() != i) bucket.routes.push_back(i);
    }
  }
  std::vector<Ambiguity> found;
  std::set<std::pair<std::uint32_t, std::uint32_t>> reported;
  for (const auto& [key, bucket] : buckets) {
    for (std::size_t i = 0; i < bucket.routes.size(); ++i) {
      const MatchConfig& a = config.routes[bucket.routes[i]].match;
      for (std::size_t j = i + 1; j < bucket.routes.size(); ++j) {
        const MatchConfig& b = config.routes[bucket.routes[j]].match;
        if (PredicateRank::of(a) != PredicateRank::of(b) || common_method(a, b).empty() || headers_exclude(a, b) ||
            queries_exclude(a, b)) {
          continue;
        }
        if (!reported.emplace(bucket.routes[i], bucket.routes[j]).second) continue;
        found.push_back({bucket.routes[i], bucket.routes[j], example_of(bucket.host, bucket.path, a, b)});
        if (found.size() == max) return found;
      }
    }
  }
  return found;
}

}  // namespace gatehouse::gateway
