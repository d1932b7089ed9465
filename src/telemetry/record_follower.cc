#include "telemetry/record_follower.h"

#include <pthread.h>

#include <cstring>

#include "telemetry/log.h"

namespace gatehouse::telemetry {

bool is_remarkable(const PackedKey& key) noexcept {
  return key.verdict == Verdict::deny || key.verdict == Verdict::delay || key.remark != 0 || key.status_class == 5 ||
         key.status_class == 0;
}

bool is_sampled(const PackedKey& key, std::uint32_t per_million) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a, then mixed: neighbours in time share most of their id
  for (const char c : key.request_id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93;
  return (hash >> 32) * 1'000'000 >> 32 < per_million;
}

RecordFollower::RecordFollower(const RecordStore& records, std::vector<RecordSink*> sinks) : sinks_(std::move(sinks)) {
  for (const RecordRing* ring : records.rings()) places_.push_back({ring});
}

RecordFollower::~RecordFollower() { stop(); }

void RecordFollower::start() {
  if (sinks_.empty() || thread_.joinable()) return;
  thread_ = std::thread([this] { run(); });
}

void RecordFollower::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void RecordFollower::run() {
  ::pthread_setname_np(::pthread_self(), "records");
  std::unique_lock lock(mutex_);
  Duration pause = kPause;
  while (!wake_.wait_for(lock, pause, [this] { return ending_; })) {
    lock.unlock();
    pause = poll() > 0 ? kPause : kIdlePause;
    lock.lock();
  }
  lock.unlock();
  poll();
}

void RecordFollower::hand_over(const PackedKey& key, const Place& place, std::uint64_t position,
                               std::uint64_t& missed) {
  wanting_.clear();
  for (RecordSink* sink : sinks_) {
    if (sink->wants(key)) wanting_.push_back(sink);
  }
  if (wanting_.empty()) return;
  DecisionRecord record;
  // The second fails for what was overwritten while its key was read, and for nothing else.
  if (!place.ring->read_bytes(position, key, bytes_) || !unpack(bytes_, record, waf_)) {
    ++missed;
    return;
  }
  for (RecordSink* sink : wanting_) sink->take(record);
}

std::size_t RecordFollower::poll() {
  std::size_t read = 0;
  std::uint64_t missed = 0;
  for (Place& place : places_) {
    PackedKey key;
    std::uint64_t position;
    // What comes while it is read waits for the next round, so that the other rings have theirs.
    for (std::size_t left = kAtOnceMax; left > 0 && place.ring->next(place.entry, key, position, missed); --left) {
      hand_over(key, place, position, missed);
      ++place.entry;
      ++read;
    }
  }
  if (missed > 0) {
    missed_.fetch_add(missed, std::memory_order_relaxed);
    for (RecordSink* sink : sinks_) sink->missed(missed);
  }
  if (read > 0 || missed > 0) {
    for (RecordSink* sink : sinks_) sink->flush();
  }
  return read;
}

}  // namespace gatehouse::telemetry
