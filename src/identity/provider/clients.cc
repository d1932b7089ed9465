#include "identity/provider/clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "crypto/digest.h"
#include "crypto/random.h"
#include "identity/ids.h"
#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kColumns = "id, name, settings, secret_hash, state, created_at, updated_at";

Result<Client> read(const store::Row& row) {
  auto settings = settings_from_json(row[2].text());
  if (!settings) return tl::unexpected(std::move(settings.error()).while_("client " + row[0].text()));
  Client client;
  client.id = row[0].text();
  client.name = row[1].text();
  client.settings = std::move(*settings);
  client.secret_hash = row[3].bytes();
  client.enabled = row[4].text() == "active";
  client.created = time_of(row[5].integer());
  client.updated = time_of(row[6].integer());
  return client;
}

bool has_secret(ClientAuth auth) noexcept {
  return auth == ClientAuth::client_secret_basic || auth == ClientAuth::client_secret_post;
}

bool is_client_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= 255 &&
         std::all_of(id.begin(), id.end(), [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
}

}  // namespace

std::shared_ptr<const Client> Clients::cached(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  const auto found = remembered_.find(id);
  return found != remembered_.end() && clock_.now() < found->second.until ? found->second.client : nullptr;
}

Result<std::shared_ptr<const Client>> Clients::find(std::string_view id) {
  if (auto known = cached(id)) return known;
  if (!is_client_id(id)) return nullptr;
  auto client = get(id);
  if (!client && client.error().code == ErrorCode::not_found) return nullptr;
  if (!client) {
    // A database that is gone takes nobody's client away: tokens of those that we know go on being made.
    const std::shared_lock lock(mutex_);
    const auto known = remembered_.find(id);
    if (client.error().code == ErrorCode::unavailable && known != remembered_.end()) return known->second.client;
    return tl::unexpected(client.error());
  }
  if (!client->enabled) return forget(id), nullptr;
  auto shared = std::make_shared<const Client>(std::move(*client));
  const std::unique_lock lock(mutex_);
  if (remembered_.size() >= kCachedMax) remembered_.clear();
  remembered_.insert_or_assign(std::string(id), Remembered{shared, clock_.now() + kFresh});
  return shared;
}

Result<Client> Clients::get(std::string_view id) {
  auto rows = database_.run(fmt::format("SELECT {} FROM clients WHERE id = $1", kColumns), {id});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return fail(ErrorCode::not_found, fmt::format("there is no client {}", id));
  return read(rows->rows.front());
}

Result<std::vector<Client>> Clients::list(std::size_t limit, std::string_view after_id) {
  auto rows = database_.run(fmt::format("SELECT {} FROM clients WHERE id > $1 ORDER BY id LIMIT $2", kColumns),
                            {after_id, limit});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Client> clients;
  for (const store::Row& row : rows->rows) {
    auto client = read(row);
    if (!client) return tl::unexpected(client.error());
    clients.push_back(std::move(*client));
  }
  return clients;
}

Result<CreatedClient> Clients::create(NewClient wanted) {
  if (auto good = check_settings(wanted.settings); !good) return tl::unexpected(good.error());
  CreatedClient created;
  Client& client = created.client;
  client.id = wanted.id.empty() ? crypto::random_token().substr(0, 22) : std::move(wanted.id);
  if (!is_client_id(client.id))
    return fail(ErrorCode::invalid, "a client's id has 1 to 255 visible ASCII characters, and no colon");
  // RFC 9700 §4.15: it is the subject of the client's own tokens, which must not be taken for a user's.
  if (may_be_id(client.id)) return fail(ErrorCode::invalid, "this id has the form of a user's: choose another");
  client.name = wanted.name.empty() ? client.id : std::move(wanted.name);
  client.settings = std::move(wanted.settings);
  client.created = client.updated = clock_.wall();
  if (has_secret(client.settings.auth)) {
    created.secret = crypto::random_token();
    client.secret_hash = crypto::as_text(crypto::sha256(created.secret));
  }
  const store::Value hash =
      client.secret_hash.empty() ? store::Value() : store::Value(store::Bytes{client.secret_hash});
  auto stored = database_.run(
      "INSERT INTO clients (id, name, settings, secret_hash, state, created_at, updated_at) "
      "VALUES ($1, $2, $3, $4, 'active', $5, $6)",
      {client.id, client.name, to_json(client.settings), hash, seconds_of(client.created), seconds_of(client.updated)});
  if (!stored && stored.error().code == ErrorCode::conflict)
    return fail(ErrorCode::conflict, fmt::format("there is a client {} already", client.id));
  if (!stored) return tl::unexpected(stored.error());
  return created;
}

Status Clients::changed(std::string_view id, Result<store::Rows> rows) {
  forget(id);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->changed == 0) return fail(ErrorCode::not_found, fmt::format("there is no client {}", id));
  return {};
}

Status Clients::not_own(std::string_view id) const {
  const std::shared_lock lock(mutex_);
  if (id.empty() || id != own_) return {};
  return fail(ErrorCode::conflict, fmt::format("client {} is the gateway's own: its configuration says how it is", id));
}

Status Clients::change(std::string_view id, std::string_view name, const ClientSettings& settings) {
  if (auto free = not_own(id); !free) return free;
  if (auto good = check_settings(settings); !good) return good;
  return changed(id, database_.run("UPDATE clients SET name = $1, settings = $2, updated_at = $3 WHERE id = $4",
                                   {name, to_json(settings), seconds_of(clock_.wall()), id}));
}

Result<std::string> Clients::renew_secret(std::string_view id) {
  if (auto free = not_own(id); !free) return tl::unexpected(free.error());
  auto client = get(id);
  if (!client) return tl::unexpected(client.error());
  if (!has_secret(client->settings.auth))
    return fail(ErrorCode::invalid, fmt::format("client {} does not use a secret", id));
  std::string secret = crypto::random_token();
  const store::Bytes hash{std::string(crypto::as_text(crypto::sha256(secret)))};
  if (auto done = changed(id, database_.run("UPDATE clients SET secret_hash = $1, updated_at = $2 WHERE id = $3",
                                            {hash, seconds_of(clock_.wall()), id}));
      !done) {
    return tl::unexpected(done.error());
  }
  return secret;
}

Status Clients::set_enabled(std::string_view id, bool enabled) {
  if (auto free = not_own(id); !free) return free;
  return changed(id, database_.run("UPDATE clients SET state = $1, updated_at = $2 WHERE id = $3",
                                   {enabled ? "active" : "disabled", seconds_of(clock_.wall()), id}));
}

Status Clients::keep_own(NewClient wanted, std::string_view secret) {
  if (auto good = check_settings(wanted.settings); !good) return good;
  const store::Bytes hash{std::string(crypto::as_text(crypto::sha256(secret)))};
  const std::string settings = to_json(wanted.settings);
  const std::int64_t now_s = seconds_of(clock_.wall());
  Status kept = database_.transact([&](store::Executor& tx) -> Status {
    auto rows = tx.run("SELECT secret_hash, settings, state FROM clients WHERE id = $1", {wanted.id});
    if (!rows) return tl::unexpected(rows.error());
    if (rows->empty()) {
      auto stored = tx.run(
          "INSERT INTO clients (id, name, settings, secret_hash, state, created_at, updated_at) "
          "VALUES ($1, $2, $3, $4, 'active', $5, $5) ON CONFLICT (id) DO NOTHING",  // another gateway may be faster
          {wanted.id, wanted.name, settings, hash, now_s});
      return stored ? Status{} : tl::unexpected(stored.error());
    }
    const store::Row& row = rows->rows.front();
    if (row[0].is_null() || row[0].bytes() != hash.data)
      return fail(ErrorCode::conflict, fmt::format("there is another client {}: remove it, or give the gateway "
                                                   "another name (login: {{ client_id: … }})",
                                                   wanted.id));
    if (row[1].text() == settings && row[2].text() == "active") return {};
    auto stored = tx.run("UPDATE clients SET settings = $1, state = 'active', updated_at = $2 WHERE id = $3",
                         {settings, now_s, wanted.id});
    return stored ? Status{} : tl::unexpected(stored.error());
  });
  if (!kept) return kept;
  forget(wanted.id);
  const std::unique_lock lock(mutex_);
  own_ = std::move(wanted.id);
  return {};
}

Status Clients::remove(std::string_view id) {
  if (auto free = not_own(id); !free) return free;
  return changed(id, database_.run("DELETE FROM clients WHERE id = $1", {id}));
}

void Clients::forget(std::string_view id) {
  const std::unique_lock lock(mutex_);
  if (const auto found = remembered_.find(id); found != remembered_.end()) remembered_.erase(found);
}

}  // namespace gatehouse::identity
