#pragma once
// The search for the request that costs most of all of its size: payloads are changed at random, and those that cost
// more are gone on with.
//
// One thread. The same seed tries the same changes, as far as the clock lets it: what guides it is CPU time, the least
// of several turns, and a payload becomes the worst only when it is that again when measured anew.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "waf/cost/meter.h"
#include "waf/cost/payload.h"

namespace gatehouse::waf {

// Texts that rules look for, or that their own tests hold: what payloads are made of.
std::vector<std::string> search_words(const Program& program, const std::string& tests_folder);

struct SlowRequest {
  Payload payload;
  std::size_t bytes = 0;
  double ns = 0;
  double ordinary_ns = 0;  // of an ordinary request of the same place and size
  std::uint64_t tried = 0;
};

struct RuleCost {
  std::uint64_t id = 0;
  double ns = 0;  // less without this rule
};

class SlowSearch {
 public:
  SlowSearch(Meter& meter, std::vector<std::string> words, std::uint64_t seed);

  // The worst found within `seconds` of CPU time.
  SlowRequest run(Place place, std::size_t bytes, double seconds);
  // The rules that a request's time goes to, by how much less it takes without them; the most expensive first.
  std::vector<RuleCost> blame(const RawRequest& request, std::size_t count);

 private:
  struct Known {
    Payload payload;
    double ns = 0;
  };
  Payload random_payload(Place place);
  void change(Payload& payload, const std::vector<Known>& others);
  std::string random_text();
  std::size_t below(std::size_t bound) { return random_() % bound; }

  Meter& meter_;
  std::vector<std::string> words_;
  std::mt19937_64 random_;
};

}  // namespace gatehouse::waf
