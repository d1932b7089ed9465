#pragma once
// What the log asks of a file system, so that tests can let any call fail, or the power.
//
// What the log counts on, and no more: bytes that `sync` said yes to are there after a crash; a name is, once
// `sync_folder` said yes; `rename` replaces as one step. Whatever was not yet synced may be there, in part or not.
// Thread safety: any thread. An open `AppendFile` has one owner.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::audit {

class AppendFile {
 public:
  virtual ~AppendFile() = default;
  virtual Status append(std::string_view bytes) = 0;
  virtual Status sync() = 0;
};

// A lock between processes; `token` tells who wrote last. Open for as long as the log is.
class LockFile {
 public:
  virtual ~LockFile() = default;
  virtual Status lock() = 0;  // waits
  virtual void unlock() = 0;
  virtual Result<std::string> token() = 0;
  virtual Status set_token(std::string_view token) = 0;
  // All files and folders of its file system at once: what is cheaper than syncing many. Says no when any write there
  // has failed since the lock was opened or this was last called (Linux 5.8).
  virtual Status sync_all() = 0;
};

class Files {
 public:
  virtual ~Files() = default;
  // not_found, exhausted (more than `bytes_max`), io.
  virtual Result<std::string> read(const std::string& path, std::size_t bytes_max) const = 0;
  virtual Result<std::vector<std::string>> list(const std::string& folder) const = 0;  // sorted; none: empty

  virtual Status make_folder(const std::string& path) = 0;                    // for us alone; it may be there already
  virtual Status write(const std::string& path, std::string_view bytes) = 0;  // new or from its beginning; not synced
  virtual Result<std::unique_ptr<AppendFile>> create(const std::string& path) = 0;  // empty, even if it was there
  virtual Status sync(const std::string& path) = 0;
  virtual Status sync_folder(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  virtual Status remove(const std::string& path) = 0;  // a file, or a folder that is empty; gone already is well
  virtual Result<std::unique_ptr<LockFile>> open_lock(const std::string& path) = 0;
};

// The real ones: files of mode 0600.
Files& system_files();

}  // namespace gatehouse::audit
