#include "app/export/export_queue.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

namespace gatehouse::app {
namespace {

constexpr std::string_view kEnding = ".batch";
constexpr std::size_t kFileBytesMax = 64 * 1024 * 1024;  // a file that is longer is none of ours

std::optional<std::uint64_t> number_of(std::string_view name) {
  std::uint64_t number = 0;
  if (name.size() != 20 + kEnding.size() || !name.ends_with(kEnding)) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 20, number);
  if (error != std::errc() || end != name.data() + 20) return std::nullopt;
  return number;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

ExportQueue::ExportQueue(std::string folder, std::uint64_t spool_bytes)
    : folder_(std::move(folder)), spool_bytes_max_(folder_.empty() ? 0 : spool_bytes) {
  if (folder_.empty()) return;
  std::error_code error;
  std::vector<Spooled> found;
  for (std::filesystem::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const auto number = number_of(at->path().filename().native());
    if (number) found.push_back({*number, at->file_size(error)});
  }
  std::sort(found.begin(), found.end(), [](const Spooled& a, const Spooled& b) { return a.number < b.number; });
  for (const Spooled& one : found) {
    files_.push_back(one);
    spool_bytes_ += one.bytes;
    next_ = one.number + 1;
  }
}

std::string ExportQueue::path_of(std::uint64_t number) const {
  return fmt::format("{}/{:020}{}", folder_, number, kEnding);
}

bool ExportQueue::write_file(std::uint64_t number, const ExportBatch& batch) {
  const std::string path = path_of(number), beside = path + ".new";
  const int fd = open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return false;
  const std::string head =
      fmt::format("{} {} {}\n", static_cast<unsigned>(batch.signal), batch.count, batch.body.size());
  const bool good = write_all(fd, head) && write_all(fd, batch.body);
  if (close(fd) == 0 && good && std::rename(beside.c_str(), path.c_str()) == 0) return true;
  std::remove(beside.c_str());
  return false;
}

std::optional<ExportBatch> ExportQueue::read_file(std::uint64_t number) const {
  std::ifstream file(path_of(number), std::ios::binary);
  unsigned signal = 0;
  std::uint32_t count = 0;
  std::size_t bytes = 0;
  if (!(file >> signal >> count >> bytes) || signal > 2 || bytes > kFileBytesMax || file.get() != '\n') {
    return std::nullopt;
  }
  ExportBatch batch{static_cast<ExportSignal>(signal), count, std::string(bytes, '\0')};
  file.read(batch.body.data(), static_cast<std::streamsize>(bytes));
  if (static_cast<std::size_t>(file.gcount()) != bytes || file.peek() != std::ifstream::traits_type::eof()) {
    return std::nullopt;
  }
  return batch;
}

void ExportQueue::remove_file(std::uint64_t number) { std::remove(path_of(number).c_str()); }

bool ExportQueue::push(ExportBatch batch) {
  const std::lock_guard lock(mutex_);
  const std::size_t bytes = batch.body.size();
  if (files_.empty() && memory_bytes_ + bytes <= kMemoryBytesMax) {
    memory_bytes_ += bytes;
    memory_.push_back(std::move(batch));
  } else if (spool_bytes_ + bytes <= spool_bytes_max_) {
    // Room for `put_away` below the first, so that it does not meet the file that is being sent.
    if (files_.empty()) next_ += memory_.size() + 1;
    if (!write_file(next_, batch)) {
      ++failures_;
      return false;
    }
    files_.push_back({next_++, bytes});
    spool_bytes_ += bytes;
  } else {
    return false;
  }
  changed_.notify_one();
  return true;
}

const ExportBatch* ExportQueue::front(std::chrono::steady_clock::time_point until) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (front_) return &*front_;
    if (!memory_.empty()) {
      front_ = std::move(memory_.front());  // its bytes count until `pop`
      memory_.pop_front();
      continue;
    }
    if (!files_.empty()) {
      const Spooled file = files_.front();
      files_.pop_front();
      front_ = read_file(file.number);
      front_file_ = file;
      if (!front_) {  // broken from outside: nobody can send it
        ++failures_;
        spool_bytes_ -= std::min(spool_bytes_, file.bytes);
        front_file_.reset();
        remove_file(file.number);
      }
      continue;
    }
    if (woken_ || !changed_.wait_until(lock, until, [&] { return woken_ || !memory_.empty() || !files_.empty(); })) {
      woken_ = false;
      return nullptr;
    }
  }
}

void ExportQueue::pop() {
  const std::lock_guard lock(mutex_);
  if (!front_) return;
  if (front_file_) {
    spool_bytes_ -= std::min(spool_bytes_, front_file_->bytes);
    remove_file(front_file_->number);
    front_file_.reset();
  } else {
    memory_bytes_ -= front_->body.size();
  }
  front_.reset();
}

void ExportQueue::wake() {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  changed_.notify_all();
}

std::uint64_t ExportQueue::put_away() {
  const std::lock_guard lock(mutex_);
  std::uint64_t lost = 0;
  if (front_ && !front_file_) memory_.push_front(std::move(*front_));
  front_.reset();
  front_file_.reset();
  // They are older than what is in files, whose numbers began high enough.
  std::uint64_t number = files_.empty() ? next_ : files_.front().number - memory_.size();
  if (files_.empty()) next_ += memory_.size();
  for (ExportBatch& batch : memory_) {
    if (spool_bytes_ + batch.body.size() <= spool_bytes_max_ && write_file(number++, batch)) {
      spool_bytes_ += batch.body.size();
    } else {
      lost += batch.count;
    }
  }
  memory_.clear();
  memory_bytes_ = 0;
  return lost;
}

std::uint64_t ExportQueue::waiting_bytes() const {
  const std::lock_guard lock(mutex_);
  return memory_bytes_ + spool_bytes_;
}

std::uint64_t ExportQueue::spool_failures() const {
  const std::lock_guard lock(mutex_);
  return failures_;
}

}  // namespace gatehouse::app
