#include "audit/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "base/file.h"

namespace gatehouse::audit {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int get() const noexcept { return number_; }

 private:
  int number_;
};

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(path);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

class SystemAppendFile final : public AppendFile {
 public:
  SystemAppendFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Status append(std::string_view bytes) override { return write_all(file_.get(), bytes, path_); }
  Status sync() override {
    if (::fdatasync(file_.get()) != 0) return fail_errno("fdatasync " + path_);
    return {};
  }

 private:
  Descriptor file_;
  std::string path_;
};

class SystemLockFile final : public LockFile {
 public:
  SystemLockFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Status lock() override {
    while (::flock(file_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) return fail_errno("flock " + path_);
    }
    return {};
  }
  void unlock() override { ::flock(file_.get(), LOCK_UN); }
  Result<std::string> token() override {
    char bytes[kTokenBytesMax];
    const ssize_t got = ::pread(file_.get(), bytes, sizeof bytes, 0);
    if (got < 0) return fail_errno(path_);
    return std::string(bytes, static_cast<std::size_t>(got));
  }
  Status set_token(std::string_view token) override {
    const ssize_t put = ::pwrite(file_.get(), token.data(), token.size(), 0);
    if (put != static_cast<ssize_t>(token.size())) return fail_errno(path_);
    return {};
  }

  Status sync_all() override {
    if (::syncfs(file_.get()) != 0) return fail_errno("syncfs " + path_);
    return {};
  }

 private:
  static constexpr std::size_t kTokenBytesMax = 64;
  Descriptor file_;
  std::string path_;
};

class SystemFiles final : public Files {
 public:
  Result<std::string> read(const std::string& path, std::size_t bytes_max) const override {
    return read_file(path, bytes_max);
  }

  Result<std::vector<std::string>> list(const std::string& folder) const override {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      names.push_back(entry->path().filename().string());
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return fail(ErrorCode::io, fmt::format("{}: {}", folder, error.message()), ErrorSource::system);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Status make_folder(const std::string& path) override {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(path);
    return {};
  }

  Status write(const std::string& path, std::string_view bytes) override {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return fail_errno(path);
    return write_all(file.get(), bytes, path);
  }

  Result<std::unique_ptr<AppendFile>> create(const std::string& path) override {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return fail_errno(path);
    return std::make_unique<SystemAppendFile>(std::move(file), path);
  }

  Status sync(const std::string& path) override { return sync_opened(path, O_RDONLY); }
  Status sync_folder(const std::string& path) override { return sync_opened(path, O_RDONLY | O_DIRECTORY); }

  Status rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(to);
    return {};
  }

  Status remove(const std::string& path) override {
    if (std::remove(path.c_str()) != 0 && errno != ENOENT) return fail_errno(path);
    return {};
  }

  Result<std::unique_ptr<LockFile>> open_lock(const std::string& path) override {
    Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return fail_errno(path);
    return std::make_unique<SystemLockFile>(std::move(file), path);
  }

 private:
  static Status sync_opened(const std::string& path, int flags) {
    const Descriptor file(::open(path.c_str(), flags | O_CLOEXEC));
    if (file.get() < 0 || ::fsync(file.get()) != 0) return fail_errno("fsync " + path);
    return {};
  }
};

}  // namespace

Files& system_files() {
  static SystemFiles files;
  return files;
}

}  // namespace gatehouse::audit
