#pragma once
// SQLite's file as a file: made for us alone, marked as used, copied while others write to it.

#include <string>

#include "base/result.h"

namespace gatehouse::store {

// Makes `path` when it is not there (0600, owned by whom its folder belongs to), with its folder. Refuses a folder in
// which others could put another file in its place, and what is no regular file.
Status prepare_sqlite_file(const std::string& path);

// That a database is open, or, alone, that it is being replaced: a lock on `path`.lock, which ends with the process.
// Not on the file itself, whose locks are SQLite's.
class FileInUse {
 public:
  enum class Kind : std::uint8_t { shared, alone };
  FileInUse() = default;
  FileInUse(FileInUse&& other) noexcept;
  FileInUse& operator=(FileInUse&& other) noexcept;
  ~FileInUse();
  // ErrorCode::conflict: others have it open, or one replaces it.
  static Result<FileInUse> take(const std::string& path, Kind kind);

 private:
  int fd_ = -1;
};

// A sound copy of the database `from` as it is at one moment, in the file `to` (prepared and empty), which needs no
// files beside it. ErrorCode::io: `from` is damaged.
Status copy_sqlite_file(const std::string& from, const std::string& to);

// Moves what is in the log beside the file into the file. Best effort: a damaged file is left as it is.
void fold_log(const std::string& path);

}  // namespace gatehouse::store
