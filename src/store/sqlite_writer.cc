#include "store/sqlite_writer.h"

#include <iterator>
#include <utility>

namespace gatehouse::store {
namespace {
// How many may share a sync: the first of them waits for the bodies of all.
constexpr int kGroupMax = 32;
}  // namespace

Status SqliteWriter::transact(const Database::Body& body) {
  std::unique_lock lock(mutex_);
  ++waiting_;
  const bool mine = turn_.wait_for(lock, wait_max_, [&] { return !busy_; });
  --waiting_;
  if (!mine) {
    return tl::unexpected(
        Error{ErrorCode::exhausted, ErrorSource::system, Retry::safe, "no connection to the store came free in time"});
  }
  busy_ = true;
  if (!open_) {
    lock.unlock();
    Status begun = connection_->begin();
    lock.lock();
    if (!begun) {
      busy_ = false;
      turn_.notify_one();
      return begun;
    }
    groups_.emplace_back();
    open_ = true;
  }
  const auto group = std::prev(groups_.end());
  ++group->members;
  lock.unlock();
  Status own = connection_->nested(body);
  lock.lock();
  const bool undone = !connection_->in_transaction();
  if (undone || waiting_ == 0 || group->members >= kGroupMax) {
    finish(group, undone && !own ? std::optional(own.error()) : std::nullopt, lock);
  }
  busy_ = false;
  turn_.notify_one();
  finished_.wait(lock, [&] { return group->done; });
  return leave(group, std::move(own));
}

void SqliteWriter::finish(Groups::iterator group, std::optional<Error> undone, std::unique_lock<std::mutex>& lock) {
  if (undone) {
    undone->retry = Retry::safe;
    group->failure = std::move(undone);
  } else {
    lock.unlock();
    Status committed = connection_->commit();
    lock.lock();
    if (!committed) group->failure = std::move(committed.error());
  }
  open_ = false;
  group->done = true;
  finished_.notify_all();
}

// A body's own error is its caller's; otherwise what became of the group.
Status SqliteWriter::leave(Groups::iterator group, Status own) {
  if (own && group->failure) own = tl::unexpected(*group->failure);
  if (--group->members == 0) groups_.erase(group);
  return own;
}

}  // namespace gatehouse::store
