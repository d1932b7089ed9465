#pragma once
// What a route's configuration changes of a rule set, and which of it applies to a request: an exclusion may be for
// some paths only, and ends by itself on its last day.
//
// Thread safety: immutable once made; shared by all shards. Made on a control thread, for one program.

#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gateway/config.h"
#include "gateway/routing/pattern.h"
#include "waf/engine/transaction.h"
#include "waf/exclusion.h"

namespace gatehouse::gateway {

// As the engine knows it: without the paths and the end. Its targets were checked when it was read.
waf::Exclusion exclusion_of(const WafExclusion& exclusion);

// Whether it holds now and for this canonical path.
bool holds(const WafExclusion& exclusion, std::string_view path, WallTime now);

class RouteTuning {
 public:
  RouteTuning(const WafConfig& all, const RouteWafConfig& route, const waf::Program& program);

  // Into what a transaction begins with. `list` is where what is for some requests only is put, and outlives `begin`;
  // it stays empty, and nothing is allocated, unless an exclusion with a path or an end holds.
  void choose(std::string_view path, WallTime now, std::vector<const waf::Tuning*>& list,
              waf::Transaction::Settings& settings) const;

 private:
  // The exclusions that hold under the same condition.
  struct Part {
    std::vector<std::string> written;  // the paths, to tell parts apart
    std::vector<PathPattern> paths;    // none: all
    WallTime end = WallTime::max();    // when it no longer holds
    waf::Tuning tuning;
    bool holds(std::string_view path, WallTime now) const noexcept;
  };
  Part& part_of(const WafExclusion& exclusion);

  waf::Tuning always_;
  std::deque<Part> parts_;  // whose tunings are pointed to
};

}  // namespace gatehouse::gateway
