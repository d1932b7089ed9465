#include "gateway/upstream/connection_queue.h"

#include <algorithm>

namespace gatehouse::gateway {

ConnectionQueue::Joined ConnectionQueue::join(Member& member) {
  const std::lock_guard lock(mutex_);
  const bool first = waiting_.empty();
  waiting_.emplace_hint(waiting_.end(), next_, &member);
  return {next_++, first};
}

void ConnectionQueue::put_back(const Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  waiting_.emplace_hint(waiting_.begin(), ticket.number, ticket.member);
}

void ConnectionQueue::leave(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  waiting_.erase(number);
}

bool ConnectionQueue::empty() {
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
}

std::optional<ConnectionQueue::Ticket> ConnectionQueue::take_first() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return std::nullopt;
  const Ticket ticket{waiting_.begin()->first, waiting_.begin()->second};
  waiting_.erase(waiting_.begin());
  return ticket;
}

std::optional<ConnectionQueue::Ticket> ConnectionQueue::take_first_of(const Member& member) {
  const std::lock_guard lock(mutex_);
  const auto at =
      std::find_if(waiting_.begin(), waiting_.end(), [&](const auto& entry) { return entry.second == &member; });
  if (at == waiting_.end()) return std::nullopt;
  const Ticket ticket{at->first, at->second};
  waiting_.erase(at);
  return ticket;
}

void ConnectionQueue::add_member(Member& member) {
  const std::lock_guard lock(mutex_);
  members_.push_back(&member);
}

void ConnectionQueue::remove_member(Member& member) {
  const std::lock_guard lock(mutex_);
  std::erase(members_, &member);
}

void ConnectionQueue::tell_others(const std::shared_ptr<Cluster>& cluster, const Member& except) {
  const std::lock_guard lock(mutex_);
  for (Member* member : members_) {
    if (member != &except) member->others_wait(cluster);
  }
}

}  // namespace gatehouse::gateway
