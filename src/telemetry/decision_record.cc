#include "telemetry/decision_record.h"

namespace gatehouse::telemetry {
namespace {

constexpr std::array<std::string_view, static_cast<std::size_t>(Layer::count_)> kLayerNames = {
    "http",          "bans", "zone",   "limits", "rate",  "penalties", "authentication",
    "authorization", "cors", "schema", "waf",    "cache", "upstream",  "header_policy",
};
static_assert(!kLayerNames.back().empty());
constexpr std::array<std::string_view, 4> kVerdictNames = {"pass", "deny", "delay", "answer"};
constexpr std::array<std::string_view, 3> kModeNames = {"enforce", "monitor", "off"};

}  // namespace

std::string_view name_of(Layer layer) noexcept {
  return layer < Layer::count_ ? kLayerNames[static_cast<std::size_t>(layer)] : std::string_view("unknown");
}
std::string_view name_of(Verdict verdict) noexcept { return kVerdictNames[static_cast<std::size_t>(verdict)]; }
std::string_view name_of(Mode mode) noexcept { return kModeNames[static_cast<std::size_t>(mode)]; }

void DecisionRecord::add(const LayerDecision& decision) noexcept {
  if (layer_count < kLayersMax) layers[layer_count++] = decision;
  if (decision.mode != Mode::enforce || decision.verdict == Verdict::pass) return;
  const bool undecided = verdict == Verdict::pass || (verdict == Verdict::delay && decision.verdict != Verdict::delay);
  if (!undecided) return;
  verdict = decision.verdict;
  layer = decision.layer;
  reason = decision.reason;
}

}  // namespace gatehouse::telemetry
