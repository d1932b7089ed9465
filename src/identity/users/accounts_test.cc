#include "identity/users/accounts.h"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "identity/identity_testing.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using store::value_of;
using testing::ElementsAre;

class AccountsTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (!gateway) return;
    groups = std::make_unique<Groups>(gateway->database, gateway->accounts, clock);
  }
  Accounts& accounts() { return gateway->accounts; }
  std::vector<std::string> names(const UserFilter& filter) {
    std::vector<std::string> found;
    for (const UserPtr& user : value_of(accounts().list(filter))) found.push_back(user->username);
    return found;
  }
  std::unique_ptr<Groups> groups;
};

TEST_P(AccountsTest, AreFoundByNameAddressAndId) {
  const UserPtr made = gateway->add("alice");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->id.size(), 26u);
  for (const UserPtr& found : {value_of(accounts().find(made->id)), value_of(accounts().find_by_username("ALICE")),
                               value_of(accounts().find_by_email("Alice@EXAMPLE.org")),
                               value_of(accounts().find_by_login("alice@example.org"))}) {
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id, made->id);
    EXPECT_EQ(found->profile.name, "Person alice");
    EXPECT_TRUE(found->email_verified && found->active() && !found->has_password);
  }
  EXPECT_FALSE(value_of(accounts().find("01")));
  EXPECT_FALSE(value_of(accounts().find_by_username("bob")));
  EXPECT_FALSE(value_of(accounts().find_by_email("not an address")));
  expect_ok(accounts().set_email(made->id, "alice@example.org", false));
  EXPECT_FALSE(value_of(accounts().find_by_login("alice@example.org"))) << "nobody has proved it";
  EXPECT_TRUE(value_of(accounts().find_by_email("alice@example.org")));
}

TEST_P(AccountsTest, NamesAndAddressesAreUnique) {
  const UserPtr alice = gateway->add("alice"), bob = gateway->add("bob");
  NewUser wanted{.username = "Alice", .profile = {}};
  EXPECT_EQ(code_of(accounts().create(wanted)), ErrorCode::conflict);
  wanted = {.username = "carol", .profile = {}};
  wanted.profile.email = "ALICE@example.org";
  EXPECT_EQ(code_of(accounts().create(wanted)), ErrorCode::conflict);
  EXPECT_FALSE(value_of(accounts().find_by_username("carol")));
  EXPECT_EQ(code_of(accounts().set_email(bob->id, "alice@example.org", true)), ErrorCode::conflict);
  EXPECT_EQ(code_of(accounts().set_username(bob->id, "alice")), ErrorCode::conflict);
  expect_ok(accounts().set_username(bob->id, "Robert"));
  EXPECT_EQ(value_of(accounts().find(bob->id))->username, "robert");
  // Two without an address are fine.
  EXPECT_TRUE(accounts().create({.username = "dave", .profile = {}}));
  EXPECT_TRUE(accounts().create({.username = "erin", .profile = {}}));
}

TEST_P(AccountsTest, NobodyTakesAnAddressAsAName) {
  gateway->add("alice");
  EXPECT_EQ(code_of(accounts().create({.username = "alice@example.org", .profile = {}})), ErrorCode::invalid);
  NewUser own{.username = "bob@example.org", .profile = {}};
  own.profile.email = "Bob@Example.org";
  EXPECT_TRUE(accounts().create(own));
}

TEST_P(AccountsTest, ChangesAreSeenAtOnceHereAndSoonElsewhere) {
  Gateway other(*site, keyring, clock);
  const UserPtr user = gateway->add("alice");
  ASSERT_TRUE(value_of(other.accounts.find(user->id))->active());
  expect_ok(accounts().set_state(user->id, UserState::disabled));
  EXPECT_EQ(value_of(accounts().find(user->id))->state, UserState::disabled);
  EXPECT_TRUE(value_of(other.accounts.find(user->id))->active()) << "remembered";
  clock.advance(Accounts::kFresh);
  EXPECT_FALSE(value_of(other.accounts.find(user->id))->active());
  expect_ok(accounts().remove(user->id));
  EXPECT_FALSE(value_of(accounts().find(user->id)));
  EXPECT_EQ(code_of(accounts().set_state(user->id, UserState::active)), ErrorCode::not_found);
}

TEST_P(AccountsTest, FindAsksNobodyForWhatIsFreshAndRemembersWithoutAStore) {
  const UserPtr user = gateway->add("alice");
  const int before = gateway->database.calls;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(value_of(accounts().find(user->id)));
  EXPECT_EQ(gateway->database.calls, before);
  gateway->database.gone = true;
  clock.advance(1h);
  EXPECT_TRUE(value_of(accounts().find(user->id)));
  const int asked = gateway->database.calls;
  EXPECT_TRUE(value_of(accounts().find(user->id)));
  EXPECT_EQ(gateway->database.calls, asked) << "not with every request";
  EXPECT_EQ(code_of(accounts().find("01jnobody")), ErrorCode::unavailable);
}

TEST_P(AccountsTest, ProfilesChangeUnderSeveralHandsAndNothingIsLost) {
  const UserPtr user = gateway->add("alice");
  Profile profile = user->profile;
  profile.phone_number = "+49301234567";
  profile.phone_number_verified = true;
  profile.email = "ignored@example.org";
  expect_ok(accounts().set_profile(user->id, profile));
  UserPtr now = value_of(accounts().find(user->id));
  EXPECT_EQ(now->profile.email, "alice@example.org");
  EXPECT_FALSE(now->profile.phone_number_verified) << "nobody has proved it";
  expect_ok(accounts().set_phone_verified(user->id, "+49301234567"));
  EXPECT_EQ(code_of(accounts().set_phone_verified(user->id, "+49309999999")), ErrorCode::conflict);
  // One changes the address, another the rest, at the same time.
  std::thread one([&] {
    for (int i = 0; i < 10; ++i)
      expect_ok(accounts().set_email(user->id, "a" + std::to_string(i) + "@example.org", true));
  });
  Profile next = value_of(accounts().find(user->id))->profile;
  next.nickname = "Al";
  expect_ok(accounts().set_profile(user->id, next));
  one.join();
  accounts().forget(user->id);
  now = value_of(accounts().find(user->id));
  EXPECT_EQ(now->profile.email, "a9@example.org");
  EXPECT_EQ(now->profile.nickname, "Al");
  EXPECT_TRUE(now->profile.phone_number_verified);
  EXPECT_EQ(value_of(accounts().find_by_email("a9@example.org"))->id, user->id);
}

TEST_P(AccountsTest, RolesAreOnesOwnAndThoseOfTheGroups) {
  const UserPtr user = gateway->add("alice");
  value_of(groups->create("staff", "all of us"));
  expect_ok(accounts().add_role(user->id, "customer"));
  expect_ok(accounts().add_role(user->id, "customer"));
  expect_ok(groups->add_role("staff", "orders:read"));
  expect_ok(groups->add_role("staff", "customer"));
  expect_ok(groups->add_member("staff", user->id));
  UserPtr now = value_of(accounts().find(user->id));
  EXPECT_THAT(now->own_roles, ElementsAre("customer"));
  EXPECT_THAT(now->roles, ElementsAre("customer", "orders:read"));
  EXPECT_THAT(now->groups, ElementsAre("staff"));
  expect_ok(groups->remove_role("staff", "orders:read"));
  EXPECT_THAT(value_of(accounts().find(user->id))->roles, ElementsAre("customer")) << "seen at once";
  expect_ok(accounts().remove_role(user->id, "customer"));
  EXPECT_THAT(value_of(accounts().find(user->id))->roles, ElementsAre("customer")) << "of the group";
  const Group staff = value_of(groups->find("staff")).value();
  EXPECT_EQ(staff.members, 1);
  EXPECT_THAT(staff.roles, ElementsAre("customer"));
  EXPECT_EQ(value_of(groups->list()).size(), 1u);
  expect_ok(groups->remove("staff"));
  EXPECT_TRUE(value_of(accounts().find(user->id))->roles.empty());

  EXPECT_EQ(code_of(groups->create("", "")), ErrorCode::invalid);
  EXPECT_EQ(code_of(groups->add_member("none", user->id)), ErrorCode::not_found);
  value_of(groups->create("g", ""));
  EXPECT_EQ(code_of(groups->create("g", "")), ErrorCode::conflict);
  EXPECT_EQ(code_of(groups->add_member("g", "nobody")), ErrorCode::not_found);
  EXPECT_EQ(code_of(accounts().add_role("nobody", "r")), ErrorCode::not_found);
  EXPECT_EQ(code_of(accounts().add_role(user->id, "a b")), ErrorCode::invalid);
}

TEST_P(AccountsTest, AreListedByPagesAndFilters) {
  for (const char* name : {"ann", "anna", "an_x", "bob", "carl"}) gateway->add(name);
  const std::string bob = value_of(accounts().find_by_username("bob"))->id;
  expect_ok(accounts().set_state(bob, UserState::disabled));
  expect_ok(accounts().add_role(bob, "boss"));
  value_of(groups->create("g", ""));
  expect_ok(groups->add_role("g", "boss"));
  expect_ok(groups->add_member("g", value_of(accounts().find_by_username("carl"))->id));
  EXPECT_EQ(value_of(accounts().count()), 5);
  EXPECT_EQ(names({}).size(), 5u);
  EXPECT_THAT(names({.username_prefix = "AN"}), testing::UnorderedElementsAre("ann", "anna", "an_x"));
  EXPECT_THAT(names({.username_prefix = "an_"}), ElementsAre("an_x")) << "no wildcard";
  EXPECT_THAT(names({.username_prefix = "%"}), ElementsAre());
  EXPECT_THAT(names({.state = UserState::disabled}), ElementsAre("bob"));
  EXPECT_THAT(names({.role = "boss"}), ElementsAre("bob", "carl"));
  EXPECT_THAT(names({.group = "g"}), ElementsAre("carl"));
  UserFilter page;
  page.limit = 2;
  std::vector<std::string> seen;
  for (auto part = names(page); !part.empty(); part = names(page)) {
    seen.insert(seen.end(), part.begin(), part.end());
    page.after_username = part.back();
  }
  EXPECT_EQ(seen, names({}));
}

TEST_P(AccountsTest, PasswordHashesAreExchangedOnlyForTheOneThatWasThere) {
  const UserPtr user = gateway->add("alice", "h1");
  EXPECT_TRUE(user->has_password);
  expect_ok(accounts().replace_password_hash(user->id, "other", "h2"));
  EXPECT_EQ(value_of(accounts().password_of(user->id))->hash, "h1");
  expect_ok(accounts().replace_password_hash(user->id, "h1", "h2"));
  EXPECT_EQ(value_of(accounts().password_by_login("ALICE"))->hash, "h2");
  EXPECT_EQ(value_of(accounts().password_by_login("alice@example.org"))->user_id, user->id);
  expect_ok(accounts().set_password_hash(user->id, ""));
  EXPECT_FALSE(value_of(accounts().find(user->id))->has_password);
  EXPECT_EQ(value_of(accounts().password_by_login("nobody")), std::nullopt);
}

TEST_P(AccountsTest, TheFileTellsNobodyAnAddress) {
  if (GetParam() != store::BackEnd::sqlite) GTEST_SKIP();
  gateway->add("alice");
  const auto path = dynamic_cast<store::SqliteSite&>(*site).path();
  for (const std::string& file : {path, path + "-wal"}) {
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    EXPECT_EQ(bytes.find("alice@example.org"), std::string::npos) << file;
    EXPECT_EQ(bytes.find("Person alice"), std::string::npos) << file;
  }
}

GH_ON_EVERY_STORE(AccountsTest);

}  // namespace
}  // namespace gatehouse::identity
