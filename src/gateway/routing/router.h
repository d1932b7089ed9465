#pragma once
// Which route a request takes: of all that match, the most specific, whatever the order in the file.
//
// The order ("more specific than"), compared in this sequence:
//   1. host: exact, then the wildcard with more labels, then any
//   2. path: segment by segment from the left: literal, then one-segment wildcard, then `**`; a pattern that ends with
//      the path comes before one that goes on with `**`
//   3. routes that name methods before those that don't
//   4. more header predicates, then more of them with an exact value
//   5. more query predicates
// Two routes that are equal in all five and can match the same request are ambiguous: `find_ambiguities` reports them
// and `check` refuses them; at run time the one first in the file is taken.
//
// What is compared: the canonical path, segment by segment, without path parameters (`/admin;x` is /admin, as it is for
// servers that know them), and a trailing slash makes no difference: a route for /admin holds for all that an upstream
// may take for /admin. Hosts are compared without the port.
// A repeated header or query parameter never satisfies an exact predicate: the upstream might read the other one.
//
// Cost: one hash lookup per path segment; each wildcard branch adds the paths below it, at most the nodes of the trie.
// Thread safety: immutable once built; it refers to the Config, which must outlive it.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "gateway/config.h"
#include "gateway/routing/pattern.h"
#include "http/canonical.h"

namespace gatehouse::gateway {

struct RouteMatch {
  enum class Outcome : std::uint8_t {
    found,
    not_found,      // 404
    wrong_method,   // 405: `allow` says what the path admits
    encoded_slash,  // 400: the path holds %2F and the route does not allow it
    trace,          // 405: TRACE or TRACK, which no route lets through (the exchange's finding)
  };
  Outcome outcome = Outcome::not_found;
  const RouteConfig* route = nullptr;
  std::uint32_t route_index = 0;
  std::string_view allow;  // for wrong_method, in the arena: "GET, HEAD"
};

class Router {
 public:
  // Fails on a pattern that cannot be parsed; the message names the route.
  static Result<Router> create(const Config& config);

  // A CORS preflight takes the route of the request that it asks about, if that route has `cors`; header predicates
  // don't count for it, because a preflight cannot carry the headers (Fetch standard §4.8).
  RouteMatch match(const http::CanonicalRequest& request, Arena& arena) const;

  // How requests of this listener are to be canonicalised. %2F is let through when any route allows it; `match` refuses
  // it for the others.
  http::CanonicalOptions canonical_options(const ListenerConfig& listener) const noexcept;

 private:
  struct Candidate {
    std::uint32_t route;
    std::uint32_t methods;  // bits of the well-known ones; 0: see the configuration
    bool any_method;
    bool predicates;  // of headers or query
  };
  struct Range {
    std::uint32_t begin = 0, count = 0;
  };
  // One cache line, laid out in the order of the routes, so that a chain of nodes is read in sequence. A node with a
  // single short literal below it (most of them) holds it here; others have their literals in `edges_`.
  struct alignas(64) Node {
    Range exact, rest;            // into candidates_, most specific first
    std::uint32_t any_child = 0;  // 0: none; the root is nobody's child
    std::uint32_t only_child = 0;
    std::uint8_t only_length = 0;
    bool has_edges = false;
    char only_text[38] = {};
  };
  // All other edges of all tries in one open-addressing table, at most half full, a cache line each. Immutable, so
  // nobody can choose collisions to lengthen a probe. The text is compared: hashes may be collided with.
  struct alignas(64) Edge {
    std::uint32_t hash = 0;
    std::uint32_t from = 0, to = 0;  // `to` 0: empty slot
    std::uint32_t length = 0;
    char text[44] = {};        // when it fits
    std::uint32_t offset = 0;  // else in text_
  };
  struct Query;
  class Builder;

  std::uint32_t edge(std::uint32_t from, std::string_view text, std::uint64_t text_hash) const noexcept;
  template <class Visit>
  bool walk(std::uint32_t node, std::size_t depth, const Query& query, Visit& visit) const;
  template <class Visit>
  bool walk_hosts(const Query& query, Visit& visit) const;
  bool predicates_hold(const Candidate& candidate, const Query& query) const;
  bool method_holds(const Candidate& candidate, const Query& query) const;
  RouteMatch find(const Query& query, Arena& arena) const;
  std::string_view allowed_methods(const Query& query, Arena& arena) const;

  const Config* config_ = nullptr;
  std::vector<Node> nodes_;
  std::vector<Candidate> candidates_;
  std::vector<Edge> edges_;
  std::string text_;  // of edges whose text is long
  std::uint32_t any_host_ = 0;
  std::size_t depth_max_ = 0;                  // segments of the longest pattern
  std::size_t wildcard_labels_max_ = 0;        // 0: no wildcard host
  bool cors_ = false, encoded_slash_ = false;  // some route has it
};

// How specific a route's predicates are, points 3 to 5 of the order above; greater is more specific.
struct PredicateRank {
  bool methods = false;
  std::size_t headers = 0, exact_headers = 0, query = 0;
  static PredicateRank of(const MatchConfig& match) noexcept;
  auto operator<=>(const PredicateRank&) const = default;
};

struct Ambiguity {
  std::uint32_t first = 0, second = 0;  // indices into Config::routes
  std::string example;                  // a request that both match: "GET shop.example/orders/x"
};

// Pairs of routes of which neither is more specific; at most `max`. Routes with patterns that do not parse are left
// out.
std::vector<Ambiguity> find_ambiguities(const Config& config, std::size_t max = 100);

}  // namespace gatehouse::gateway
