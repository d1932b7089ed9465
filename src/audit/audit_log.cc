#include "audit/audit_log.h"

#include <pthread.h>

#include <algorithm>
#include <future>

#include "telemetry/log.h"

namespace gatehouse::audit {
namespace {

constexpr std::size_t kBatchEntriesMax = 16384, kGroupBytesMax = 16 * 1024 * 1024;  // threefold by escapes at worst
constexpr std::size_t kEntryOverheadBytes = 512;

std::size_t bytes_of(const Entry& entry) noexcept {
  std::size_t bytes =
      kEntryOverheadBytes + entry.actor.size() + entry.action.size() + entry.target.size() + entry.request_id.size();
  for (const auto* values : {&entry.details, &entry.personal}) {
    for (const auto& [name, value] : *values) bytes += name.size() + value.size() + 80;
  }
  return bytes;
}

}  // namespace

AuditLog::AuditLog(Files& files, Options options, const NoteSigner& signer, SecretBytes personal_key,
                   const Clock& clock)
    : files_(files),
      options_(std::move(options)),
      key_(signer.pkcs8()),
      personal_key_(std::move(personal_key)),
      vkey_(signer.vkey()),
      clock_(clock) {}

Result<std::unique_ptr<AuditLog>> AuditLog::open(Files& files, Options options, const NoteSigner& signer,
                                                 SecretBytes personal_key, const Clock& clock) {
  std::unique_ptr<AuditLog> log(new AuditLog(files, std::move(options), signer, std::move(personal_key), clock));
  if (Status opened = log->open_writer(); !opened) {
    if (opened.error().code == ErrorCode::denied) return tl::unexpected(std::move(opened.error()));
    log->set_trouble(opened.error());
  }
  log->published_at_ = clock.now();
  return log;
}

void AuditLog::start() {
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "audit");
}

AuditLog::~AuditLog() { stop(); }

void AuditLog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Status AuditLog::open_writer() {
  const std::lock_guard lock(writer_mutex_);
  if (writer_) return {};
  auto signer = NoteSigner::from_pkcs8(key_);
  if (!signer) return tl::unexpected(std::move(signer.error()));
  auto writer = LogWriter::open(files_, options_.log, std::move(*signer), personal_key_);
  if (!writer) return tl::unexpected(std::move(writer.error()));
  writer_ = std::move(*writer);
  size_.store(writer_->size(), std::memory_order_relaxed);
  return {};
}

bool AuditLog::enqueue(Queued queued, std::size_t share) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= kQueueMax / share || queue_bytes_ >= kQueueBytesMax / share) return false;
    queue_bytes_ += queued.bytes;
    queue_.push_back(std::move(queued));
    if (queue_.size() > 1) return true;  // its thread has been woken
  }
  changed_.notify_all();
  return true;
}

Status AuditLog::append(Entry entry, Done done) {
  const std::size_t bytes = bytes_of(entry);
  if (enqueue({std::move(entry), std::move(done), bytes}, 1)) return {};
  return fail(ErrorCode::unavailable, "the audit log has no room");
}

Status AuditLog::append_and_wait(Entry entry) {
  std::promise<Status> durable;
  auto waiting = durable.get_future();
  if (Status queued = append(std::move(entry), [&durable](const Status& status) { durable.set_value(status); });
      !queued) {
    return queued;
  }
  return waiting.get();
}

void AuditLog::tell(Entry entry) {
  const std::size_t bytes = bytes_of(entry);
  if (!enqueue({std::move(entry), {}, bytes}, 2)) count_dropped(1);
}

Status AuditLog::erase_personal(std::uint64_t index) {
  const std::lock_guard lock(writer_mutex_);
  if (!writer_) return fail(ErrorCode::unavailable, "the audit log cannot be written");
  return writer_->erase_personal(index);
}

AuditLog::State AuditLog::state() const {
  const std::lock_guard lock(mutex_);
  State state;
  state.size = size_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < kEntryKinds; ++i) state.recorded[i] = recorded_[i].load(std::memory_order_relaxed);
  state.dropped = dropped_.load(std::memory_order_relaxed);
  state.failures = failures_.load(std::memory_order_relaxed);
  state.trouble = trouble_;
  return state;
}

void AuditLog::run() {
  std::vector<Queued> taken;
  for (;;) {
    bool stopping = false;
    {
      std::unique_lock lock(mutex_);
      const auto pause = std::min<Duration>(options_.checkpoint_interval, kRetry);
      changed_.wait_for(lock, pause, [this] { return stopping_ || !queue_.empty(); });
      stopping = stopping_;
      taken.swap(queue_);
      queue_bytes_ = 0;
    }
    // In groups that are written at once, each with one sync.
    std::vector<Queued> group;
    std::size_t bytes = 0;
    for (Queued& queued : taken) {
      if (group.size() == kBatchEntriesMax || (!group.empty() && bytes + queued.bytes > kGroupBytesMax)) {
        write(group);
        publish_if_due(false);
        group.clear();
        bytes = 0;
      }
      bytes += queued.bytes;
      group.push_back(std::move(queued));
    }
    taken.clear();
    if (!group.empty()) write(group);
    if (dropped_.load(std::memory_order_relaxed) != dropped_told_) tell_of_dropped();
    publish_if_due(stopping);
    if (stopping) return;
  }
}

void AuditLog::write(std::vector<Queued>& batch) {
  Status durable = open_writer();
  std::vector<Entry> entries;
  if (durable) {
    entries.reserve(batch.size());
    for (Queued& queued : batch) entries.push_back(std::move(queued.entry));
    const std::lock_guard lock(writer_mutex_);
    if (const auto first = writer_->commit(entries); !first) durable = tl::unexpected(first.error());
    size_.store(writer_->size(), std::memory_order_relaxed);
  }
  if (durable) {
    for (const Entry& entry : entries) {
      recorded_[static_cast<std::size_t>(entry.kind)].fetch_add(1, std::memory_order_relaxed);
    }
    set_well();
  } else {
    set_trouble(durable.error());
  }
  for (const Queued& queued : batch) {
    if (!durable) count_dropped(1);
    if (queued.done) queued.done(durable);
  }
}

void AuditLog::publish_if_due(bool now) {
  if (Status opened = open_writer(); !opened) return set_trouble(opened.error());
  std::string note;
  {
    const std::lock_guard lock(writer_mutex_);
    const bool due = clock_.now() - published_at_ >= options_.checkpoint_interval;
    if (!now && !due && writer_->unpublished_bytes() < kUnpublishedBytesMax) return;
    const bool anything = writer_->unpublished_bytes() > 0;
    published_at_ = clock_.now();
    // Also when there is nothing: a log that could not be written is found to be well again.
    auto published = writer_->publish();
    if (!published) return set_trouble(published.error());
    if (anything) note = std::move(*published);
    size_.store(writer_->size(), std::memory_order_relaxed);
  }
  set_well();
  if (!note.empty() && options_.published) options_.published(note);
}

bool AuditLog::tell_of_dropped() {
  const std::uint64_t dropped = dropped_.load(std::memory_order_relaxed);
  Entry entry;
  entry.kind = Entry::Kind::log;
  entry.time = clock_.wall();
  entry.actor = "system";
  entry.action = "audit.dropped";
  entry.outcome = "refused";
  entry.details = {{"entries", std::to_string(dropped - dropped_told_)}};
  {
    const std::lock_guard lock(writer_mutex_);
    if (!writer_ || !writer_->commit(std::span(&entry, 1))) return false;
    size_.store(writer_->size(), std::memory_order_relaxed);
  }
  dropped_told_ = dropped;
  return true;
}

void AuditLog::set_trouble(const Error& error) {
  failures_.fetch_add(1, std::memory_order_relaxed);
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    news = trouble_ != error.message;
    trouble_ = error.message;
  }
  if (news) GH_LOG(error, "the audit log cannot be written", {"reason", error.message});
}

void AuditLog::set_well() {
  {
    const std::lock_guard lock(mutex_);
    if (trouble_.empty()) return;
    trouble_.clear();
  }
  GH_LOG(info, "the audit log is written again");
}

}  // namespace gatehouse::audit
