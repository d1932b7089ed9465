#pragma once
// The access log in force, and how another one takes its place: shards are told one by one, and only when the last of
// them is through with the old log does that end and the new one begin to write. So no line is lost, none is written in
// another log's format, and two logs on one pipe don't cut into each other's lines.
//
// Thread safety: the control plane's thread. Outlives the gateway, whose shards write to what is in here.

#include <deque>
#include <memory>

#include "gateway/server/gateway.h"
#include "net/loop.h"
#include "telemetry/access_log.h"

namespace gatehouse::app {

class AccessLogSwitch {
 public:
  static Result<std::unique_ptr<AccessLogSwitch>> open(const gateway::AccessLogConfig& config, std::size_t shards,
                                                       const Clock& clock);
  ~AccessLogSwitch();

  telemetry::AccessLog& current() noexcept { return *logs_.back(); }
  const telemetry::AccessLog& current() const noexcept { return *logs_.back(); }
  // Of all logs since the start.
  telemetry::AccessLogCounters counters() const noexcept;

  // Another log for `replace`; null when the one in force is as `config` wants it.
  Result<std::unique_ptr<telemetry::AccessLog>> prepare(const gateway::AccessLogConfig& config) const;
  // Would `prepare` work? Makes no file.
  Status try_out(const gateway::AccessLogConfig& config) const;
  void replace(std::unique_ptr<telemetry::AccessLog> next, gateway::Gateway& gateway, net::Loop& loop);

 private:
  AccessLogSwitch(std::unique_ptr<telemetry::AccessLog> first, std::size_t shards, const Clock& clock);
  void end_oldest();

  const std::size_t shards_;
  const Clock& clock_;
  std::deque<std::unique_ptr<telemetry::AccessLog>> logs_;  // the first writes; shards are at the last or on their way
  telemetry::AccessLogCounters ended_;
};

}  // namespace gatehouse::app
