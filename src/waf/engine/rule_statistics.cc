#include "waf/engine/rule_statistics.h"

#include <algorithm>
#include <utility>

namespace gatehouse::waf {
namespace {

constexpr std::size_t kMessageBytesMax = 256;
// What takes longer is worth the question whether it was interrupted; some microseconds, whatever the clock.
constexpr std::uint64_t kLongTicks = 20'000;

std::string text_of(const MacroText& text) {
  std::string out;
  for (const MacroPart& part : text.parts) {
    if (!part.variable) {
      out += part.literal;
      continue;
    }
    out.append("%{").append(name_of(*part.variable));
    if (!part.key.empty()) out.append(".").append(part.key);
    out += "}";
  }
  if (out.size() > kMessageBytesMax) out.resize(kMessageBytesMax);
  return out;
}

void add(const RuleCell& cell, RuleStatistics::Figures& figures) noexcept {
  const auto ns_of = [](const std::atomic<std::uint64_t>& ticks) {
    return std::chrono::nanoseconds(CycleClock::to_ns(ticks.load(std::memory_order_relaxed)));
  };
  figures.hits += cell.hits.load(std::memory_order_relaxed);
  figures.evaluations += cell.evaluations.load(std::memory_order_relaxed);
  figures.spent += ns_of(cell.ticks);
  figures.worst = std::max(figures.worst, ns_of(cell.worst));
}

}  // namespace

void RuleStatistics::Counters::resume() noexcept {
  writer_->attributed_ = 0;
  writer_->switches_ = context_switches();
}

void RuleStatistics::Counters::pause(std::uint64_t ticks) noexcept {
  spent(CostPart::rest, ticks - std::min(ticks, writer_->attributed_));
}

void RuleStatistics::Counters::spent(CostPart part, std::uint64_t ticks) noexcept {
  take(writer_->parts_[static_cast<std::size_t>(part)], ticks);
}

void RuleStatistics::Counters::take(RuleCell& cell, std::uint64_t ticks) noexcept {
  writer_->attributed_ += ticks;
  if (ticks > kLongTicks) {
    const std::uint64_t switches = context_switches();
    if (std::exchange(writer_->switches_, switches) != switches) return bump(writer_->interrupted_, 1);
  }
  bump(cell.evaluations, 1);
  bump(cell.ticks, ticks);
  if (ticks > cell.worst.load(std::memory_order_relaxed)) cell.worst.store(ticks, std::memory_order_relaxed);
}

RuleStatistics::RuleStatistics(const Clock& clock, std::uint64_t seed, std::size_t rules_max)
    : clock_(clock), since_(clock.wall()), rules_max_(rules_max), seed_(seed), rows_{{0, {}, since_}} {}

RuleStatistics::~RuleStatistics() = default;

RuleStatistics::Writer& RuleStatistics::add_writer() {
  const std::lock_guard lock(mutex_);
  seed_ += 0x9e3779b97f4a7c15;
  writers_.push_back(std::unique_ptr<Writer>(new Writer(*this, seed_)));
  return *writers_.back();
}

std::uint32_t RuleStatistics::row_of(const Rule& rule) {
  const std::uint64_t id = rule.actions.id;
  const auto known = row_of_id_.find(id);
  if (known == row_of_id_.end()) {
    if (rows_.size() > rules_max_) return folded_ = true, 0;
    rows_.push_back({id, text_of(rule.actions.msg), clock_.wall()});
    return row_of_id_[id] = static_cast<std::uint32_t>(rows_.size() - 1);
  }
  rows_[known->second].message = text_of(rule.actions.msg);
  return known->second;
}

RuleStatistics::Counters RuleStatistics::counters_for(Writer& writer, const Program& program) {
  const std::lock_guard lock(mutex_);
  Counters counters;
  counters.writer_ = &writer;
  counters.cells_.resize(program.rules().size());
  for (std::size_t phase = 1; phase <= Program::kPhases; ++phase) {
    for (const std::uint32_t head : program.phase(phase)) {
      const std::uint32_t row = row_of(*program.rule(head).source);
      while (writer.cells_.size() <= row) writer.cells_.emplace_back();
      counters.cells_[head] = &writer.cells_[row];
    }
  }
  return counters;
}

RuleStatistics::Report RuleStatistics::report() const {
  const std::lock_guard lock(mutex_);
  Report report;
  report.since = since_;
  for (const Row& row : rows_) {
    RuleFigures& rule = report.rules.emplace_back();
    rule.id = row.id, rule.message = row.message, rule.since = row.since;
  }
  for (const auto& writer : writers_) {
    report.requests += writer->requests_.load(std::memory_order_relaxed);
    report.timed += writer->timed_.load(std::memory_order_relaxed);
    report.interrupted += writer->interrupted_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i < kCostParts; ++i) add(writer->parts_[i], report.parts[i]);
    for (std::size_t row = 0; row < writer->cells_.size(); ++row) add(writer->cells_[row], report.rules[row]);
  }
  if (!folded_) report.rules.erase(report.rules.begin());
  return report;
}

bool RuleStatistics::Writer::begin_request() noexcept {
  Counters::bump(requests_, 1);
  if (--until_next_ != 0) return false;
  const std::uint64_t timed = timed_.load(std::memory_order_relaxed);
  timed_.store(timed + 1, std::memory_order_relaxed);
  // A uniform distance of that mean; xorshift64.
  const std::uint64_t mean = std::min<std::uint64_t>(kOneIn, kFewest + timed);
  random_ ^= random_ << 13, random_ ^= random_ >> 7, random_ ^= random_ << 17;
  until_next_ = 1 + random_ % (2 * mean - 1);
  return true;
}

}  // namespace gatehouse::waf
