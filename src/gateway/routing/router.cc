#include "gateway/routing/router.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "base/check.h"

namespace gatehouse::gateway {
namespace {

// Hosts are edges too, from two nodes that are in no trie.
constexpr std::uint32_t kExactHosts = UINT32_MAX, kWildcardHosts = UINT32_MAX - 1;

constexpr std::array<std::string_view, 9> kMethods = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                                      "PATCH", "OPTIONS", "TRACE", "CONNECT"};

std::uint32_t method_bit(std::string_view method) noexcept {
  for (std::size_t i = 0; i < kMethods.size(); ++i) {
    if (kMethods[i] == method) return 1u << i;
  }
  return 0;
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <class Word>
std::uint64_t load(const char* from) noexcept {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

std::uint64_t hash_text(std::string_view text) noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15 ^ text.size();
  const char* at = text.data();
  std::size_t left = text.size();
  for (; left > 8; at += 8, left -= 8) hash = mix(hash ^ load<std::uint64_t>(at), 0xa0761d6478bd642f);
  std::uint64_t last = 0;  // the last one to eight bytes, read as two words that may overlap
  if (left >= 4) {
    last = load<std::uint32_t>(at) << 32 | load<std::uint32_t>(at + left - 4);
  } else if (left != 0) {
    last = static_cast<std::uint64_t>(static_cast<unsigned char>(at[0])) << 16 |
           static_cast<std::uint64_t>(static_cast<unsigned char>(at[left / 2])) << 8 |
           static_cast<unsigned char>(at[left - 1]);
  }
  return mix(hash ^ last, 0xe7037ed1a0b428db);
}

std::uint32_t edge_hash(std::uint32_t from, std::uint64_t text_hash) noexcept {
  return static_cast<std::uint32_t>(mix(text_hash ^ (from + 0x8ebc6af09c88c6e3), 0x589965cc75374cc3) >> 32);
}

// Equal once escapes and `+` of a form-encoded `raw` are read. Broken escapes stand for themselves.
bool equals_decoded(std::string_view raw, std::string_view plain) noexcept {
  const auto hex = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c = static_cast<char>(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::size_t at = 0;
  for (std::size_t i = 0; i < raw.size(); ++i, ++at) {
    char c = raw[i] == '+' ? ' ' : raw[i];
    if (c == '%' && i + 2 < raw.size() && hex(raw[i + 1]) >= 0 && hex(raw[i + 2]) >= 0) {
      c = static_cast<char>(hex(raw[i + 1]) << 4 | hex(raw[i + 2]));
      i += 2;
    }
    if (at >= plain.size() || plain[at] != c) return false;
  }
  return at == plain.size();
}

bool query_holds(std::string_view query, std::string_view name, std::string_view value) noexcept {
  std::size_t seen = 0;
  bool equal = false;
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const std::size_t sign = pair.find('=');
    if (equals_decoded(pair.substr(0, sign), name)) {
      ++seen;
      equal = equals_decoded(sign == std::string_view::npos ? std::string_view{} : pair.substr(sign + 1), value);
    }
    if (end == std::string_view::npos) break;
    query.remove_prefix(end + 1);
  }
  return seen == 1 && equal;
}

bool header_holds(const http::Fields& fields, const HeaderMatch& match) noexcept {
  std::size_t seen = 0;
  bool equal = false;
  for (const http::Field& field : fields) {
    if (field.name != match.name) continue;
    ++seen;
    equal = field.value == match.value;
  }
  const bool any_value = match.present && match.value.empty();
  return any_value ? seen != 0 : seen == 1 && equal;
}

}  // namespace

PredicateRank PredicateRank::of(const MatchConfig& match) noexcept {
  PredicateRank rank{!match.methods.empty(), match.headers.size(), 0, match.query.size()};
  for (const HeaderMatch& header : match.headers) rank.exact_headers += header.present && header.value.empty() ? 0 : 1;
  return rank;
}

// What one lookup needs, split once however many branches are tried.
struct Router::Query {
  const http::CanonicalRequest& request;
  std::string_view method;
  std::uint32_t method_bit;
  bool preflight;
  struct Segment {  // left uninitialised beyond `count`: clearing them all would cost more than the lookup
    const char* data;
    std::size_t size;
    std::string_view name() const noexcept { return {data, size}; }
  };
  Segment segments[kPathSegmentsMax + 1];
  std::size_t count = 0;  // of the path's segments, but one more than the longest pattern has is enough to know

  Query(const http::CanonicalRequest& r, std::size_t depth_max) : request(r) {
    std::size_t at = 0;
    while (count <= depth_max) {
      const std::string_view name = next_segment(r.path, at);
      if (name.empty()) break;
      segments[count++] = {name.data(), name.size()};
    }
  }
  void ask_for(std::string_view wanted, bool is_preflight) noexcept {
    method = wanted;
    method_bit = gateway::method_bit(wanted);
    preflight = is_preflight;
  }
};

class Router::Builder {
 public:
  explicit Builder(const Config& config) {
    router_.config_ = &config;
    router_.nodes_.emplace_back();  // 0 is nobody
  }

  Status add(std::uint32_t index) {
    const RouteConfig& route = router_.config_->routes[index];
    const auto path = PathPattern::parse(route.match.path);
    if (!path) return error(route, path.error());
    std::vector<std::string> hosts = route.match.hosts;
    if (hosts.empty()) hosts.emplace_back();
    for (const std::string& text : hosts) {
      const auto host = HostPattern::parse(text);
      if (!host) return error(route, host.error());
      insert(index, *host, *path);
    }
    router_.cors_ |= route.cors.has_value();
    router_.encoded_slash_ |= route.allow_encoded_slash;
    return {};
  }

  Router finish() {
    for (auto& [node, routes] : exact_) router_.nodes_[node].exact = place(routes);
    for (auto& [node, routes] : rest_) router_.nodes_[node].rest = place(routes);
    place_edges();
    return std::move(router_);
  }

 private:
  static Status error(const RouteConfig& route, Error why) {
    return tl::unexpected(std::move(why).while_(fmt::format("route {}", route.name)));
  }

  void place_edges() {
    std::map<std::uint32_t, std::size_t> fan_out;
    for (const auto& [key, to] : children_) ++fan_out[key.first];
    std::size_t slots = 16;
    while (slots < 2 * children_.size()) slots *= 2;
    router_.edges_.resize(slots);
    for (const auto& [key, to] : children_) {
      const auto& [from, text] = key;
      if (from < router_.nodes_.size()) {
        Node& node = router_.nodes_[from];
        if (fan_out[from] == 1 && text.size() <= sizeof node.only_text) {
          node.only_child = to;
          node.only_length = static_cast<std::uint8_t>(text.size());
          std::memcpy(node.only_text, text.data(), text.size());
          continue;
        }
        node.has_edges = true;
      }
      Edge edge{edge_hash(from, hash_text(text)), from, to, static_cast<std::uint32_t>(text.size()), {}, 0};
      if (text.size() <= sizeof edge.text) {
        std::memcpy(edge.text, text.data(), text.size());
      } else {
        edge.offset = static_cast<std::uint32_t>(router_.text_.size());
        router_.text_ += text;
      }
      std::size_t slot = edge.hash & (slots - 1);
      while (router_.edges_[slot].to != 0) slot = (slot + 1) & (slots - 1);
      router_.edges_[slot] = edge;
    }
  }

  std::uint32_t child_of(std::uint32_t node, const std::string& text) {
    auto [at, fresh] = children_.try_emplace({node, text}, 0);
    if (fresh) at->second = new_node();
    return at->second;
  }
  std::uint32_t new_node() {
    router_.nodes_.emplace_back();
    return static_cast<std::uint32_t>(router_.nodes_.size() - 1);
  }

  std::uint32_t root_of(const HostPattern& host) {
    switch (host.kind) {
      case HostPattern::Kind::exact: return child_of(kExactHosts, host.name);
      case HostPattern::Kind::wildcard:
        router_.wildcard_labels_max_ =
            std::max(router_.wildcard_labels_max_,
                     1 + static_cast<std::size_t>(std::count(host.name.begin(), host.name.end(), '.')));
        return child_of(kWildcardHosts, host.name);
      case HostPattern::Kind::any: break;
    }
    if (router_.any_host_ == 0) router_.any_host_ = new_node();
    return router_.any_host_;
  }

  void insert(std::uint32_t index, const HostPattern& host, const PathPattern& path) {
    std::uint32_t node = root_of(host);
    for (const PathPattern::Segment& segment : path.segments) {
      if (segment.kind == PathPattern::Segment::Kind::literal) {
        node = child_of(node, segment.text);
      } else {
        if (router_.nodes_[node].any_child == 0) {
          const std::uint32_t fresh = new_node();  // may move nodes_
          router_.nodes_[node].any_child = fresh;
        }
        node = router_.nodes_[node].any_child;
      }
    }
    router_.depth_max_ = std::max(router_.depth_max_, path.segments.size());
    auto& routes = (path.rest ? rest_ : exact_)[node];
    if (routes.empty() || routes.back() != index) routes.push_back(index);
  }

  Range place(std::vector<std::uint32_t>& routes) {
    const auto& config = router_.config_->routes;
    std::stable_sort(routes.begin(), routes.end(), [&](std::uint32_t a, std::uint32_t b) {
      return PredicateRank::of(config[a].match) > PredicateRank::of(config[b].match);
    });
    const Range range{static_cast<std::uint32_t>(router_.candidates_.size()),
                      static_cast<std::uint32_t>(routes.size())};
    for (std::uint32_t index : routes) {
      const MatchConfig& match = config[index].match;
      std::uint32_t methods = 0;
      for (const std::string& method : match.methods) methods |= method_bit(method);
      router_.candidates_.push_back(
          {index, methods, match.methods.empty(), !match.headers.empty() || !match.query.empty()});
    }
    return range;
  }

  Router router_;
  std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> children_;
  std::map<std::uint32_t, std::vector<std::uint32_t>> exact_, rest_;
};

Result<Router> Router::create(const Config& config) {
  Builder builder(config);
  for (std::uint32_t i = 0; i < config.routes.size(); ++i) {
    if (const Status added = builder.add(i); !added) return tl::unexpected(added.error());
  }
  return builder.finish();
}

http::CanonicalOptions Router::canonical_options(const ListenerConfig& listener) const noexcept {
  return {.allow_encoded_slash = encoded_slash_, .allow_underscore_names = listener.allow_underscore_headers};
}

std::uint32_t Router::edge(std::uint32_t from, std::string_view text, std::uint64_t text_hash) const noexcept {
  const std::size_t mask = edges_.size() - 1;
  const std::uint32_t hash = edge_hash(from, text_hash);
  for (std::size_t slot = hash & mask; edges_[slot].to != 0; slot = (slot + 1) & mask) {
    const Edge& at = edges_[slot];
    if (at.hash != hash || at.from != from || at.length != text.size()) continue;
    const char* const held = text.size() <= sizeof at.text ? at.text : text_.data() + at.offset;
    if (std::memcmp(held, text.data(), text.size()) == 0) return at.to;
  }
  return 0;
}

// Depth first, the most specific branch first, until `visit` takes a candidate. Recursion ends with the patterns, not
// with the path: at most kPathSegmentsMax deep.
template <class Visit>
bool Router::walk(std::uint32_t node, std::size_t depth, const Query& query, Visit& visit) const {
  const Node& here = nodes_[node];
  if (depth == query.count) {
    if (here.exact.count != 0 && visit(here.exact)) return true;
  } else {
    const std::string_view name = query.segments[depth].name();
    std::uint32_t literal = 0;
    if (here.has_edges) {
      literal = edge(node, name, hash_text(name));
    } else if (here.only_child != 0 && std::string_view(here.only_text, here.only_length) == name) {
      literal = here.only_child;
    }
    if (literal != 0 && walk(literal, depth + 1, query, visit)) return true;
    if (here.any_child != 0 && walk(here.any_child, depth + 1, query, visit)) return true;
  }
  return here.rest.count != 0 && visit(here.rest);
}

template <class Visit>
bool Router::walk_hosts(const Query& query, Visit& visit) const {
  const std::string_view host = query.request.host;
  if (const std::uint32_t root = edge(kExactHosts, host, hash_text(host)); root != 0 && walk(root, 0, query, visit))
    return true;
  if (wildcard_labels_max_ != 0) {
    // Suffixes from the longest that any wildcard has.
    auto labels = 1 + static_cast<std::size_t>(std::count(host.begin(), host.end(), '.'));
    std::string_view suffix = host;
    for (std::size_t dot = suffix.find('.'); dot != std::string_view::npos; dot = suffix.find('.')) {
      suffix.remove_prefix(dot + 1);
      if (--labels > wildcard_labels_max_) continue;
      if (const std::uint32_t root = edge(kWildcardHosts, suffix, hash_text(suffix));
          root != 0 && walk(root, 0, query, visit)) {
        return true;
      }
    }
  }
  return any_host_ != 0 && walk(any_host_, 0, query, visit);
}

bool Router::method_holds(const Candidate& candidate, const Query& query) const {
  if (candidate.any_method) return true;
  if (query.method_bit != 0) return (candidate.methods & query.method_bit) != 0;
  const auto& methods = config_->routes[candidate.route].match.methods;
  return std::find(methods.begin(), methods.end(), query.method) != methods.end();
}

bool Router::predicates_hold(const Candidate& candidate, const Query& query) const {
  if (!candidate.predicates) [[likely]]
    return true;
  const MatchConfig& match = config_->routes[candidate.route].match;
  const bool headers = query.preflight || std::all_of(match.headers.begin(), match.headers.end(), [&](const auto& h) {
                         return header_holds(query.request.fields, h);
                       });
  return headers && std::all_of(match.query.begin(), match.query.end(), [&](const auto& parameter) {
           return query_holds(query.request.query, parameter.first, parameter.second);
         });
}

RouteMatch Router::find(const Query& query, Arena& arena) const {
  RouteMatch match;
  bool wrong_method = false;
  auto take = [&](const Range& range) {
    for (std::uint32_t i = range.begin; i < range.begin + range.count; ++i) {
      const Candidate& candidate = candidates_[i];
      const bool method = method_holds(candidate, query);
      if (!method && wrong_method) continue;
      if (!predicates_hold(candidate, query)) continue;
      if (!method) {
        wrong_method = true;
        continue;
      }
      match.outcome = RouteMatch::Outcome::found;
      match.route_index = candidate.route;
      match.route = &config_->routes[candidate.route];
      return true;
    }
    return false;
  };
  if (!walk_hosts(query, take) && wrong_method) {
    match.outcome = RouteMatch::Outcome::wrong_method;
    match.allow = allowed_methods(query, arena);
  }
  return match;
}

std::string_view Router::allowed_methods(const Query& query, Arena& arena) const {
  std::vector<std::string_view> methods;
  auto collect = [&](const Range& range) {
    for (std::uint32_t i = range.begin; i < range.begin + range.count; ++i) {
      if (!predicates_hold(candidates_[i], query)) continue;
      for (const std::string& method : config_->routes[candidates_[i].route].match.methods) {
        if (std::find(methods.begin(), methods.end(), method) == methods.end()) methods.push_back(method);
      }
    }
    return false;
  };
  walk_hosts(query, collect);
  return arena.copy(fmt::format("{}", fmt::join(methods, ", ")));
}

RouteMatch Router::match(const http::CanonicalRequest& request, Arena& arena) const {
  if (!request.path.starts_with('/')) return {};
  Query query(request, depth_max_);
  RouteMatch match;
  if (cors_ && request.method == "OPTIONS" && request.fields.has("origin")) {
    if (const auto wanted = request.fields.get("access-control-request-method")) {
      query.ask_for(*wanted, true);
      match = find(query, arena);
      if (match.route != nullptr && !match.route->cors) match = {};
    }
  }
  if (match.route == nullptr) {
    query.ask_for(request.method, false);
    match = find(query, arena);
  }
  if (encoded_slash_ && match.route != nullptr && !match.route->allow_encoded_slash &&
      request.path.find("%2F") != std::string_view::npos) {
    match.outcome = RouteMatch::Outcome::encoded_slash;
  }
  return match;
}

}  // namespace gatehouse::gateway
