#pragma once
// What identity's tests stand on: a database in a real file with the tables, a keyring, a clock that the test owns.

#include <gtest/gtest.h>

#include <atomic>

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "identity/schema.h"
#include "identity/users/accounts.h"
#include "secrets/keyring.h"
#include "store/database_testing.h"

namespace gatehouse::identity {

// Seals as the product's keyring does, bound to path and version, under a key of the test.
class OneKey final : public secrets::Keyring {
 public:
  Result<std::string> seal(std::string_view path, std::uint64_t version, std::string_view plain) override {
    return key_.seal(plain, bound_to(path, version));
  }
  Result<SecretBytes> open(std::string_view path, std::uint64_t version, std::string_view sealed) override {
    auto plain = key_.open(sealed, bound_to(path, version));
    if (!plain) return fail(ErrorCode::invalid, "changed, moved, or of another version");
    return std::move(*plain);
  }
  SecretBytes derive(std::string_view purpose) const override {
    return crypto::hkdf_sha256(key_.expose(), {}, purpose, 32);
  }
  std::optional<SecretBytes> derive_from(std::uint32_t, std::string_view purpose) const override {
    return derive(purpose);
  }
  std::optional<std::uint32_t> key_of(std::string_view) const override { return 1; }
  std::uint32_t current_key() const override { return 1; }
  std::vector<secrets::KeyView> keys() const override { return {}; }
  Status rotate() override { return fail(ErrorCode::denied, "there is one key"); }
  Status remove_key(std::uint32_t) override { return fail(ErrorCode::denied, "there is one key"); }
  Status refresh() override { return {}; }
  Status follow() override { return {}; }

 private:
  static std::string bound_to(std::string_view path, std::uint64_t version) {
    return std::string(path) + "#" + std::to_string(version);
  }
  crypto::AeadKey key_ = crypto::AeadKey::generate();
};

// A database that can be taken away.
class Fragile final : public store::Database {
 public:
  explicit Fragile(std::unique_ptr<store::Database> inner) : inner_(std::move(inner)) {}
  Result<store::Rows> run(std::string_view sql, const store::Parameters& parameters = {}) override {
    ++calls;
    if (gone) return lost();
    return inner_->run(sql, parameters);
  }
  Status transact(const Body& body) override {
    ++calls;
    if (gone) return lost();
    return inner_->transact(body);
  }
  Status migrate(std::string_view product, std::span<const store::Migration> steps) override {
    return inner_->migrate(product, steps);
  }
  std::string_view kind() const noexcept override { return inner_->kind(); }
  bool reachable() override { return !gone; }

  std::atomic<bool> gone{false};
  std::atomic<int> calls{0};

 private:
  static tl::unexpected<Error> lost() {
    return tl::unexpected(Error{ErrorCode::unavailable, ErrorSource::upstream, Retry::safe, "the database is gone"});
  }
  std::unique_ptr<store::Database> inner_;
};

inline void expect_ok(const Status& status) { EXPECT_TRUE(status) << (status ? "" : status.error().message); }
template <class T>
ErrorCode code_of(const Result<T>& result) {
  return result ? ErrorCode::internal : result.error().code;
}

// One gateway's view of a store; several of them over one Site are several gateways.
struct Gateway {
  Gateway(const store::Site& site, secrets::Keyring& keys, const Clock& time)
      : keyring(keys), clock(time), database(store::value_of(store::open_database(site.options()))) {
    expect_ok(database.migrate(kProduct, migrations()));
  }
  secrets::Keyring& keyring;
  const Clock& clock;
  Fragile database;
  Accounts accounts{database, keyring, clock};

  UserPtr add(const std::string& username, std::string password_hash = {}) {
    NewUser wanted;
    wanted.username = username;
    wanted.profile.email = username + "@example.org";
    wanted.profile.name = "Person " + username;
    wanted.email_verified = true;
    wanted.state = UserState::active;
    wanted.password_hash = std::move(password_hash);
    return store::value_of(accounts.create(wanted));
  }
};

class StoreTest : public testing::TestWithParam<store::BackEnd> {
 protected:
  void SetUp() override {
    site = store::make_site(GetParam());
    if (!site) GTEST_SKIP() << "PostgreSQL is not installed";
    gateway = std::make_unique<Gateway>(*site, keyring, clock);
  }
  FakeClock clock;
  OneKey keyring;
  std::unique_ptr<store::Site> site;
  std::unique_ptr<Gateway> gateway;
};

#define GH_ON_EVERY_STORE(suite)                                                                                      \
  INSTANTIATE_TEST_SUITE_P(Both, suite,                                                                               \
                           testing::Values(gatehouse::store::BackEnd::sqlite, gatehouse::store::BackEnd::postgresql), \
                           [](const auto& back_end) { return gatehouse::store::name_of(back_end.param); })

}  // namespace gatehouse::identity
