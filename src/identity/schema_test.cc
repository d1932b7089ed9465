// identity's tables come into being on every back end, once.

#include "identity/schema.h"

#include <gtest/gtest.h>

#include "store/database_testing.h"

namespace gatehouse::identity {
namespace {

class SchemaTest : public testing::TestWithParam<store::BackEnd> {};

TEST_P(SchemaTest, Migrates) {
  const auto site = store::make_site(GetParam());
  if (!site) GTEST_SKIP() << "PostgreSQL is not installed";
  for (int start = 0; start < 2; ++start) {
    const auto database = store::value_of(store::open_database(site->options()));
    const Status migrated = database->migrate(kProduct, migrations());
    ASSERT_TRUE(migrated) << migrated.error().message;
    const auto user = database->run(
        "INSERT INTO users (id, username, state, profile_sealed, created_at, updated_at)"
        " VALUES ($1, $2, 'active', $3, 1, 1) ON CONFLICT (username) DO NOTHING",
        {"01J", "alice", store::Bytes{"sealed"}});
    ASSERT_TRUE(user) << user.error().message;
    EXPECT_EQ(user->changed, start == 0 ? 1 : 0);
    const auto read = database->run("SELECT username, password, profile_sealed, version FROM users", {});
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->rows, (std::vector<store::Row>{{"alice", store::Value(), store::Bytes{"sealed"}, 1}}));
  }
}

INSTANTIATE_TEST_SUITE_P(Both, SchemaTest, testing::Values(store::BackEnd::sqlite, store::BackEnd::postgresql),
                         [](const auto& back_end) { return store::name_of(back_end.param); });

}  // namespace
}  // namespace gatehouse::identity
