#include "secrets/reseal.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/digest.h"
#include "crypto/random.h"
#include "telemetry/log.h"

namespace gatehouse::secrets {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLease = 60s;
constexpr Duration kRetry = 10s;
constexpr Duration kStuckPass = 1h;  // until records that did not open are looked at again

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Of what sealed_header made; 0: it is nothing of ours.
std::uint32_t key_in(std::string_view header) {
  if (header.size() != sealed_header(0).size() || header[0] != sealed_header(0)[0]) return 0;
  std::uint32_t key = 0;
  for (const char c : header.substr(1)) key = key << 8 | static_cast<unsigned char>(c);
  return key;
}

// When each key stopped being the current one: when the one after it was made.
std::map<std::uint32_t, WallTime> retired_at(const std::vector<KeyView>& keys, std::uint32_t current) {
  std::map<std::uint32_t, WallTime> retired;
  for (const KeyView& key : keys) {
    if (key.id == current) continue;
    const auto next = std::find_if(keys.begin(), keys.end(), [&](const KeyView& k) { return k.id > key.id; });
    retired[key.id] = next == keys.end() ? key.created : next->created;
  }
  return retired;
}

}  // namespace

std::string SealedColumn::path(std::string_view id_value) const {
  return fmt::format("{}/{}/{}", table, id_type == Id::text ? std::string(id_value) : crypto::to_hex(id_value), column);
}

Resealer::Resealer(store::Database& database, Keyring& keyring, std::span<const SealedColumn> columns,
                   const Clock& clock)
    : database_(database), keyring_(keyring), columns_(columns), clock_(clock), holder_(crypto::random_token()) {}

store::Value Resealer::first_id(const SealedColumn& column) const {
  if (column.id_type == SealedColumn::Id::text) return "";
  return store::Bytes{};
}

Status Resealer::tend(Duration budget) {
  const auto keys = keyring_.keys();
  const std::uint32_t current = keyring_.current_key();
  if (keys.size() < 2) {
    pass_.reset();
    return {};
  }
  const MonotonicTime until = clock_.now() + budget;
  if (clock_.now() < ask_again_) return {};
  if (!pass_ && current == done_for_ && clock_.wall() < next_pass_) return {};
  auto ours = hold_lease();
  if (!ours || !*ours) {
    ask_again_ = clock_.now() + kRetry;
    return ours ? Status{} : tl::unexpected(ours.error());
  }
  // Somebody has rotated meanwhile: what was done has to be done again.
  if (pass_ && pass_->key != current) pass_.reset();
  if (!pass_) {
    pass_.emplace();
    pass_->key = current;
    pass_->began = clock_.wall();
    pass_->after = first_id(columns_.front());
  }
  do {
    auto more = step();
    if (!more) {
      ask_again_ = clock_.now() + kRetry;
      return tl::unexpected(more.error());
    }
    if (!*more) return finish_pass();
  } while (clock_.now() < until);
  return {};
}

Result<bool> Resealer::hold_lease() {
  const MonotonicTime now = clock_.now();
  if (now < lease_until_ - kLease / 2) return true;
  const std::int64_t now_s = seconds(clock_.wall());
  auto got = database_.run(
      "INSERT INTO keyring_walk (one, holder, until_at) VALUES (1, $1, $2) ON CONFLICT (one) DO UPDATE SET "
      "holder = $1, until_at = $2 WHERE keyring_walk.holder = $1 OR keyring_walk.until_at <= $3 RETURNING holder",
      {holder_, now_s + kLease / 1s, now_s});
  if (!got) return tl::unexpected(got.error());
  if (got->empty()) return false;
  lease_until_ = now + kLease;
  return true;
}

Result<bool> Resealer::step() {
  const SealedColumn& column = columns_[pass_->column];
  auto seen = reseal_batch(column);
  if (!seen) return tl::unexpected(std::move(seen.error()).while_(fmt::format("{}.{}", column.table, column.column)));
  if (*seen == kBatch) return true;
  if (++pass_->column == columns_.size()) return false;
  pass_->after = first_id(columns_[pass_->column]);
  return true;
}

Result<std::size_t> Resealer::reseal_batch(const SealedColumn& column) {
  auto rows = database_.run(
      fmt::format("SELECT {0}, version, {1} FROM {2} WHERE {0} > $1 AND {1} IS NOT NULL AND SUBSTR({1}, 1, {3}) <> $2 "
                  "ORDER BY {0} LIMIT {4}",
                  column.id, column.column, column.table, sealed_header(0).size(), kBatch),
      {pass_->after, store::Bytes{sealed_header(pass_->key)}});
  if (!rows) return tl::unexpected(std::move(rows.error()));
  std::vector<store::Parameters> exchanges;
  for (const store::Row& row : rows->rows) {
    const std::string path = column.path(column.id_type == SealedColumn::Id::text ? row[0].text() : row[0].bytes());
    const auto version = static_cast<std::uint64_t>(row[1].integer());
    pass_->found[keyring_.key_of(row[2].bytes()).value_or(0)] = true;
    auto plain = keyring_.open(path, version, row[2].bytes());
    // Changed; or its key is not in the keyring, if the keyring can be read at all.
    const bool lost = !plain && plain.error().code == ErrorCode::unavailable && keyring_.refresh();
    if (lost || (!plain && plain.error().code == ErrorCode::invalid)) {
      ++pass_->unopened;
      GH_LOG(error, "a stored record does not open", {"record", path}, {"why", plain.error().message});
      continue;
    }
    if (!plain) return tl::unexpected(std::move(plain.error()));
    auto sealed = keyring_.seal(path, version, plain->expose());
    if (!sealed) return tl::unexpected(std::move(sealed.error()));
    exchanges.push_back({store::Bytes{std::move(*sealed)}, row[0], row[1], row[2]});
  }
  if (!exchanges.empty()) {
    const std::string exchange = fmt::format("UPDATE {2} SET {1} = $1 WHERE {0} = $2 AND version = $3 AND {1} = $4",
                                             column.id, column.column, column.table);
    auto done = database_.transact([&](store::Executor& tx) -> Status {
      for (const store::Parameters& values : exchanges) {
        // Nothing changed: it is another's value by now, and the next pass looks at that.
        if (auto changed = tx.run(exchange, values); !changed) return tl::unexpected(std::move(changed.error()));
      }
      return {};
    });
    if (!done) return tl::unexpected(std::move(done.error()));
    pass_->resealed += static_cast<std::int64_t>(exchanges.size());
  }
  if (!rows->empty()) pass_->after = rows->rows.back()[0];
  return rows->rows.size();
}

Status Resealer::finish_pass() {
  const Pass pass = *std::exchange(pass_, std::nullopt);
  unopened_.store(pass.unopened, std::memory_order_relaxed);
  if (pass.resealed > 0)
    GH_LOG(info, "records are sealed with the current key", {"key", pass.key}, {"records", pass.resealed});
  done_for_ = pass.key;
  next_pass_ = clock_.wall();  // what others sealed meanwhile
  if (pass.resealed > 0) return {};
  next_pass_ = pass.unopened > 0 ? clock_.wall() + kStuckPass : WallTime::max();
  for (const auto& [key, retired] : retired_at(keyring_.keys(), pass.key)) {
    if (pass.found.contains(key)) continue;
    if (pass.began < retired + kKeepKey) {
      next_pass_ = std::min(next_pass_, retired + kKeepKey);
      continue;
    }
    auto removed = keyring_.remove_key(key);
    if (!removed && removed.error().code != ErrorCode::not_found) return removed;
    GH_LOG(info, "a key that sealed nothing any more is removed", {"key", key});
  }
  return {};
}

Result<Resealer::Report> Resealer::report() {
  if (auto read = keyring_.refresh(); !read) return tl::unexpected(read.error());
  Report report;
  std::map<std::uint32_t, std::int64_t> records;
  for (const SealedColumn& column : columns_) {
    auto rows =
        database_.run(fmt::format("SELECT SUBSTR({0}, 1, {2}), COUNT(*) FROM {1} WHERE {0} IS NOT NULL GROUP BY 1",
                                  column.column, column.table, sealed_header(0).size()));
    if (!rows) return tl::unexpected(std::move(rows.error()));
    for (const store::Row& row : rows->rows) {
      records[key_in(row[0].bytes())] += row[1].integer();
    }
  }
  for (const KeyView& view : keyring_.keys()) {
    report.keys.push_back({view, records[view.id]});
    records.erase(view.id);
  }
  for (const auto& [key, count] : records) report.lost += count;
  report.unopened = unopened_.load(std::memory_order_relaxed);
  auto roots = database_.run("SELECT COUNT(*) FROM keyring_root");
  if (!roots) return tl::unexpected(std::move(roots.error()));
  report.root_keys = roots->rows.at(0).at(0).integer();
  return report;
}

}  // namespace gatehouse::secrets
