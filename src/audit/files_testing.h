#pragma once
// A file system in memory that forgets what was not synced, and fails where it is told to.
//
// `crash` gives what a machine may find after the power went: of every name either what was synced or what was last
// said, of every file what was synced and any part of what came after, the end of it spoilt.

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "audit/files.h"

namespace gatehouse::audit {

class MemoryFiles final : public Files {
 public:
  enum class Fault : std::uint8_t { none, fails, power };  // one call fails; or nothing works from there on

  // The `call`-th from now on, from 1.
  void plan(Fault fault, std::size_t call) { fault_ = fault, countdown_ = call; }
  std::size_t calls() const noexcept { return calls_; }
  bool failed() const noexcept { return failed_; }
  void set_full(bool full) { full_ = full; }  // no byte more can be written

  void crash(std::mt19937_64& random) {
    fault_ = Fault::none, dead_ = failed_ = false;
    std::set<std::string> paths;
    for (const auto& [path, file] : names_) paths.insert(path);
    for (const auto& [path, file] : durable_names_) paths.insert(path);
    std::map<std::string, std::shared_ptr<File>> after;
    for (const std::string& path : paths) {
      const auto now = names_.find(path), then = durable_names_.find(path);
      const auto& from = random() % 2 == 0              ? now != names_.end() ? now->second : nullptr
                         : then != durable_names_.end() ? then->second
                                                        : nullptr;
      if (!from) continue;
      auto file = std::make_shared<File>();
      file->bytes = file->durable = from->after_crash(random);
      after.emplace(path, file);
    }
    // A file has no name whose folders have none.
    names_ = durable_names_ = std::move(after);
    token_.clear();
  }
  std::string& bytes_of(const std::string& path) { return names_.at(path)->bytes; }
  bool has(const std::string& path) const { return names_.contains(path); }
  std::map<std::string, std::string> snapshot() const {
    std::map<std::string, std::string> all;
    for (const auto& [path, file] : names_) all.emplace(path, file->bytes);
    return all;
  }
  void restore(const std::map<std::string, std::string>& all) {
    names_.clear();
    for (const auto& [path, bytes] : all) {
      auto file = std::make_shared<File>();
      file->bytes = file->durable = bytes;
      names_.emplace(path, file);
    }
    durable_names_ = names_;
    token_.clear();
  }

  Result<std::string> read(const std::string& path, std::size_t bytes_max) const override {
    const auto at = names_.find(path);
    if (at == names_.end()) return fail(ErrorCode::not_found, path + ": no such file");
    if (at->second->bytes.size() > bytes_max) return fail(ErrorCode::exhausted, path + ": too large");
    return at->second->bytes;
  }
  Result<std::vector<std::string>> list(const std::string& folder) const override {
    std::set<std::string> names;
    for (const auto& [path, file] : names_) {
      if (!path.starts_with(folder + "/")) continue;
      const std::string rest = path.substr(folder.size() + 1);
      names.insert(rest.substr(0, rest.find('/')));
    }
    return std::vector<std::string>(names.begin(), names.end());
  }
  Status make_folder(const std::string&) override { return may_work(); }
  Status write(const std::string& path, std::string_view bytes) override {
    if (dead_) return refused();
    auto& file = names_[path];
    if (!file) file = std::make_shared<File>();
    file->bytes.clear();
    file->stuck = false;
    return append_to(*file, bytes);
  }
  Result<std::unique_ptr<AppendFile>> create(const std::string& path) override {
    if (Status works = may_work(); !works) return tl::unexpected(works.error());
    auto& file = names_[path];
    if (!file) file = std::make_shared<File>();
    file->bytes.clear();
    file->stuck = false;
    return std::make_unique<Appender>(*this, file);
  }
  Status sync(const std::string& path) override {
    const auto at = names_.find(path);
    if (at == names_.end()) return fail(ErrorCode::not_found, path);
    return sync_file(*at->second);
  }
  Status sync_folder(const std::string& folder) override {
    if (Status works = may_work(); !works) return works;
    const auto within = [&folder](const std::string& path) {
      return path.starts_with(folder + "/") && path.find('/', folder.size() + 1) == std::string::npos;
    };
    std::erase_if(durable_names_, [&](const auto& entry) { return within(entry.first); });
    for (const auto& [path, file] : names_) {
      if (within(path)) durable_names_[path] = file;
    }
    return {};
  }
  Status rename(const std::string& from, const std::string& to) override {
    if (Status works = may_work(); !works) return works;
    const auto at = names_.find(from);
    if (at == names_.end()) return fail(ErrorCode::not_found, from);
    names_[to] = at->second;
    names_.erase(from);
    return {};
  }
  Status remove(const std::string& path) override {
    if (Status works = may_work(); !works) return works;
    names_.erase(path);
    return {};
  }
  Result<std::unique_ptr<LockFile>> open_lock(const std::string&) override { return std::make_unique<Lock>(*this); }

 private:
  struct File {
    std::string bytes, durable;
    bool stuck = false;  // a sync failed: the kernel takes its pages for written, and another sync says yes for nothing
    std::string after_crash(std::mt19937_64& random) const {
      if (bytes == durable) return bytes;
      if (!bytes.starts_with(durable)) {
        return random() % 3 == 0 ? durable : bytes.substr(0, random() % (bytes.size() + 1));
      }
      std::string kept = bytes.substr(0, durable.size() + random() % (bytes.size() - durable.size() + 1));
      if (kept.size() > durable.size() && random() % 2 == 0) {
        const std::size_t from = durable.size() + random() % (kept.size() - durable.size());
        for (std::size_t i = from; i < kept.size(); ++i) kept[i] = 0;
      }
      return kept;
    }
  };
  class Appender final : public AppendFile {
   public:
    Appender(MemoryFiles& files, std::shared_ptr<File> file) : files_(files), file_(std::move(file)) {}
    Status append(std::string_view bytes) override { return files_.append_to(*file_, bytes); }
    Status sync() override { return files_.sync_file(*file_); }

   private:
    MemoryFiles& files_;
    std::shared_ptr<File> file_;
  };
  class Lock final : public LockFile {
   public:
    explicit Lock(MemoryFiles& files) : files_(files) {}
    Status lock() override { return {}; }
    void unlock() override {}
    Result<std::string> token() override { return files_.token_; }
    Status set_token(std::string_view token) override {
      files_.token_ = token;
      return {};
    }
    Status sync_all() override { return files_.sync_everything(); }

   private:
    MemoryFiles& files_;
  };

  static tl::unexpected<Error> refused() { return fail(ErrorCode::io, "a fault of this test", ErrorSource::system); }
  Status may_work() {
    if (dead_) return refused();
    ++calls_;
    if (fault_ == Fault::none || --countdown_ > 0) return {};
    dead_ = fault_ == Fault::power;
    fault_ = Fault::none;
    failed_ = true;
    return refused();
  }
  Status append_to(File& file, std::string_view bytes) {
    if (full_) return fail(ErrorCode::io, "no space left on device", ErrorSource::system);
    const Status works = may_work();
    file.bytes.append(works ? bytes : dead_ && countdown_ > 0 ? "" : bytes.substr(0, bytes.size() / 2));  // cut short
    return works;
  }
  Status sync_file(File& file) {
    const Status works = may_work();
    if (!works) file.stuck = true;
    if (works && !file.stuck) file.durable = file.bytes;
    return works;
  }

  Status sync_everything() {
    const Status works = may_work();
    for (auto& [path, file] : names_) {
      if (!works) file->stuck = file->stuck || file->bytes != file->durable;
      if (works && !file->stuck) file->durable = file->bytes;
    }
    if (works) durable_names_ = names_;
    return works;
  }

  std::map<std::string, std::shared_ptr<File>> names_, durable_names_;
  std::string token_;
  Fault fault_ = Fault::none;
  std::size_t countdown_ = 0, calls_ = 0;
  bool dead_ = false, failed_ = false, full_ = false;
};

}  // namespace gatehouse::audit
