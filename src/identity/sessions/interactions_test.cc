#include "identity/sessions/interactions.h"

#include <gtest/gtest.h>

#include <thread>

#include "identity/identity_testing.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using store::value_of;

class InteractionsTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    if (gateway) interactions = std::make_unique<Interactions>(gateway->database, keyring, clock);
  }
  static Interaction wanted() {
    Interaction interaction;
    interaction.return_to = "/authorize?x=1";
    interaction.request = "client_id=shop&state=%C3%A9&scope=openid+profile";
    interaction.client_name = "Shop \"&\" Söhne";
    interaction.wants_factor = true;
    interaction.auth_after_s = 77;
    interaction.challenge = std::string("\0\xff\n=&", 5);
    return interaction;
  }
  std::unique_ptr<Interactions> interactions;
};

TEST_P(InteractionsTest, BelongToTheBrowserThatBeganThem) {
  const auto begun = value_of(interactions->begin(wanted(), ""));
  const auto other = value_of(interactions->begin(wanted(), ""));
  EXPECT_EQ(value_of(interactions->begin(wanted(), begun.browser)).browser, begun.browser) << "one cookie for all tabs";
  const auto found = value_of(interactions->find(begun.interaction.id, begun.browser));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->request, wanted().request);
  EXPECT_EQ(found->client_name, wanted().client_name);
  EXPECT_EQ(found->challenge, wanted().challenge);
  EXPECT_EQ(found->auth_after_s, 77);
  EXPECT_TRUE(found->wants_factor);
  EXPECT_FALSE(value_of(interactions->find(begun.interaction.id, other.browser)));
  EXPECT_FALSE(value_of(interactions->find(begun.interaction.id, "")));
  EXPECT_FALSE(value_of(interactions->find("", begun.browser)));
  EXPECT_FALSE(value_of(interactions->find(begun.browser, begun.browser)));
  EXPECT_NE(value_of(interactions->begin(wanted(), "short")).browser, "short");
}

TEST_P(InteractionsTest, GoOnForOneOfTwoAndEndOnce) {
  const auto begun = value_of(interactions->begin(wanted(), ""));
  std::atomic<int> updated{0}, finished{0};
  Interaction last = begun.interaction;
  std::mutex mutex;
  const auto both = [](auto&& act) {
    std::thread one(act), two(act);
    one.join(), two.join();
  };
  both([&] {
    Interaction mine = begun.interaction;
    mine.user_id = "u";
    if (!interactions->update(mine)) return;
    ++updated;
    const std::lock_guard lock(mutex);
    last = mine;
  });
  EXPECT_EQ(updated, 1);
  EXPECT_EQ(value_of(interactions->find(last.id, begun.browser))->user_id, "u");
  EXPECT_FALSE(value_of(interactions->finish(begun.interaction))) << "an older state of it";
  both([&] { finished += value_of(interactions->finish(last)); });
  EXPECT_EQ(finished, 1);
  EXPECT_FALSE(value_of(interactions->find(last.id, begun.browser)));
  EXPECT_EQ(code_of(interactions->update(last)), ErrorCode::conflict);
}

TEST_P(InteractionsTest, ExpireAndAreBounded) {
  const auto begun = value_of(interactions->begin(wanted(), ""));
  Interaction large = wanted();
  large.request = std::string(100'000, 'a');
  EXPECT_EQ(code_of(interactions->begin(large, "")), ErrorCode::exhausted);
  clock.advance(Interactions::kLifetime);
  EXPECT_FALSE(value_of(interactions->find(begun.interaction.id, begun.browser)));
  expect_ok(interactions->remove_expired());
  EXPECT_TRUE(value_of(gateway->database.run("SELECT version FROM interactions")).empty());
}

GH_ON_EVERY_STORE(InteractionsTest);

TEST(FormTokens, AreForOneBrowserAndOnePurpose) {
  const OneKey keyring;
  const FormTokens tokens(keyring);
  const std::string token = tokens.make("cookie", "account");
  EXPECT_TRUE(tokens.matches(token, "cookie", "account"));
  EXPECT_FALSE(tokens.matches(token, "cookie", "consent"));
  EXPECT_FALSE(tokens.matches(token, "other", "account"));
  EXPECT_FALSE(tokens.matches(token, "cookiea", "ccount"));
  EXPECT_FALSE(tokens.matches("", "cookie", "account"));
  EXPECT_FALSE(tokens.matches(tokens.make("", "account"), "", "account")) << "no cookie, no proof";
}

}  // namespace
}  // namespace gatehouse::identity
