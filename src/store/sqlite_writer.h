#pragma once
// The one connection of a process that writes to a SQLite file, and the line before it.
//
// SQLite has one writer at a time whatever one does. The others wait here, asleep, where SQLite would have them poll
// the file's lock. A commit is a sync of the disk, which takes longer than all else together; so whoever finds others
// waiting leaves the commit to them (group commit), and returns when it is done: eight callers share one sync.
// Thread safety: any thread.
// Invariants: (1) Nobody is told of success before the commit that holds its change. (2) While a group is open and no
// body runs, somebody waits in line, whose turn it then is: a group is never left without its commit.

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "store/database.h"
#include "store/sqlite_connection.h"

namespace gatehouse::store {

class SqliteWriter {
 public:
  explicit SqliteWriter(Duration wait_max) : wait_max_(wait_max) {}
  void use(std::unique_ptr<SqliteConnection> connection) { connection_ = std::move(connection); }

  Status transact(const Database::Body& body);

 private:
  struct Group {
    int members = 0;
    bool done = false;
    std::optional<Error> failure;
  };
  using Groups = std::list<Group>;

  // Ends the open group, or notes that it is undone; `lock` is let go for the sync.
  void finish(Groups::iterator group, std::optional<Error> undone, std::unique_lock<std::mutex>& lock);
  Status leave(Groups::iterator group, Status own);

  const Duration wait_max_;
  std::unique_ptr<SqliteConnection> connection_;
  std::mutex mutex_;
  std::condition_variable turn_, finished_;
  bool busy_ = false;
  int waiting_ = 0;
  Groups groups_;  // the last may be open; others have members that are still to be told
  bool open_ = false;
};

}  // namespace gatehouse::store
