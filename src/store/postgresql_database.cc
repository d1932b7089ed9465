#include <algorithm>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "store/back_ends.h"
#include "store/migrate.h"
#include "store/pool.h"
#include "store/postgresql_connection.h"
#include "store/sql_text.h"

namespace gatehouse::store {
namespace {

using std::chrono::milliseconds;

// A step may build an index over a million rows.
constexpr Duration kMigrationMax = std::chrono::minutes(30);
constexpr Duration kBackOffMin = milliseconds(100), kBackOffMax = std::chrono::seconds(5);

// Who may try to reach a server that is gone: one caller after each pause, which doubles; the others are told at once,
// so that no worker thread waits for what will not come.
class Reachability {
 public:
  explicit Reachability(const Clock& clock) : clock_(clock) {}

  std::optional<Error> refused() {
    const std::lock_guard lock(mutex_);
    if (pause_.count() == 0) return std::nullopt;
    if (clock_.now() < next_) return last_;
    next_ = clock_.now() + pause_;  // this caller tries; the next one waits for it, or for the pause
    return std::nullopt;
  }
  void note(const Status& connected) {
    const std::lock_guard lock(mutex_);
    if (connected) {
      pause_ = Duration(0);
      return;
    }
    pause_ = std::clamp(pause_ * 2, kBackOffMin, kBackOffMax);
    next_ = clock_.now() + pause_;
    last_ = connected.error();
  }

 private:
  const Clock& clock_;
  std::mutex mutex_;
  Duration pause_{0};
  MonotonicTime next_;
  Error last_;
};

// How long to stand back before the same transaction again: whoever were in each other's way must not meet again.
Duration stand_back(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::microseconds(random() % static_cast<unsigned>(500 << std::min(attempt, 6)));
}

class PostgresqlDatabase final : public Database {
 public:
  PostgresqlDatabase(PostgresqlLocation location, const DatabaseOptions& options, const Clock& clock)
      : location_(std::move(location)), wait_max_(options.wait_max), reachability_(clock) {
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      pool_.add(std::make_unique<PostgresqlConnection>(location_,
                                                       PostgresqlPatience{options.wait_max, options.statement_max}));
    }
  }

  Result<Rows> run(std::string_view sql, const Parameters& parameters) override {
    return with_connection<Result<Rows>>(
        Duration(0), [&](PostgresqlConnection& connection) { return connection.run(sql, parameters); });
  }

  Status transact(const Body& body) override { return transact_within(Duration(0), body); }

  Status migrate(std::string_view product, std::span<const Migration> migrations) override {
    // READ COMMITTED: a SERIALIZABLE transaction would look at the tables as they were before it got the lock.
    static constexpr std::string_view kFirst[] = {
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL lock_timeout = 0",
        "SET LOCAL client_min_messages = warning",
        "SELECT pg_advisory_xact_lock(5279412650021) IS NULL",
    };
    const auto transact = [&](const Body& body) { return transact_within(kMigrationMax, body); };
    return apply_migrations(transact, {translate, kFirst}, product, migrations);
  }

  std::string_view kind() const noexcept override { return "postgresql"; }

  bool reachable() override { return run("SELECT 1", {}).has_value(); }

 private:
  // Types that hold what SQLite's hold; text is compared by its bytes, as SQLite does, whatever the server's locale.
  static std::string translate(std::string_view statement) {
    static constexpr WordReplacement kTypes[] = {{"BYTES", "BYTEA"}, {"TEXT", "TEXT COLLATE \"C\""}};
    return replace_words(statement, kTypes);
  }

  Status transact_within(Duration patience, const Body& body) {
    return with_connection<Status>(patience,
                                   [&](PostgresqlConnection& connection) { return connection.transact(body); });
  }

  Status make_usable(PostgresqlConnection& connection) {
    if (connection.usable()) return {};
    if (auto refused = reachability_.refused()) return tl::unexpected(std::move(*refused));
    Status connected = connection.connect();
    reachability_.note(connected);
    return connected;
  }

  // Runs `work` until it is done, has failed for good, or time is up. Reconnects once: a server that went down between
  // two statements is found out by the next.
  template <class Outcome, class Work>
  Outcome with_connection(Duration patience, const Work& work) {
    const auto lease = pool_.take(wait_max_);
    if (!lease) {
      return tl::unexpected(Error{ErrorCode::exhausted, ErrorSource::system, Retry::safe,
                                  "no connection to the store came free in time"});
    }
    const MonotonicTime deadline = std::chrono::steady_clock::now() + wait_max_;
    int reconnects_left = 1;
    for (int attempt = 0;; ++attempt) {
      if (auto usable = make_usable(*lease); !usable) return tl::unexpected(std::move(usable.error()));
      lease->set_patience(patience);
      Outcome outcome = work(*lease);
      lease->set_patience(Duration(0));
      const Again again = outcome ? Again::no : lease->again();
      if (again == Again::no || std::chrono::steady_clock::now() >= deadline) return outcome;
      if (again == Again::reconnect && reconnects_left-- == 0) return outcome;
      if (again == Again::contended) std::this_thread::sleep_for(stand_back(attempt));
    }
  }

  const PostgresqlLocation location_;
  const Duration wait_max_;
  Reachability reachability_;
  Pool<PostgresqlConnection> pool_;
};

}  // namespace

Result<std::unique_ptr<Database>> open_postgresql(const DatabaseOptions& options, const Clock& clock) {
  auto location = read_postgresql_location(options.location);
  if (!location) return tl::unexpected(std::move(location.error()));
  if (!options.password.empty()) location->password = options.password;
  return std::make_unique<PostgresqlDatabase>(std::move(*location), options, clock);
}

}  // namespace gatehouse::store
