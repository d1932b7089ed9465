#include "store/backup.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <filesystem>

#include "base/file.h"
#include "store/sqlite_file.h"
#include "store/table_copy.h"

namespace gatehouse::store {
namespace {

constexpr std::string_view kSqlite = "sqlite:";

bool is_sqlite(const DatabaseOptions& options) { return options.location.starts_with(kSqlite); }

// A file that is gone at the end unless it was kept, with what SQLite puts beside it.
class Draft {
 public:
  explicit Draft(std::string path) : path_(std::move(path)) { remove(); }
  ~Draft() { remove(); }
  const std::string& path() const noexcept { return path_; }

  // In the place of `target`, for good: the name is durable once its folder is.
  Status move_to(const std::string& target) {
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = file >= 0 && ::fsync(file) == 0;
    if (file >= 0) ::close(file);
    if (!synced) return fail_errno(path_);
    if (::rename(path_.c_str(), target.c_str()) != 0) return fail_errno(target);
    const std::string parent = std::filesystem::path(target).parent_path().string();
    const int folder = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool durable = folder >= 0 && ::fsync(folder) == 0;
    if (folder >= 0) ::close(folder);
    if (!durable) return fail_errno(parent);
    return {};
  }

 private:
  void remove() const {
    for (const char* end : {"", "-wal", "-shm", "-journal", ".lock"}) ::unlink((path_ + end).c_str());
  }
  std::string path_;
};

std::string file_of(const DatabaseOptions& options) { return options.location.substr(kSqlite.size()); }

DatabaseOptions alone(const std::string& path) {
  DatabaseOptions options;
  options.location = std::string(kSqlite) + path;
  options.connections = 1;
  return options;
}

// The tables of a PostgreSQL as a SQLite file.
Status save_tables(const DatabaseOptions& from, const std::string& path) {
  auto source = open_database(from);
  if (!source) return tl::unexpected(std::move(source.error()));
  auto target = open_database(alone(path));
  if (!target) return tl::unexpected(std::move(target.error()));
  auto rows = copy_tables(**source, **target);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  return {};
}

std::string time_in_name() {
  const std::time_t now = std::time(nullptr);
  std::tm parts;
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

// What was there keeps a name: first a second one, so that there is no moment without a store.
Result<std::string> set_aside(const std::string& path) {
  if (::access(path.c_str(), F_OK) != 0) return std::string();
  fold_log(path);
  std::string aside = path + ".before-restore-" + time_in_name();
  if (::link(path.c_str(), aside.c_str()) != 0) return fail_errno(aside);
  // A log that could not be folded in belongs to the old file, and would be read as the new one's.
  if (::rename((path + "-wal").c_str(), (aside + "-wal").c_str()) != 0 && errno != ENOENT) return fail_errno(aside);
  ::unlink((path + "-shm").c_str());
  return aside;
}

Result<Restored> restore_sqlite(const std::string& source, const std::string& path) {
  Draft draft(path + ".restoring");
  if (auto ready = prepare_sqlite_file(draft.path()); !ready) return tl::unexpected(std::move(ready.error()));
  auto in_use = FileInUse::take(path, FileInUse::Kind::alone);
  if (!in_use) return tl::unexpected(std::move(in_use.error()));
  if (auto copied = copy_sqlite_file(source, draft.path()); !copied) return tl::unexpected(std::move(copied.error()));
  Restored restored;
  {
    auto database = open_database(alone(draft.path()));
    if (!database) return tl::unexpected(std::move(database.error()));
    auto products = (*database)->run("SELECT COUNT(*) FROM schema_versions");
    if (!products) return fail(ErrorCode::invalid, source + " is no backup of Gatehouse", ErrorSource::system);
  }
  auto aside = set_aside(path);
  if (!aside) return tl::unexpected(std::move(aside.error()));
  restored.aside = std::move(*aside);
  if (auto moved = draft.move_to(path); !moved) return tl::unexpected(std::move(moved.error()));
  return restored;
}

Result<Restored> restore_postgresql(const std::string& source, const DatabaseOptions& to) {
  // The backup may be where nothing can be written, which SQLite's log needs.
  std::string folder = (std::filesystem::temp_directory_path() / "gatehouse-restore-XXXXXX").string();
  if (!::mkdtemp(folder.data())) return fail_errno(folder);
  Result<Restored> outcome = Restored{};
  {
    Draft draft(folder + "/backup.db");
    Status status = prepare_sqlite_file(draft.path());
    if (status) status = copy_sqlite_file(source, draft.path());
    if (!status) {
      outcome = tl::unexpected(status.error());
    } else {
      auto from = open_database(alone(draft.path()));
      auto target = open_database(to);
      if (!from || !target) {
        outcome = tl::unexpected((from ? target : from).error());
      } else if (auto rows = copy_tables(**from, **target); rows) {
        outcome->rows = *rows;
      } else {
        outcome = tl::unexpected(rows.error());
      }
    }
  }
  ::rmdir(folder.c_str());
  return outcome;
}

}  // namespace

Status back_up(const DatabaseOptions& from, const std::string& target) {
  struct stat info;
  if (::lstat(target.c_str(), &info) == 0 && !S_ISREG(info.st_mode)) {
    return fail(ErrorCode::invalid, target + " is no regular file");
  }
  Draft draft(target + ".part");
  if (auto ready = prepare_sqlite_file(draft.path()); !ready) return ready;
  if (is_sqlite(from)) {
    if (auto copied = copy_sqlite_file(file_of(from), draft.path()); !copied) return copied;
  } else {
    Draft tables(target + ".tables");
    if (auto saved = save_tables(from, tables.path()); !saved) return saved;
    if (auto copied = copy_sqlite_file(tables.path(), draft.path()); !copied) return copied;
  }
  return draft.move_to(target);
}

Result<Restored> restore(const std::string& source, const DatabaseOptions& to) {
  if (::access(source.c_str(), R_OK) != 0) return fail_errno(source);
  return is_sqlite(to) ? restore_sqlite(source, file_of(to)) : restore_postgresql(source, to);
}

}  // namespace gatehouse::store
