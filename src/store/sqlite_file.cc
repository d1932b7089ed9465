#include "store/sqlite_file.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>

#include "base/file.h"

namespace gatehouse::store {
namespace {

// Whoever may write into the folder may swap the file.
Status check_folder(const std::string& folder, struct stat& info) {
  if (::stat(folder.c_str(), &info) != 0) return fail_errno(folder);
  const bool theirs = info.st_uid != ::geteuid() && info.st_uid != 0 && ::geteuid() != 0;
  const bool shared = (info.st_mode & 022) != 0 && (info.st_mode & S_ISVTX) == 0;
  if (!theirs && !shared) return {};
  return fail(ErrorCode::denied,
              fmt::format("{}: {}; the store needs a folder that only its own user may write to", folder,
                          theirs ? "belongs to another user" : "others may write to it (chmod go-w)"),
              ErrorSource::system);
}

// Made before SQLite opens it: SQLite would take 0644. Never opened when it is there already, because closing any
// descriptor of a file gives up all locks that this process has on it (POSIX).
Status make_file(const std::string& path, const struct stat& folder) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail_errno(path);
  // An administrator's command may come before the service: the file then belongs to whom the folder belongs to.
  const bool owned = ::geteuid() != 0 || ::fchown(fd, folder.st_uid, folder.st_gid) == 0;
  ::close(fd);
  if (!owned) return fail_errno("chown " + path);
  return {};
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

using Handle = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;

tl::unexpected<Error> failure(sqlite3* handle, const std::string& path) {
  const int kind = ::sqlite3_errcode(handle) & 0xff;
  const bool damaged = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
  const ErrorCode code = damaged ? ErrorCode::io : kind == SQLITE_FULL ? ErrorCode::exhausted : ErrorCode::unavailable;
  return fail(code,
              fmt::format("{}: {}{}", path, damaged ? "damaged or no SQLite database: " : "", ::sqlite3_errmsg(handle)),
              ErrorSource::system);
}

Handle open_handle(const std::string& path, int flags) {
  sqlite3* handle = nullptr;
  ::sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  ::sqlite3_busy_timeout(handle, 5000);
  return {handle, &::sqlite3_close};
}

// The first column of the first row.
std::string ask(sqlite3* handle, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  std::string answer;
  if (::sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr) == SQLITE_OK &&
      ::sqlite3_step(statement) == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(::sqlite3_column_text(statement, 0));
    answer = text ? text : "";
  }
  ::sqlite3_finalize(statement);
  return answer;
}

}  // namespace

Status prepare_sqlite_file(const std::string& path) {
  const std::string folder = folder_of(path);
  struct stat info;
  if (::stat(folder.c_str(), &info) != 0 && errno == ENOENT) {
    if (auto made = make_private_folder(folder); !made) return made;
  }
  if (auto good = check_folder(folder, info); !good) return good;
  struct stat file;
  if (::lstat(path.c_str(), &file) != 0) {
    if (errno != ENOENT) return fail_errno(path);
    auto made = make_file(path, info);
    // Another starter was quicker: as good.
    if (made || made.error().code != ErrorCode::conflict) return made;
    if (::lstat(path.c_str(), &file) != 0) return fail_errno(path);
  }
  if (!S_ISREG(file.st_mode)) return fail(ErrorCode::denied, path + " is no regular file", ErrorSource::system);
  if ((file.st_mode & 077) != 0 && ::chmod(path.c_str(), 0600) != 0) return fail_errno("chmod " + path);
  return {};
}

FileInUse::FileInUse(FileInUse&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileInUse& FileInUse::operator=(FileInUse&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileInUse::~FileInUse() {
  if (fd_ >= 0) ::close(fd_);
}

Result<FileInUse> FileInUse::take(const std::string& path, Kind kind) {
  const std::string lock = path + ".lock";
  struct stat folder;
  if (::stat(folder_of(path).c_str(), &folder) != 0) return fail_errno(path);
  if (auto made = make_file(lock, folder); !made && made.error().code != ErrorCode::conflict) {
    return tl::unexpected(std::move(made.error()));
  }
  FileInUse in_use;
  in_use.fd_ = ::open(lock.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (in_use.fd_ < 0) return fail_errno(lock);
  if (::flock(in_use.fd_, (kind == Kind::shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return in_use;
  if (errno != EWOULDBLOCK) return fail_errno(lock);
  return fail(
      ErrorCode::conflict,
      kind == Kind::shared ? path + " is being replaced by a backup" : path + " is in use: stop the gateway first",
      ErrorSource::system);
}

Status copy_sqlite_file(const std::string& from, const std::string& to) {
  const Handle source = open_handle(from, SQLITE_OPEN_READONLY);
  if (::sqlite3_errcode(source.get()) != SQLITE_OK) return failure(source.get(), from);
  const Handle target = open_handle(to, SQLITE_OPEN_READWRITE);
  if (::sqlite3_errcode(target.get()) != SQLITE_OK) return failure(target.get(), to);
  ::sqlite3_exec(target.get(), "PRAGMA synchronous=FULL", nullptr, nullptr, nullptr);
  sqlite3_backup* backup = ::sqlite3_backup_init(target.get(), "main", source.get(), "main");
  if (!backup) return failure(target.get(), to);
  // In one step: writers go on meanwhile (WAL), and what they write is not in it.
  ::sqlite3_backup_step(backup, -1);
  if (::sqlite3_backup_finish(backup) != SQLITE_OK) return failure(target.get(), from);
  // The copy says of itself that it has a log; without one it can be read from where nothing can be written.
  if (ask(target.get(), "PRAGMA journal_mode=DELETE") != "delete") return failure(target.get(), to);
  const std::string sound = ask(target.get(), "PRAGMA integrity_check(1)");
  if (sound != "ok") return fail(ErrorCode::io, fmt::format("{} is damaged: {}", from, sound), ErrorSource::system);
  return {};
}

void fold_log(const std::string& path) {
  const Handle handle = open_handle(path, SQLITE_OPEN_READWRITE);
  ask(handle.get(), "PRAGMA wal_checkpoint(TRUNCATE)");
}

}  // namespace gatehouse::store
