#include "app/audit/denial_sink.h"

#include <algorithm>
#include <utility>

namespace gatehouse::app {

using audit::Entry;

namespace {

Entry denial(WallTime time, std::string action) {
  Entry entry;
  entry.kind = Entry::Kind::denial;
  entry.time = time;
  entry.actor = "client";
  entry.action = std::move(action);
  entry.outcome = "refused";
  return entry;
}

}  // namespace

// A bucket of tokens.
bool DenialSink::may_be_whole() {
  const MonotonicTime now = clock_.now();
  whole_ = std::min(kBurst, whole_ + std::chrono::duration<double>(now - refilled_).count() * kPerSecond);
  refilled_ = now;
  if (whole_ < 1) return false;
  whole_ -= 1;
  return true;
}

void DenialSink::take(const telemetry::DecisionRecord& record) {
  if (!may_be_whole()) {
    Group group{record.client_ip.to_string(), std::string(record.route), std::string(name_of(record.layer)),
                std::string(record.reason)};
    const auto known = sums_.find(group);
    if (known != sums_.end()) {
      ++known->second;
    } else if (sums_.size() < kGroupsMax) {
      sums_.emplace(std::move(group), 1);
    } else {
      ++others_;
    }
    return;
  }
  Entry entry = denial(record.time, "request.deny");
  entry.target = "route:" + std::string(record.route);
  entry.request_id = record.request_id;
  entry.details = {{"layer", std::string(name_of(record.layer))},
                   {"method", std::string(record.method)},
                   {"reason", std::string(record.reason)},
                   {"status", std::to_string(record.status)}};
  entry.personal = {{"client_ip", record.client_ip.to_string()}, {"path", std::string(record.path)}};
  if (!record.user.empty()) entry.personal.emplace_back("user", record.user);
  tell_(std::move(entry));
}

void DenialSink::tell_sums() {
  for (const auto& [group, count] : sums_) {
    Entry entry = denial(clock_.wall(), "request.deny.many");
    entry.target = "route:" + group.route;
    entry.details = {{"layer", group.layer}, {"reason", group.reason}, {"requests", std::to_string(count)}};
    entry.personal = {{"client_ip", group.client}};
    tell_(std::move(entry));
  }
  sums_.clear();
  if (others_ == 0) return;
  Entry entry = denial(clock_.wall(), "request.deny.many");
  entry.details = {{"requests", std::to_string(std::exchange(others_, 0))}};
  tell_(std::move(entry));
}

void DenialSink::flush() {
  if (missed_ > 0) {
    Entry entry;
    entry.kind = Entry::Kind::log;
    entry.time = clock_.wall();
    entry.actor = "system";
    entry.action = "audit.records_missed";
    entry.outcome = "refused";
    entry.details = {{"records", std::to_string(std::exchange(missed_, 0))}};
    tell_(std::move(entry));
  }
  if (clock_.now() < sum_at_) return;
  sum_at_ = clock_.now() + kSumEvery;
  tell_sums();
}

void DenialSink::finish() {
  sum_at_ = clock_.now();
  flush();
}

}  // namespace gatehouse::app
