#include "identity/users/registration.h"

#include <gmock/gmock.h>

#include <thread>

#include "identity/delivery_testing.h"
#include "identity/identity_testing.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using store::value_of;
using testing::HasSubstr;
using Verdict = Registration::Answer::Verdict;

constexpr std::string_view kGood = "correct horse battery staple", kOther = "four more words here";

class RegistrationTest : public StoreTest {
 protected:
  struct World {
    World(Gateway& g, OneKey& keyring, const Clock& clock)
        : gateway(g),
          revocations(g.database, clock),
          sessions(g.database, g.accounts, revocations, clock, {}),
          devices(g.database, clock),
          tickets(g.database, keyring, g.accounts, clock),
          throttle(clock),
          audit(g.database, keyring, clock),
          passwords(g.accounts, keyring, BreachedList(), {{64, 1}, {}, 2, 16}),
          registration({g.database, g.accounts, passwords, sessions, devices, tickets, throttle, outbox, audit, clock},
                       {"https://login.example", "login.example"}) {}
    Gateway& gateway;
    Revocations revocations;
    Sessions sessions;
    Devices devices;
    Tickets tickets;
    Throttle throttle;
    Outbox outbox;
    AuditTrail audit;
    PasswordService passwords;
    Registration registration;
  };
  void SetUp() override {
    StoreTest::SetUp();
    if (gateway) world = std::make_unique<World>(*gateway, keyring, clock);
  }
  Registration& registration() { return world->registration; }
  static std::string token_in(std::string_view text) {
    const std::size_t at = text.find("?ticket=");
    return at == std::string_view::npos ? "" : std::string(text.substr(at + 8, 43));
  }
  NewUser alice() const {
    NewUser wanted{.username = "alice", .profile = {}};
    wanted.profile.email = "alice@example.org";
    wanted.profile.locale = "de";
    return wanted;
  }
  const Visitor visitor{IpAddress::v4(0x0a000001), "Firefox/1 Linux", "request-1", {}, {}};
  std::unique_ptr<World> world;
};

TEST_P(RegistrationTest, AnInvitationIsAcceptedOnce) {
  const auto invited = value_of(registration().invite(alice(), "admin:uid=0"));
  ASSERT_EQ(world->outbox.mails.size(), 1u);
  EXPECT_EQ(world->outbox.mails[0].to, "alice@example.org");
  EXPECT_EQ(world->outbox.mails[0].subject, "Einladung zu login.example");
  EXPECT_THAT(world->outbox.mails[0].text, HasSubstr(invited.link));
  const std::string token = token_in(world->outbox.mails[0].text);
  EXPECT_EQ(invited.user->state, UserState::invited);
  EXPECT_TRUE(value_of(registration().look(TicketKind::invite, token)));
  EXPECT_FALSE(value_of(registration().look(TicketKind::reset, token))) << "another kind";
  auto answer = registration().accept_invitation(token, "password1", visitor);
  EXPECT_EQ(answer.verdict, Verdict::bad_password);
  EXPECT_EQ(answer.problem, PasswordProblem::breached);
  answer = registration().accept_invitation(token, kGood, visitor);
  EXPECT_EQ(answer.verdict, Verdict::done) << "the link was still good";
  ASSERT_EQ(answer.set_cookies.size(), 1u);
  EXPECT_EQ(registration().accept_invitation(token, kGood, visitor).verdict, Verdict::bad_link);
  const UserPtr user = value_of(gateway->accounts.find(invited.user->id));
  EXPECT_TRUE(user->active() && user->email_verified);
  EXPECT_EQ(world->passwords.verify("alice", kGood).result, PasswordResult::right);
  EXPECT_EQ(code_of(registration().invite(alice(), "admin:uid=0")), ErrorCode::conflict);
}

TEST_P(RegistrationTest, ALinkThatWasHandedOverProvesNoAddress) {
  world->outbox.with_mail = false;
  const auto invited = value_of(registration().invite(alice(), "admin:uid=0"));
  EXPECT_FALSE(invited.mailed);
  EXPECT_EQ(registration().accept_invitation(token_in(invited.link), kGood, visitor).verdict, Verdict::done);
  EXPECT_FALSE(value_of(gateway->accounts.find(invited.user->id))->email_verified);
}

TEST_P(RegistrationTest, AResetEndsWhatWasAndIsVoidAfterAnotherPassword) {
  const UserPtr user = gateway->add("alice");
  expect_ok(world->passwords.set(user->id, kOther));
  const auto session = value_of(world->sessions.start(user->id, {"pwd", false}, "", ""));
  const std::string device = value_of(world->devices.know(user->id, "", "", true));
  clock.advance(1s);
  expect_ok(registration().request_reset("alice", visitor));
  expect_ok(registration().request_reset("ALICE@example.org", visitor));
  ASSERT_EQ(world->outbox.mails.size(), 2u);
  const std::string first = token_in(world->outbox.mails[0].text), second = token_in(world->outbox.mails[1].text);
  EXPECT_EQ(registration().reset_password(first, kGood, visitor).verdict, Verdict::done);
  EXPECT_EQ(registration().reset_password(second, kGood, visitor).verdict, Verdict::bad_link) << "void";
  EXPECT_EQ(world->passwords.verify("alice", kGood).result, PasswordResult::right);
  EXPECT_EQ(world->passwords.verify("alice", kOther).result, PasswordResult::wrong);
  EXPECT_FALSE(value_of(world->sessions.find(session.token)));
  EXPECT_FALSE(value_of(world->devices.find(user->id, device)));
  EXPECT_THAT(world->outbox.mails.back().subject, HasSubstr("was changed"));
}

TEST_P(RegistrationTest, AResetTellsNobodyWhoExists) {
  const UserPtr bob = gateway->add("bob");
  expect_ok(gateway->accounts.set_state(bob->id, UserState::disabled));
  for (const char* login : {"nobody", "bob", "nobody@example.org", "", "a\nb"}) {
    expect_ok(registration().request_reset(login, visitor));
  }
  EXPECT_TRUE(world->outbox.mails.empty());
  // And nobody's mailbox is filled.
  gateway->add("alice");
  for (int i = 0; i < 30; ++i) expect_ok(registration().request_reset("alice", visitor));
  EXPECT_EQ(world->outbox.mails.size(), 5u);
  gateway->database.gone = true;
  EXPECT_EQ(code_of(registration().request_reset("alice", visitor)), ErrorCode::unavailable);
}

TEST_P(RegistrationTest, ATicketIsVoidWhenItsUserChanged) {
  const UserPtr user = gateway->add("alice");
  const auto reset = [&] {
    return value_of(world->tickets.issue(TicketKind::reset, value_of(gateway->accounts.find(user->id)).get()));
  };
  std::string token = reset();
  expect_ok(gateway->accounts.set_email(user->id, "new@example.org", true));
  EXPECT_FALSE(value_of(world->tickets.look(TicketKind::reset, token))) << "another address";
  token = reset();
  clock.advance(1s);
  expect_ok(world->passwords.set(user->id, kGood));
  EXPECT_FALSE(value_of(world->tickets.use(TicketKind::reset, token))) << "another password";
  token = reset();
  expect_ok(gateway->accounts.set_state(user->id, UserState::disabled));
  EXPECT_FALSE(value_of(world->tickets.use(TicketKind::reset, token))) << "disabled";
  expect_ok(gateway->accounts.set_state(user->id, UserState::active));
  token = reset();
  clock.advance(Tickets::kReset);
  EXPECT_FALSE(value_of(world->tickets.use(TicketKind::reset, token))) << "expired";
  expect_ok(world->tickets.remove_expired());
}

TEST_P(RegistrationTest, ATicketIsUsedByOneOfTwo) {
  const UserPtr user = gateway->add("alice");
  Gateway other(*site, keyring, clock);
  Tickets elsewhere(other.database, keyring, other.accounts, clock);
  for (int i = 0; i < 10; ++i) {
    const std::string token = value_of(world->tickets.issue(TicketKind::reset, user.get()));
    std::atomic<int> got{0};
    std::thread one([&] { got += value_of(world->tickets.use(TicketKind::reset, token)).has_value(); });
    std::thread two([&] { got += value_of(elsewhere.use(TicketKind::reset, token)).has_value(); });
    one.join(), two.join();
    EXPECT_EQ(got, 1);
  }
}

TEST_P(RegistrationTest, OpenTicketsAreBounded) {
  const UserPtr user = gateway->add("alice");
  const std::string first = value_of(world->tickets.issue(TicketKind::reset, user.get()));
  for (int i = 0; i < Tickets::kOpenMax; ++i) {
    clock.advance(1s);
    value_of(world->tickets.issue(TicketKind::reset, user.get()));
  }
  EXPECT_FALSE(value_of(world->tickets.look(TicketKind::reset, first)));
  EXPECT_EQ(value_of(gateway->database.run("SELECT COUNT(*) FROM tickets")).rows[0][0].integer(), Tickets::kOpenMax);
}

TEST_P(RegistrationTest, AnAddressIsProvedByItsLink) {
  const UserPtr user = gateway->add("alice");
  expect_ok(registration().send_verification(user->id, "New@Example.org"));
  ASSERT_EQ(world->outbox.mails.size(), 1u);
  EXPECT_EQ(world->outbox.mails[0].to, "New@example.org");
  EXPECT_EQ(value_of(gateway->accounts.find(user->id))->profile.email, "alice@example.org") << "not yet";
  EXPECT_EQ(registration().verify_email(token_in(world->outbox.mails[0].text), visitor).verdict, Verdict::done);
  EXPECT_EQ(value_of(gateway->accounts.find(user->id))->profile.email, "New@example.org");
  EXPECT_EQ(code_of(registration().send_verification(user->id, "a@b\r\nBcc: c@d.example")), ErrorCode::invalid);
}

TEST_P(RegistrationTest, ThereIsOneFirstAdministrator) {
  const auto one = value_of(registration().first_admin_link()), two = value_of(registration().first_admin_link());
  ASSERT_TRUE(one && two);
  EXPECT_EQ(registration().create_first_admin(std::string(43, 'x'), "root", "", kGood, visitor).verdict,
            Verdict::bad_link);
  EXPECT_EQ(registration().create_first_admin(token_in(*one), "root", "", "password", visitor).verdict,
            Verdict::bad_password);
  EXPECT_EQ(registration().create_first_admin(token_in(*one), "-", "", kGood, visitor).verdict, Verdict::invalid);
  std::atomic<int> made{0};
  std::thread first([&] {
    made += registration().create_first_admin(token_in(*one), "boss", "", kGood, visitor).verdict == Verdict::done;
  });
  std::thread second([&] {
    made += registration().create_first_admin(token_in(*two), "chief", "", kGood, visitor).verdict == Verdict::done;
  });
  first.join(), second.join();
  EXPECT_EQ(made, 1);
  EXPECT_FALSE(value_of(registration().first_admin_link()));
  const auto admins = value_of(gateway->accounts.list({.role = std::string(kAdminRole)}));
  ASSERT_EQ(admins.size(), 1u);
  EXPECT_TRUE(admins[0]->active());
}

TEST_P(RegistrationTest, ActsAreEventsWithoutSecrets) {
  const auto invited = value_of(registration().invite(alice(), "admin:uid=0"));
  const std::string token = token_in(invited.link);
  clock.advance(1s);  // ids sort by time
  registration().accept_invitation(token, kGood, visitor);
  const auto events = value_of(world->audit.list({}));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].action, "user.accept");
  EXPECT_EQ(events[0].request_id, "request-1");
  EXPECT_EQ(events[1].action, "user.invite");
  EXPECT_EQ(events[1].actor, "admin:uid=0");
  EXPECT_EQ(events[1].details,
            (std::vector<std::pair<std::string, std::string>>{{"username", "alice"}, {"mailed", "yes"}}));
  EXPECT_EQ(value_of(world->audit.list({.target = "user:nobody"})).size(), 0u);
  EXPECT_EQ(value_of(world->audit.list({.before_id = events[0].id})).size(), 1u);
  gateway->database.gone = true;
  world->audit.record("system", "test", "", Outcome::ok);
  EXPECT_EQ(world->audit.lost(), 1u);
  gateway->database.gone = false;
  clock.advance(24h * 400);
  EXPECT_EQ(value_of(world->audit.remove_older_than(24h * 365)), 2);
}

GH_ON_EVERY_STORE(RegistrationTest);

TEST(Messages, AreWrittenInTwoLanguages) {
  const MessageFields fields{
      {"site", "login.example"}, {"name", "Jö{code}\r\nBcc: x"}, {"code", "123456"}, {"minutes", "10"}};
  const Composed english = compose(MessageKind::login_code, "fr", fields);
  EXPECT_EQ(english.subject, "123456 is your code for login.example");
  EXPECT_THAT(english.text, HasSubstr("Hello Jö{code}  Bcc: x,")) << "a value is text";
  EXPECT_THAT(compose(MessageKind::login_code, "de-AT", fields).subject, HasSubstr("ist Ihr Code"));
  EXPECT_LE(compose_sms(MessageKind::login_code, "de", fields).size(), 160u);
  // Every text names only fields that it is given.
  for (int kind = 0; kind <= static_cast<int>(MessageKind::login_linked); ++kind) {
    for (const char* locale : {"en", "de"}) {
      MessageFields all;
      for (const char* name : {"site", "name", "username", "link", "expires", "time", "code", "minutes", "device",
                               "address", "factor", "left"}) {
        all.emplace_back(name, std::string("<") + name + ">");
      }
      const Composed composed = compose(static_cast<MessageKind>(kind), locale, all);
      EXPECT_EQ((composed.subject + composed.text).find('{'), std::string::npos) << kind << locale;
      EXPECT_THAT(composed.subject + composed.text, HasSubstr("<site>"));
      EXPECT_FALSE(composed.text.empty());
    }
  }
}

}  // namespace
}  // namespace gatehouse::identity
