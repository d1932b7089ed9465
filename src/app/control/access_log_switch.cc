#include "app/control/access_log_switch.h"

namespace gatehouse::app {

using telemetry::AccessLog;
using telemetry::AccessLogCounters;

namespace {

void add(AccessLogCounters& sum, const AccessLogCounters& more) noexcept {
  sum.bytes_written += more.bytes_written;
  sum.lines_dropped += more.lines_dropped;
  sum.write_failures += more.write_failures;
}

Result<telemetry::AccessLogOptions> options_of(const gateway::AccessLogConfig& config, std::size_t shards) {
  auto format = telemetry::parse_access_log_format(config.format);
  if (!format) return tl::unexpected(std::move(format.error()).while_("telemetry.access_log"));
  return telemetry::AccessLogOptions{.to = config.to, .format = *format, .shards = shards};
}

}  // namespace

Result<std::unique_ptr<AccessLogSwitch>> AccessLogSwitch::open(const gateway::AccessLogConfig& config,
                                                               std::size_t shards, const Clock& clock) {
  auto options = options_of(config, shards);
  if (!options) return tl::unexpected(options.error());
  auto log = AccessLog::open(*options, clock);
  if (!log) return tl::unexpected(std::move(log.error()).while_("telemetry.access_log"));
  return std::unique_ptr<AccessLogSwitch>(new AccessLogSwitch(std::move(*log), shards, clock));
}

AccessLogSwitch::AccessLogSwitch(std::unique_ptr<AccessLog> first, std::size_t shards, const Clock& clock)
    : shards_(shards), clock_(clock) {
  logs_.push_back(std::move(first));
}

// The oldest first, so that lines on one pipe keep their order.
AccessLogSwitch::~AccessLogSwitch() {
  while (!logs_.empty()) logs_.pop_front();
}

AccessLogCounters AccessLogSwitch::counters() const noexcept {
  AccessLogCounters sum = ended_;
  for (const auto& log : logs_) add(sum, log->counters());
  return sum;
}

Result<std::unique_ptr<AccessLog>> AccessLogSwitch::prepare(const gateway::AccessLogConfig& config) const {
  auto options = options_of(config, shards_);
  if (!options) return tl::unexpected(options.error());
  if (options->to == current().to() && options->format == current().format()) return std::unique_ptr<AccessLog>();
  options->held = true;
  auto log = AccessLog::open(*options, clock_);
  if (!log) return tl::unexpected(std::move(log.error()).while_("telemetry.access_log"));
  return log;
}

Status AccessLogSwitch::try_out(const gateway::AccessLogConfig& config) const {
  auto options = options_of(config, shards_);
  if (!options) return tl::unexpected(options.error());
  if (auto possible = telemetry::can_open_access_log(*options); !possible) {
    return tl::unexpected(std::move(possible.error()).while_("telemetry.access_log"));
  }
  return {};
}

void AccessLogSwitch::replace(std::unique_ptr<AccessLog> next, gateway::Gateway& gateway, net::Loop& loop) {
  logs_.push_back(std::move(next));
  gateway.use(*logs_.back(), [this, &loop] { loop.post([this] { end_oldest(); }); });
}

void AccessLogSwitch::end_oldest() {
  logs_.front()->flush();
  add(ended_, logs_.front()->counters());
  logs_.pop_front();
  logs_.front()->begin();
}

}  // namespace gatehouse::app
