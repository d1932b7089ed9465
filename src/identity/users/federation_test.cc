#include "identity/users/federation.h"

#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "crypto/digest.h"
#include "identity/delivery_testing.h"
#include "identity/identity_testing.h"
#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using store::value_of;
using testing::HasSubstr;
using Verdict = OutsideAnswer::Verdict;

// Two providers; a code is good once, for the attempt that it was given in.
class FakeOutside final : public OutsideLogin {
 public:
  const std::vector<Provider>& providers() const noexcept override { return all; }
  Result<std::string> authorization_url(std::string_view id, const OutsideAttempt& attempt) override {
    if (down) return fail(ErrorCode::unavailable, "down");
    last = attempt;
    return std::string("https://") + std::string(id) + ".example/auth";
  }
  Status check_issuer(std::string_view id, std::optional<std::string_view> iss) override {
    if (iss && *iss != "https://" + std::string(id) + ".example") return fail(ErrorCode::denied, "another");
    return {};
  }
  Result<OutsideIdentity> redeem(std::string_view id, std::string_view code, const OutsideAttempt& attempt) override {
    ++redeemed;
    if (busy) return fail(ErrorCode::exhausted, "busy");
    if (down) return fail(ErrorCode::timeout, "down");
    if (code != "good" || attempt.nonce != last.nonce || attempt.verifier != last.verifier ||
        attempt.redirect_uri != last.redirect_uri)
      return fail(ErrorCode::denied, "invalid_grant");
    OutsideIdentity given = who;
    given.issuer = "https://" + std::string(id) + ".example";
    return given;
  }
  std::vector<Provider> all{{"work", "Work", "https://work.example", false},
                            {"open", "Open", "https://open.example", true}};
  OutsideAttempt last;
  OutsideIdentity who;
  bool down = false, busy = false;
  int redeemed = 0;
};

class FederationTest : public StoreTest {
 protected:
  struct World {
    World(Gateway& g, OneKey& keyring, const Clock& clock, OutsideLogin& outside)
        : revocations(g.database, clock),
          sessions(g.database, g.accounts, revocations, clock, {}),
          devices(g.database, clock),
          factors(g.database, keyring, clock),
          interactions(g.database, keyring, clock),
          throttle(clock),
          audit(g.database, keyring, clock),
          passwords(g.accounts, keyring, BreachedList(), {{64, 1}, {}, 2, 16}),
          parts{g.accounts,   passwords, throttle, factors, sessions, devices,
                interactions, outbox,    audit,    keyring, clock},
          login(parts, {}),
          federation(login, parts, g.database, outside, "https://login.example/id") {}
    Revocations revocations;
    Sessions sessions;
    Devices devices;
    EnrolledFactors factors;
    Interactions interactions;
    Throttle throttle;
    Outbox outbox;
    AuditTrail audit;
    PasswordService passwords;
    AuthenticationParts parts;
    Authentication login;
    Federation federation;
  };
  void SetUp() override {
    StoreTest::SetUp();
    if (!gateway) return;
    world = std::make_unique<World>(*gateway, keyring, clock, outside);
    alice = gateway->add("alice");
    bob = gateway->add("bob");
    outside.who.subject = "s-1";
  }
  Interaction begin(Interaction wanted = {}) {
    auto begun = value_of(world->interactions.begin(std::move(wanted), browser));
    browser = begun.browser;
    return begun.interaction;
  }
  Interaction begin_link(const UserPtr& user) {
    Interaction wanted;
    wanted.links = true;
    wanted.must_be_user = user->id;
    return begin(wanted);
  }
  const OutsideLogin::Provider& provider(std::string_view id) { return *world->federation.find(id); }
  // There and back again, with what the provider would say.
  OutsideAnswer visit(Interaction& interaction, std::string_view id = "work", std::string_view code = "good") {
    const auto url = world->federation.begin(interaction, provider(id));
    EXPECT_TRUE(url);
    return world->federation.finish(interaction, provider(id), {outside.last.state, code, {}, {}}, visitor);
  }
  std::string subject_of(const UserPtr& user) {
    const auto list = value_of(world->federation.linked().list(user->id));
    return list.empty() ? "" : list.front().subject;
  }
  std::string last_event() {
    const auto events = value_of(world->audit.list({}));
    std::string text = events.front().action + (events.front().outcome == Outcome::ok ? " ok" : " refused");
    for (const auto& [name, value] : events.front().details) text += " " + name + "=" + value;
    return text;
  }

  Visitor visitor{IpAddress::v4(0x0a000001), "Firefox/1 Linux", "request-1", {}, {}};
  FakeOutside outside;
  std::string browser;
  UserPtr alice, bob;
  std::unique_ptr<World> world;
};

TEST_P(FederationTest, ALinkedLoginSignsItsUserIn) {
  expect_ok(world->federation.linked().link(alice->id, "https://work.example", "s-1"));
  Interaction interaction = begin();
  const OutsideAnswer answer = visit(interaction);
  EXPECT_EQ(answer.verdict, Verdict::next);
  EXPECT_EQ(answer.step, LoginStep::done);
  EXPECT_EQ(interaction.user_id, alice->id);
  EXPECT_EQ(outside.last.redirect_uri, "https://login.example/id/federation/work/callback");
  EXPECT_EQ(outside.last.verifier.size(), 43u) << "RFC 7636 §4.1";
  EXPECT_NE(outside.last.nonce, outside.last.verifier);
  EXPECT_FALSE(outside.last.anew);
  EXPECT_THAT(last_event(), HasSubstr("login.outside ok provider=work"));
  const auto signed_in = value_of(world->login.finish(interaction, false, visitor));
  EXPECT_EQ(signed_in.session.session.user_id, alice->id);
  EXPECT_EQ(signed_in.session.session.amr, "fed");
  EXPECT_FALSE(signed_in.session.session.mfa());
}

TEST_P(FederationTest, OurOwnSecondFactorIsAskedAllTheSame) {
  expect_ok(world->federation.linked().link(alice->id, "https://work.example", "s-1"));
  Interaction wanted;
  wanted.wants_factor = true;
  Interaction interaction = begin(wanted);
  EXPECT_EQ(visit(interaction).step, LoginStep::enrol);
  value_of(world->factors.add({alice->id, FactorKind::totp, "App", SecretBytes(std::string_view("0123456789"))}));
  interaction = begin();
  EXPECT_EQ(visit(interaction).step, LoginStep::factor);
}

TEST_P(FederationTest, NobodyIsFoundByAnAddress) {
  for (const bool verified : {false, true}) {
    for (const char* id : {"work", "open"}) {
      outside.who.email = "alice@example.org";
      outside.who.email_verified = verified;
      Interaction interaction = begin();
      EXPECT_EQ(visit(interaction, id).verdict, Verdict::nobody) << id << verified;
      EXPECT_EQ(interaction.user_id, "");
    }
  }
  EXPECT_EQ(subject_of(alice), "");
}

TEST_P(FederationTest, AnAccountIsMadeOfAProvedAddressWhereAllowed) {
  outside.who = {.issuer = {}, .subject = "s-9", .email = "New@Example.org", .name = "Nia"};
  Interaction interaction = begin();
  EXPECT_EQ(visit(interaction, "open").verdict, Verdict::nobody) << "not verified";
  outside.who.email_verified = true;
  outside.who.locale = "not a tag";
  outside.who.given_name = "bad\ntext";
  interaction = begin();
  EXPECT_EQ(visit(interaction, "work").verdict, Verdict::nobody) << "not there";
  interaction = begin();
  const OutsideAnswer answer = visit(interaction, "open");
  EXPECT_EQ(answer.verdict, Verdict::next);
  const UserPtr made = value_of(gateway->accounts.find(interaction.user_id));
  ASSERT_TRUE(made);
  EXPECT_THAT(made->username, testing::StartsWith("u-")) << "the address is stored sealed alone";
  EXPECT_EQ(value_of(gateway->accounts.find_by_login("new@example.org"))->id, made->id);
  EXPECT_EQ(made->profile.name, "Nia");
  EXPECT_EQ(made->profile.locale, "");
  EXPECT_EQ(made->profile.given_name, "");
  EXPECT_TRUE(made->email_verified);
  EXPECT_FALSE(made->has_password);
  EXPECT_TRUE(made->roles.empty());
  // The same login again is the same user, whatever its address has become.
  outside.who.email = "other@example.org";
  interaction = begin();
  EXPECT_EQ(visit(interaction, "open").verdict, Verdict::next);
  EXPECT_EQ(interaction.user_id, made->id);
}

TEST_P(FederationTest, StepUpIsForTheSameUser) {
  expect_ok(world->federation.linked().link(bob->id, "https://work.example", "s-1"));
  Interaction wanted;
  wanted.must_be_user = alice->id;
  wanted.auth_after_s = seconds_of(clock.wall());
  outside.who.auth_s = seconds_of(clock.wall()) + 5;
  Interaction interaction = begin(wanted);
  EXPECT_EQ(visit(interaction).verdict, Verdict::nobody);
  EXPECT_TRUE(outside.last.anew);
  expect_ok(world->federation.linked().link(alice->id, "https://work.example", "s-2"));
  outside.who.subject = "s-2";
  interaction = begin(wanted);
  EXPECT_EQ(visit(interaction).verdict, Verdict::next);
  // A session at the provider is no fresh proof.
  for (const std::optional<std::int64_t> when : {std::optional<std::int64_t>(), {wanted.auth_after_s - 60}}) {
    outside.who.auth_s = when;
    interaction = begin(wanted);
    EXPECT_EQ(visit(interaction).verdict, Verdict::not_proved);
  }
  // Nor is somebody made who was not there.
  outside.who = {.issuer = {}, .subject = "s-3", .email = "c@example.org", .email_verified = true};
  outside.who.auth_s = wanted.auth_after_s;
  interaction = begin(wanted);
  EXPECT_EQ(visit(interaction, "open").verdict, Verdict::nobody);
  EXPECT_FALSE(value_of(gateway->accounts.find_by_email("c@example.org")));
}

TEST_P(FederationTest, WhatComesBackIsTakenOnceAndInTime) {
  expect_ok(world->federation.linked().link(alice->id, "https://work.example", "s-1"));
  Interaction interaction = begin();
  value_of(world->federation.begin(interaction, provider("work")));
  const std::string state = outside.last.state;
  const Federation::Returned good{state, "good", {}, {}};
  Interaction copy = interaction;  // of a request at the same moment
  EXPECT_EQ(world->federation.finish(interaction, provider("work"), good, visitor).verdict, Verdict::next);
  EXPECT_EQ(world->federation.finish(interaction, provider("work"), good, visitor).verdict, Verdict::gone);
  EXPECT_EQ(world->federation.finish(copy, provider("work"), good, visitor).verdict, Verdict::gone);
  EXPECT_EQ(outside.redeemed, 1);

  interaction = begin();
  value_of(world->federation.begin(interaction, provider("work")));
  clock.advance(Federation::kAttemptLifetime);
  EXPECT_EQ(
      world->federation.finish(interaction, provider("work"), {outside.last.state, "good", {}, {}}, visitor).verdict,
      Verdict::gone);
  EXPECT_EQ(outside.redeemed, 1);
}

TEST_P(FederationTest, AnAnswerOfAnotherLoginIsNone) {
  expect_ok(world->federation.linked().link(alice->id, "https://work.example", "s-1"));
  Interaction first = begin(), second = begin();
  value_of(world->federation.begin(first, provider("work")));
  const std::string first_state = outside.last.state;
  value_of(world->federation.begin(second, provider("work")));
  const std::string second_state = outside.last.state;
  struct Case {
    const char* name;
    std::string state;
    std::string_view provider = "work";
    std::optional<std::string_view> iss;
    Verdict verdict;
  };
  const Case cases[] = {
      {"another's state", second_state, "work", {}, Verdict::gone},
      {"no state", "", "work", {}, Verdict::gone},
      {"a state that is cut", first_state.substr(0, 60), "work", {}, Verdict::gone},
      {"at another provider's address", first_state, "open", {}, Verdict::gone},
      {"another issuer", first_state, "work", "https://evil.example", Verdict::not_proved},
  };
  for (const Case& c : cases) {
    const Federation::Returned returned{c.state, "good", {}, c.iss};
    EXPECT_EQ(world->federation.finish(first, provider(c.provider), returned, visitor).verdict, c.verdict) << c.name;
  }
  EXPECT_EQ(outside.redeemed, 0);
  EXPECT_EQ(Federation::interaction_of(second_state), second.id);
  EXPECT_EQ(Federation::interaction_of(second.id), "");
  EXPECT_EQ(Federation::interaction_of(second_state + "x"), "");
}

TEST_P(FederationTest, NonceAndVerifierAreOfOneAttemptAndOneProvider) {
  Interaction interaction = begin();
  std::set<std::string> seen;
  for (const char* id : {"work", "open", "work"}) {
    value_of(world->federation.begin(interaction, provider(id)));
    seen.insert({outside.last.nonce, outside.last.verifier, outside.last.state});
  }
  EXPECT_EQ(seen.size(), 9u);
}

TEST_P(FederationTest, ADisabledUserIsNobody) {
  expect_ok(world->federation.linked().link(alice->id, "https://work.example", "s-1"));
  expect_ok(gateway->accounts.set_state(alice->id, UserState::disabled));
  Interaction interaction = begin();
  EXPECT_EQ(visit(interaction).verdict, Verdict::nobody);
  EXPECT_THAT(last_event(), HasSubstr("login.outside refused why=not active"));
}

TEST_P(FederationTest, FailuresSlowDownAndNoAnswerCountsAsNone) {
  expect_ok(world->federation.linked().link(alice->id, "https://work.example", "s-1"));
  outside.busy = true;
  Interaction interaction = begin();
  EXPECT_EQ(visit(interaction).verdict, Verdict::busy);
  outside.busy = false;
  for (int i = 0; i < 10; ++i) {
    interaction = begin();
    value_of(world->federation.begin(interaction, provider("work")));
    outside.down = true;
    EXPECT_EQ(
        world->federation.finish(interaction, provider("work"), {outside.last.state, "good", {}, {}}, visitor).verdict,
        Verdict::down);
    EXPECT_FALSE(world->federation.begin(interaction, provider("work")));
    outside.down = false;
    interaction = begin();
    value_of(world->federation.begin(interaction, provider("work")));
    EXPECT_EQ(
        world->federation.finish(interaction, provider("work"), {outside.last.state, "", "access_denied", {}}, visitor)
            .verdict,
        Verdict::declined);
  }
  int refused = 0;
  OutsideAnswer answer;
  while ((interaction = begin(), answer = visit(interaction, "work", "bad")).verdict == Verdict::not_proved) ++refused;
  EXPECT_EQ(refused, 5);
  EXPECT_EQ(answer.verdict, Verdict::wait);
  EXPECT_GE(answer.retry_after, 1s);
  visitor.client_ip = IpAddress::v4(0x0a000002);
  interaction = begin();
  EXPECT_EQ(visit(interaction).verdict, Verdict::next) << "another address is not held back";
}

TEST_P(FederationTest, ALoginIsLinkedWithOneUser) {
  Interaction interaction = begin_link(alice);
  EXPECT_EQ(visit(interaction).verdict, Verdict::linked);
  EXPECT_EQ(subject_of(alice), "s-1");
  EXPECT_THAT(last_event(), HasSubstr("login.link ok provider=work subject=s-1"));
  ASSERT_EQ(world->outbox.mails.size(), 1u) << "the owner is told";
  EXPECT_EQ(world->outbox.mails[0].to, "alice@example.org");
  EXPECT_THAT(world->outbox.mails[0].text, HasSubstr("a login at Work was linked with alice"));
  interaction = begin_link(alice);
  EXPECT_EQ(visit(interaction).verdict, Verdict::linked) << "again";
  interaction = begin_link(bob);
  EXPECT_EQ(visit(interaction).verdict, Verdict::taken);
  EXPECT_EQ(subject_of(bob), "");
  outside.who.subject = std::string(256, 'x');
  interaction = begin_link(bob);
  EXPECT_EQ(visit(interaction).verdict, Verdict::not_proved);
}

TEST_P(FederationTest, TwoUsersAtTheSameMomentLinkOnce) {
  LinkedLogins& linked = world->federation.linked();
  for (int round = 0; round < 10; ++round) {
    const std::string subject = "race-" + std::to_string(round);
    Status first, second;
    std::thread other([&] { first = linked.link(alice->id, "https://work.example", subject); });
    second = linked.link(bob->id, "https://work.example", subject);
    other.join();
    EXPECT_NE(first.has_value(), second.has_value());
    EXPECT_EQ((first ? second : first).error().code, ErrorCode::conflict);
    const auto owner = value_of(linked.user_of("https://work.example", subject));
    EXPECT_EQ(owner, first ? alice->id : bob->id);
  }
}

TEST_P(FederationTest, LinksAreBounded) {
  LinkedLogins& linked = world->federation.linked();
  for (std::size_t i = 0; i < LinkedLogins::kPerUserMax; ++i)
    expect_ok(linked.link(alice->id, "https://work.example", std::to_string(i)));
  EXPECT_EQ(linked.link(alice->id, "https://work.example", "more").error().code, ErrorCode::exhausted);
  EXPECT_EQ(value_of(linked.list(alice->id)).size(), LinkedLogins::kPerUserMax);
}

TEST_P(FederationTest, WhatIsStoredTellsNoSubject) {
  LinkedLogins& linked = world->federation.linked();
  const std::string subject = "ada@work.example";
  expect_ok(linked.link(alice->id, "https://work.example", subject));
  const auto rows = value_of(gateway->database.run("SELECT login_hash, issuer, subject_sealed FROM linked_logins"));
  ASSERT_EQ(rows.rows.size(), 1u);
  for (const std::size_t column : {0u, 2u}) EXPECT_EQ(rows.rows[0][column].bytes().find("ada"), std::string::npos);
  EXPECT_EQ(rows.rows[0][0].bytes().size(), 32u);
  EXPECT_NE(rows.rows[0][0].bytes(), crypto::as_text(crypto::sha256("https://work.example\n" + subject)))
      << "addresses would be guessed";
  EXPECT_EQ(subject_of(alice), subject);
  EXPECT_EQ(value_of(linked.user_of("https://work.example", subject)), alice->id);
  EXPECT_EQ(value_of(linked.user_of("https://other.example", subject)), std::nullopt);
}

// A program of before has written, or still writes, in the clear.
TEST_P(FederationTest, LinksOfProgramsOfBeforeCountAndAreMoved) {
  LinkedLogins& linked = world->federation.linked();
  const std::string issuer = "https://work.example";
  const auto before = [&](const UserPtr& user, const std::string& subject) {
    value_of(gateway->database.run(
        "INSERT INTO federated_identities (issuer, subject, user_id, created_at) VALUES ($1, $2, $3, 7)",
        {issuer, subject, user->id}));
  };
  const auto in_the_clear = [&] {
    return value_of(gateway->database.run("SELECT COUNT(*) FROM federated_identities")).rows[0][0].integer();
  };
  for (const char* subject : {"s-1", "s-2", "s-3", "s-4"}) before(alice, subject);
  EXPECT_EQ(value_of(linked.user_of(issuer, "s-1")), alice->id);
  EXPECT_EQ(value_of(linked.list(alice->id)).size(), 4u);
  EXPECT_EQ(linked.link(bob->id, issuer, "s-1").error().code, ErrorCode::conflict);
  expect_ok(linked.link(alice->id, issuer, "s-2"));
  EXPECT_TRUE(value_of(linked.unlink(alice->id, issuer, "s-3")));
  EXPECT_EQ(value_of(linked.user_of(issuer, "s-3")), std::nullopt);
  expect_ok(linked.move_old());
  EXPECT_EQ(in_the_clear(), 0);
  const auto list = value_of(linked.list(alice->id));
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].subject, "s-1");
  EXPECT_EQ(list[0].created_s, 7);
  EXPECT_EQ(value_of(linked.user_of(issuer, "s-4")), alice->id);
  // It cannot see whose it is by now: that stays as it is.
  before(bob, "s-1");
  expect_ok(linked.move_old());
  EXPECT_EQ(in_the_clear(), 0);
  EXPECT_EQ(value_of(linked.user_of(issuer, "s-1")), alice->id);
  before(alice, "s-5");
  EXPECT_EQ(value_of(linked.unlink_all(alice->id)), 4);
  EXPECT_TRUE(value_of(linked.list(alice->id)).empty());
}

TEST_P(FederationTest, TheLastWayInStays) {
  LinkedLogins& linked = world->federation.linked();
  expect_ok(linked.link(alice->id, "https://work.example", "s-1"));
  const auto unlink = [&](const UserPtr& user, std::string_view subject) {
    return world->federation.unlink(*user, "https://work.example", subject, visitor);
  };
  EXPECT_EQ(unlink(alice, "s-1").error().code, ErrorCode::denied);
  expect_ok(linked.link(alice->id, "https://work.example", "s-2"));
  EXPECT_FALSE(value_of(unlink(alice, "s-3"))) << "there is none";
  EXPECT_TRUE(value_of(unlink(alice, "s-1")));
  expect_ok(world->passwords.set(alice->id, "correct horse battery staple"));
  EXPECT_TRUE(value_of(unlink(value_of(gateway->accounts.find(alice->id)), "s-2")));
  EXPECT_TRUE(value_of(linked.list(alice->id)).empty());
  EXPECT_THAT(last_event(), HasSubstr("login.unlink ok"));
}

GH_ON_EVERY_STORE(FederationTest);

}  // namespace
}  // namespace gatehouse::identity
