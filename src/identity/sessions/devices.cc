#include <array>
#include <utility>

#include "crypto/random.h"
#include "identity/ids.h"
#include "identity/seconds.h"
#include "identity/sessions/sessions.h"
#include "identity/token_hash.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kLabelBytesMax = 64;

Device read(const store::Row& row) {
  return {row[0].text(), row[1].text(), row[2].integer(), row[3].integer(), row[4].integer(), row[5].integer()};
}

// In this order: browsers name others of whose kind they are.
using Names = std::pair<std::string_view, std::string_view>;
constexpr std::array<Names, 10> kBrowsers{{{"Edg/", "Edge"},
                                           {"EdgA/", "Edge"},
                                           {"OPR/", "Opera"},
                                           {"SamsungBrowser/", "Samsung Internet"},
                                           {"Vivaldi/", "Vivaldi"},
                                           {"Firefox/", "Firefox"},
                                           {"FxiOS/", "Firefox"},
                                           {"CriOS/", "Chrome"},
                                           {"Chrome/", "Chrome"},
                                           {"Safari/", "Safari"}}};
constexpr std::array<Names, 8> kSystems{{{"iPhone", "iPhone"},
                                         {"iPad", "iPad"},
                                         {"Android", "Android"},
                                         {"Windows", "Windows"},
                                         {"Mac OS X", "macOS"},
                                         {"CrOS", "ChromeOS"},
                                         {"Linux", "Linux"},
                                         {"BSD", "BSD"}}};

template <std::size_t N>
std::string_view name_in(std::string_view text, const std::array<Names, N>& names) noexcept {
  for (const auto& [mark, name] : names) {
    if (text.find(mark) != std::string_view::npos) return name;
  }
  return {};
}

}  // namespace

Result<std::optional<Device>> Devices::find(std::string_view user_id, std::string_view cookie) {
  if (!may_be_token(cookie)) return std::nullopt;
  const auto rows = database_.run(
      "SELECT id, label, skips_factor_until_at, created_at, seen_at, expires_at FROM known_devices "
      "WHERE token_hash = $1 AND user_id = $2 AND expires_at > $3",
      {token_hash(cookie), user_id, seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return read(rows->rows[0]);
}

Result<std::string> Devices::know(std::string_view user_id, std::string_view cookie, std::string_view label,
                                  bool skips_factor) {
  // A value that we never gave is not taken over: somebody may have planted it, and knows it.
  std::string value;
  if (may_be_token(cookie)) {
    const auto known =
        database_.run("SELECT id FROM known_devices WHERE token_hash = $1 LIMIT 1", {token_hash(cookie)});
    if (!known) return tl::unexpected(known.error());
    if (!known->empty()) value = cookie;
  }
  if (value.empty()) value = crypto::random_token();
  const WallTime now = clock_.wall();
  const std::int64_t now_s = seconds_of(now), skips_until_s = skips_factor ? now_s + seconds_of(remember_) : 0;
  auto done = database_.transact([&](store::Executor& tx) -> Status {
    auto made_room = tx.run(
        "DELETE FROM known_devices WHERE id IN (SELECT id FROM known_devices WHERE user_id = $1 AND token_hash <> $2 "
        "ORDER BY seen_at DESC LIMIT 1000 OFFSET $3)",
        {user_id, token_hash(value), kPerUserMax - 1});
    if (!made_room) return tl::unexpected(std::move(made_room.error()));
    auto written = tx.run(
        "INSERT INTO known_devices (id, token_hash, user_id, label, skips_factor_until_at, created_at, seen_at, "
        "expires_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7) ON CONFLICT (token_hash, user_id) DO UPDATE SET "
        "label = $4, seen_at = $6, expires_at = $7, skips_factor_until_at = "
        "CASE WHEN $5 = 0 THEN known_devices.skips_factor_until_at ELSE $5 END",
        {new_id(now), token_hash(value), user_id, as_plain_text(label, kLabelBytesMax), skips_until_s, now_s,
         now_s + seconds_of(kKnown)});
    if (!written) return tl::unexpected(std::move(written.error()));
    return {};
  });
  if (!done) return tl::unexpected(std::move(done.error()));
  return value;
}

Result<std::vector<Device>> Devices::list(std::string_view user_id) {
  const auto rows = database_.run(
      "SELECT id, label, skips_factor_until_at, created_at, seen_at, expires_at FROM known_devices "
      "WHERE user_id = $1 AND expires_at > $2 ORDER BY seen_at DESC, id",
      {user_id, seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Device> devices;
  for (const store::Row& row : rows->rows) devices.push_back(read(row));
  return devices;
}

Result<bool> Devices::forget(std::string_view user_id, std::string_view device_id) {
  const auto rows = database_.run("DELETE FROM known_devices WHERE id = $1 AND user_id = $2", {device_id, user_id});
  if (!rows) return tl::unexpected(rows.error());
  return rows->changed > 0;
}

Status Devices::forget_all(std::string_view user_id) {
  const auto rows = database_.run("DELETE FROM known_devices WHERE user_id = $1", {user_id});
  if (!rows) return tl::unexpected(rows.error());
  return {};
}

Status Devices::remove_expired() {
  const auto rows = database_.run(
      "DELETE FROM known_devices WHERE id IN (SELECT id FROM known_devices WHERE expires_at <= $1 LIMIT 1000)",
      {seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  return {};
}

std::string device_label(std::string_view user_agent) {
  const std::string_view browser = name_in(user_agent, kBrowsers), system = name_in(user_agent, kSystems);
  if (browser.empty()) return "unknown browser";
  std::string label(browser);
  if (!system.empty()) (label += " on ") += system;
  return label;
}

}  // namespace gatehouse::identity
