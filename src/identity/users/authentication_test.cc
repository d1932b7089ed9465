#include "identity/users/authentication.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/file.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "identity/delivery_testing.h"
#include "identity/factors/totp.h"
#include "identity/factors/webauthn.h"
#include "identity/identity_testing.h"
#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using store::value_of;
using testing::ElementsAre;
using testing::HasSubstr;
using Verdict = LoginAnswer::Verdict;

constexpr std::string_view kGood = "correct horse battery staple";

AuthenticationOptions options() {
  AuthenticationOptions o;
  o.issuer = "https://login.example";
  o.rp_id = o.site = "login.example";
  o.origins = {"https://login.example"};
  return o;
}

class AuthenticationTest : public StoreTest {
 protected:
  struct World {
    World(Gateway& g, OneKey& keyring, const Clock& clock)
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
          login(parts, options()),
          enrolment(login, parts, options()) {}
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
    Enrolment enrolment;
  };
  void SetUp() override {
    StoreTest::SetUp();
    if (!gateway) return;
    world = std::make_unique<World>(*gateway, keyring, clock);
    user = gateway->add("alice");
    expect_ok(world->passwords.set(user->id, kGood));
  }
  Interaction begin(bool wants_factor = false) {
    Interaction wanted;
    wanted.return_to = "/authorize?x";
    wanted.wants_factor = wants_factor;
    auto begun = value_of(world->interactions.begin(wanted, browser));
    browser = begun.browser;
    return begun.interaction;
  }
  // Past the password.
  Interaction named(bool wants_factor = false) {
    Interaction interaction = begin(wants_factor);
    EXPECT_EQ(world->login.password(interaction, "alice", kGood, visitor).verdict, Verdict::next);
    return interaction;
  }
  std::string add_totp() {
    const SecretBytes secret = new_totp_secret();
    value_of(world->factors.add({user->id, FactorKind::totp, "App", secret}));
    return std::string(secret.expose());
  }
  std::string add_mail() {
    return value_of(
        world->factors.add({user->id, FactorKind::email, "Mail", SecretBytes(std::string_view("a@example.org"))}));
  }
  std::string totp_now(const std::string& secret) { return totp_code(secret, totp_step(clock.wall())); }
  std::string mailed_code() {
    const std::string& subject = world->outbox.mails.back().subject;
    return subject.substr(0, 6);
  }
  Visitor visitor{IpAddress::v4(0x0a000001), "Firefox/1 Linux", "request-1", {}, {}};
  std::string browser;
  UserPtr user;
  std::unique_ptr<World> world;
};

TEST_P(AuthenticationTest, APasswordAloneIsEnoughWhereNobodyWantsMore) {
  Interaction interaction = begin();
  EXPECT_EQ(value_of(world->login.step(interaction)), LoginStep::password);
  const LoginAnswer answer = world->login.password(interaction, "Alice@Example.org", kGood, visitor);
  EXPECT_EQ(answer.verdict, Verdict::next);
  EXPECT_EQ(answer.step, LoginStep::done);
  const SignedIn signed_in = value_of(world->login.finish(interaction, false, visitor));
  EXPECT_EQ(signed_in.return_to, "/authorize?x");
  EXPECT_EQ(signed_in.session.session.amr, "pwd");
  EXPECT_FALSE(signed_in.session.session.mfa());
  EXPECT_EQ(value_of(world->sessions.find(signed_in.session.token))->user_id, user->id);
  ASSERT_EQ(signed_in.set_cookies.size(), 2u);
  EXPECT_TRUE(signed_in.set_cookies[0].starts_with("__Host-gatehouse-sso=" + signed_in.session.token + ";"));
  EXPECT_EQ(code_of(world->login.finish(interaction, false, visitor)), ErrorCode::conflict) << "once";
}

TEST_P(AuthenticationTest, RefusalsAreAlike) {
  const UserPtr bob = gateway->add("bob");
  expect_ok(world->passwords.set(bob->id, kGood));
  expect_ok(gateway->accounts.set_state(bob->id, UserState::disabled));
  for (const auto& [login, password] : {std::pair<std::string_view, std::string_view>{"alice", "wrong"},
                                        {"nobody", kGood},
                                        {"bob", kGood},
                                        {"", ""},
                                        {"nobody@example.org", "x"}}) {
    Interaction interaction = begin();
    const LoginAnswer answer = world->login.password(interaction, login, password, visitor);
    EXPECT_EQ(answer.verdict, Verdict::refused) << login;
    EXPECT_EQ(answer.step, LoginStep::password);
    EXPECT_EQ(interaction.user_id, "");
    EXPECT_EQ(code_of(world->login.finish(interaction, false, visitor)), ErrorCode::denied);
  }
}

TEST_P(AuthenticationTest, FailuresSlowDownBeforeAnythingIsHashed) {
  Interaction interaction = begin();
  for (int i = 0; i < 5; ++i) world->login.password(interaction, "alice", "wrong", visitor);
  LoginAnswer answer = world->login.password(interaction, "alice", kGood, visitor);
  EXPECT_EQ(answer.verdict, Verdict::wait);
  EXPECT_EQ(answer.retry_after, 1s);
  // A browser that she has signed in from is another matter.
  const std::string device = value_of(world->devices.know(user->id, "", "", false));
  Visitor owner = visitor;
  owner.device_cookie = device;
  EXPECT_EQ(world->login.password(interaction, "alice", kGood, owner).verdict, Verdict::next);
  // For a name that nobody has it is the same.
  Interaction other = begin();
  for (int i = 0; i < 5; ++i) world->login.password(other, "nobody", "wrong", visitor);
  EXPECT_EQ(world->login.password(other, "NOBODY", "wrong", visitor).verdict, Verdict::wait);
}

TEST_P(AuthenticationTest, WhoHasAFactorIsAskedForIt) {
  const std::string secret = add_totp();
  Interaction interaction = named();
  EXPECT_EQ(value_of(world->login.step(interaction)), LoginStep::factor);
  EXPECT_EQ(code_of(world->login.finish(interaction, false, visitor)), ErrorCode::denied);
  const auto choices = value_of(world->login.choices(interaction));
  ASSERT_EQ(choices.size(), 1u);
  EXPECT_EQ(choices[0].kind, FactorKind::totp);
  EXPECT_EQ(world->login.code(interaction, "", "000000", visitor).verdict, Verdict::refused);
  const LoginAnswer answer = world->login.code(interaction, choices[0].id, totp_now(secret), visitor);
  EXPECT_EQ(answer.verdict, Verdict::next);
  EXPECT_EQ(answer.step, LoginStep::done);
  const SignedIn signed_in = value_of(world->login.finish(interaction, false, visitor));
  EXPECT_EQ(signed_in.session.session.amr, "pwd otp mfa");
  EXPECT_TRUE(signed_in.session.session.mfa());
  // The same step is good for nobody any more.
  Interaction again = named();
  EXPECT_EQ(world->login.code(again, "", totp_now(secret), visitor).verdict, Verdict::refused);
  clock.advance(30s);
  EXPECT_EQ(world->login.code(again, "", totp_now(secret), visitor).verdict, Verdict::next);
}

// A gateway died after the sign-in was stored and before its answer was sent: the form comes again.
TEST_P(AuthenticationTest, ASignInWhoseAnswerWasLostIsDoneAnewAndAllOfIt) {
  const std::string secret = add_totp();
  auto begun = value_of(world->interactions.begin({.return_to = "/a", .request = "client_id=shop"}, browser));
  const auto found = [&] { return value_of(world->interactions.find(begun.interaction.id, begun.browser)).value(); };
  ASSERT_EQ(world->login.password(begun.interaction, "alice", kGood, visitor).verdict, Verdict::next);
  ASSERT_EQ(world->login.code(begun.interaction, "", totp_now(secret), visitor).step, LoginStep::done);
  ASSERT_TRUE(world->login.finish(begun.interaction, false, visitor));
  Interaction again = found();
  EXPECT_EQ(code_of(world->login.finish(again, false, visitor)), ErrorCode::conflict) << "not without a new proof";
  EXPECT_EQ(world->login.password(again, "alice", "wrong", visitor).verdict, Verdict::refused);
  const LoginAnswer answer = world->login.password(again, "alice", kGood, visitor);
  EXPECT_EQ(answer.verdict, Verdict::next);
  EXPECT_EQ(answer.step, LoginStep::factor) << "the factor of before counts no more";
  clock.advance(30s);
  ASSERT_EQ(world->login.code(again, "", totp_now(secret), visitor).step, LoginStep::done);
  EXPECT_EQ(value_of(world->login.finish(again, false, visitor)).session.session.amr, "pwd otp mfa");
  EXPECT_EQ(code_of(world->login.finish(again = found(), false, visitor)), ErrorCode::conflict) << "once";
}

TEST_P(AuthenticationTest, OneStepIsUsedByOneOfTwo) {
  const std::string secret = add_totp();
  for (int i = 0; i < 3; ++i) {
    clock.advance(60s);
    Interaction one = named(), two = named();
    std::atomic<int> right{0};
    const std::string code = totp_now(secret);
    std::thread first([&] { right += world->login.code(one, "", code, visitor).verdict == Verdict::next; });
    std::thread second([&] { right += world->login.code(two, "", code, visitor).verdict == Verdict::next; });
    first.join(), second.join();
    EXPECT_EQ(right, 1);
  }
}

TEST_P(AuthenticationTest, ASentCodeHasFiveTriesAndIsForOneInteraction) {
  const std::string mail = add_mail();
  Interaction interaction = named();
  ASSERT_EQ(value_of(world->login.choices(interaction))[0].hint, "a…@example.org");
  ASSERT_EQ(world->login.send_code(interaction, mail, visitor).verdict, Verdict::next);
  ASSERT_EQ(world->outbox.mails.size(), 1u);
  EXPECT_EQ(world->outbox.mails[0].to, "a@example.org");
  const std::string code = mailed_code();
  EXPECT_EQ(world->login.send_code(interaction, mail, visitor).verdict, Verdict::wait) << "not twice in 30 s";
  Interaction other = named();
  EXPECT_EQ(world->login.code(other, mail, code, visitor).verdict, Verdict::refused) << "another interaction";
  const std::string wrong = code == "000000" ? "000001" : "000000";
  Visitor elsewhere = visitor;  // from a known device, so that nothing but the tries is in the way
  const std::string device = value_of(world->devices.know(user->id, "", "", false));
  elsewhere.device_cookie = device;
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(world->login.code(interaction, mail, wrong, elsewhere).verdict, Verdict::refused);
  clock.advance(2s);
  EXPECT_EQ(world->login.code(interaction, mail, code, elsewhere).verdict, Verdict::refused) << "no tries left";
  clock.advance(30s);
  ASSERT_EQ(world->login.send_code(interaction, mail, elsewhere).verdict, Verdict::next);
  EXPECT_EQ(world->login.code(interaction, mail, mailed_code(), elsewhere).verdict, Verdict::next);
}

TEST_P(AuthenticationTest, OneSentCodeIsUsedByOneOfTwo) {
  const std::string mail = add_mail();
  Interaction interaction = named();
  ASSERT_EQ(world->login.send_code(interaction, mail, visitor).verdict, Verdict::next);
  std::atomic<int> right{0}, gone{0};
  const auto act = [&] {
    Interaction mine = interaction;
    const Verdict verdict = world->login.code(mine, mail, mailed_code(), visitor).verdict;
    right += verdict == Verdict::next;
    gone += verdict == Verdict::gone;
  };
  std::thread one(act), two(act);
  one.join(), two.join();
  EXPECT_EQ(right, 1);
  EXPECT_EQ(gone, 1);
}

TEST_P(AuthenticationTest, RecoveryCodesWorkOnceEach) {
  add_totp();
  Interaction proof = named();
  proof.factor_at_s = seconds_of(clock.wall());
  const auto codes = value_of(world->enrolment.new_recovery_codes(proof, visitor));
  ASSERT_EQ(codes.size(), 10u);
  Interaction interaction = named();
  EXPECT_EQ(world->login.code(interaction, "", codes[3], visitor).verdict, Verdict::next);
  EXPECT_THAT(world->outbox.mails.back().text, HasSubstr("left: 9"));
  Interaction again = named();
  EXPECT_EQ(world->login.code(again, "", codes[3], visitor).verdict, Verdict::refused);
  EXPECT_EQ(value_of(world->login.choices(again)).back().hint, "9");
  // A new set voids the old.
  const auto fresh = value_of(world->enrolment.new_recovery_codes(proof, visitor));
  EXPECT_EQ(world->login.code(again, "", codes[4], visitor).verdict, Verdict::refused);
  EXPECT_EQ(world->login.code(again, "", fresh[0], visitor).verdict, Verdict::next);
}

TEST_P(AuthenticationTest, ARememberedDeviceStandsInForOnesOwnFactorOnly) {
  const std::string secret = add_totp();
  Interaction interaction = named();
  ASSERT_EQ(world->login.code(interaction, "", totp_now(secret), visitor).verdict, Verdict::next);
  const SignedIn signed_in = value_of(world->login.finish(interaction, true, visitor));
  const std::string cookie = signed_in.set_cookies[1].substr(signed_in.set_cookies[1].find('=') + 1, 43);
  visitor.device_cookie = cookie;
  Interaction next = named();
  EXPECT_EQ(value_of(world->login.step(next)), LoginStep::done);
  EXPECT_FALSE(value_of(world->login.finish(next, true, visitor)).session.session.mfa()) << "and it is no proof";
  EXPECT_EQ(value_of(world->login.step(named(true))), LoginStep::factor) << "somebody demands one";
  clock.advance(world->devices.remember());
  EXPECT_EQ(value_of(world->login.step(named())), LoginStep::factor);
}

TEST_P(AuthenticationTest, StepUpProvesTheSamePerson) {
  const std::string secret = add_totp();
  const UserPtr bob = gateway->add("bob");
  expect_ok(world->passwords.set(bob->id, kGood));
  const auto before = value_of(world->sessions.start(user->id, {"pwd", false}, "", ""));
  visitor.session_cookie = before.token;
  Interaction interaction = begin(true);
  start_from_session(interaction, before.session);
  expect_ok(world->interactions.update(interaction));
  EXPECT_EQ(value_of(world->login.step(interaction)), LoginStep::factor) << "the password is not asked again";
  Interaction other = interaction;
  EXPECT_EQ(world->login.password(other, "bob", kGood, visitor).verdict, Verdict::refused);
  ASSERT_EQ(world->login.code(interaction, "", totp_now(secret), visitor).verdict, Verdict::next);
  const SignedIn after = value_of(world->login.finish(interaction, false, visitor));
  EXPECT_EQ(after.session.session.id, before.session.id);
  EXPECT_NE(after.session.token, before.token);
  EXPECT_EQ(after.session.session.amr, "pwd otp mfa");
  EXPECT_FALSE(value_of(world->sessions.find(before.token)));
}

// Whoever found a browser open must not give the account a second factor of his own.
TEST_P(AuthenticationTest, TheFirstFactorNeedsAFreshPassword) {
  const auto session = value_of(world->sessions.start(user->id, {"pwd", false}, "", ""));
  visitor.session_cookie = session.token;
  Interaction interaction = begin(true);
  start_from_session(interaction, session.session);
  EXPECT_EQ(value_of(world->login.step(interaction)), LoginStep::enrol);
  clock.advance(Authentication::kFreshPassword + 1s);
  EXPECT_EQ(value_of(world->login.step(interaction)), LoginStep::password);
  expect_ok(world->interactions.update(interaction));
  EXPECT_EQ(world->login.password(interaction, "alice", kGood, visitor).step, LoginStep::enrol);
}

TEST_P(AuthenticationTest, AnotherPersonsSessionEndsAndAnOldSignInIsAskedAgain) {
  const UserPtr bob = gateway->add("bob");
  const auto bobs = value_of(world->sessions.start(bob->id, {"pwd", false}, "", ""));
  visitor.session_cookie = bobs.token;
  Interaction interaction = named();
  const SignedIn mine = value_of(world->login.finish(interaction, false, visitor));
  EXPECT_FALSE(value_of(world->sessions.find(bobs.token)));
  clock.advance(100s);
  Interaction late = begin();
  late.auth_after_s = seconds_of(clock.wall());
  start_from_session(late, mine.session.session);
  EXPECT_EQ(value_of(world->login.step(late)), LoginStep::password);
  EXPECT_EQ(world->login.password(late, "alice", kGood, visitor).step, LoginStep::done);
}

TEST_P(AuthenticationTest, ANewDeviceIsTold) {
  Interaction first = named();
  const SignedIn one = value_of(world->login.finish(first, false, visitor));
  EXPECT_FALSE(one.new_device) << "the first of all";
  EXPECT_TRUE(world->outbox.mails.empty());
  Interaction second = named();
  const SignedIn two = value_of(world->login.finish(second, false, visitor));
  EXPECT_TRUE(two.new_device);
  EXPECT_THAT(world->outbox.mails.back().text, HasSubstr("Firefox on Linux"));
  const std::string cookie = two.set_cookies[1].substr(two.set_cookies[1].find('=') + 1, 43);
  visitor.device_cookie = cookie;
  Interaction third = named();
  EXPECT_FALSE(value_of(world->login.finish(third, false, visitor)).new_device);
}

TEST_P(AuthenticationTest, WhoMustHaveAFactorEnrolsOne) {
  Interaction interaction = named(true);
  EXPECT_EQ(value_of(world->login.step(interaction)), LoginStep::enrol);
  const auto totp = value_of(world->enrolment.begin_totp(interaction));
  EXPECT_TRUE(totp.uri.starts_with("otpauth://totp/"));
  EXPECT_EQ(world->enrolment.pending_totp(interaction)->secret, totp.secret);
  EXPECT_EQ(world->enrolment.confirm_totp(interaction, "000000", "Phone", visitor).verdict, Verdict::refused);
  const std::string code = totp_now(interaction.enrol_secret);
  const LoginAnswer answer = world->enrolment.confirm_totp(interaction, code, "Phone", visitor);
  EXPECT_EQ(answer.verdict, Verdict::next);
  EXPECT_EQ(answer.step, LoginStep::done);
  EXPECT_THAT(world->outbox.mails.back().text, HasSubstr("Phone"));
  EXPECT_EQ(value_of(world->login.finish(interaction, false, visitor)).session.session.amr, "pwd otp mfa");
  Interaction next = named();
  EXPECT_EQ(world->login.code(next, "", code, visitor).verdict, Verdict::refused) << "used up by the enrolment";
}

TEST_P(AuthenticationTest, EnrolmentNeedsAFreshProofOfWhatThereIs) {
  Interaction interaction = named();
  clock.advance(11min);
  EXPECT_EQ(code_of(world->enrolment.begin_totp(interaction)), ErrorCode::denied) << "too old";
  interaction = named();
  EXPECT_TRUE(world->enrolment.begin_totp(interaction));
  const std::string secret = add_totp();
  EXPECT_EQ(code_of(world->enrolment.begin_totp(interaction)), ErrorCode::denied) << "a password alone adds no second";
  EXPECT_EQ(code_of(world->enrolment.new_recovery_codes(interaction, visitor)), ErrorCode::denied);
  interaction = named();
  ASSERT_EQ(world->login.code(interaction, "", totp_now(secret), visitor).verdict, Verdict::next);
  EXPECT_TRUE(world->enrolment.begin_totp(interaction));
}

TEST_P(AuthenticationTest, AFactorThatIsSentIsEnrolledByItsCode) {
  Interaction interaction = named(true);
  EXPECT_EQ(code_of(world->enrolment.begin_code(interaction, FactorKind::sms, "abc", visitor)), ErrorCode::invalid);
  expect_ok(world->enrolment.begin_code(interaction, FactorKind::sms, "+49 30 1234567", visitor));
  ASSERT_EQ(world->outbox.messages.size(), 1u);
  EXPECT_EQ(world->outbox.messages[0].to, "+49301234567");
  EXPECT_EQ(world->enrolment.confirm_code(interaction, "nonsense", visitor).verdict, Verdict::refused);
  EXPECT_EQ(world->enrolment.confirm_code(interaction, world->outbox.messages[0].text.substr(0, 6), visitor).verdict,
            Verdict::next);
  EXPECT_EQ(interaction.amr, "pwd sms mfa");
  Interaction next = named();
  EXPECT_EQ(value_of(world->login.choices(next))[0].hint, "…4567");
  world->outbox.with_sms = false;
  EXPECT_EQ(value_of(world->login.step(next)), LoginStep::factor) << "the sender is gone, the demand is not";
  EXPECT_TRUE(value_of(world->login.choices(next)).empty());
}

TEST_P(AuthenticationTest, TheLastFactorStaysWhereOneIsDemanded) {
  const std::string secret = add_totp();
  Interaction interaction = named();
  ASSERT_EQ(world->login.code(interaction, "", totp_now(secret), visitor).verdict, Verdict::next);
  value_of(world->enrolment.new_recovery_codes(interaction, visitor));
  const std::string totp = value_of(world->login.choices(interaction))[0].id;
  EXPECT_EQ(code_of(world->enrolment.remove(interaction, totp, true, visitor)), ErrorCode::denied);
  EXPECT_EQ(code_of(world->enrolment.remove(interaction, "none", false, visitor)), ErrorCode::not_found);
  expect_ok(world->enrolment.remove(interaction, totp, false, visitor));
  EXPECT_TRUE(value_of(world->factors.of_user(user->id)).empty()) << "recovery codes go with it";
}

TEST_P(AuthenticationTest, WithoutAStoreEverythingAnswersUnavailable) {
  Interaction interaction = named();
  gateway->database.gone = true;
  EXPECT_EQ(world->login.password(interaction, "alice", kGood, visitor).verdict, Verdict::unavailable);
  EXPECT_EQ(world->login.code(interaction, "", "000000", visitor).verdict, Verdict::unavailable);
  EXPECT_FALSE(world->login.finish(interaction, false, visitor));
}

TEST_P(AuthenticationTest, EventsNameWhoAndHowAndNoSecret) {
  const std::string secret = add_totp();
  Interaction interaction = begin();
  world->login.password(interaction, "alice", "a wrong password", visitor);
  world->login.password(interaction, "s3cret typed as a name", "x", visitor);
  world->login.password(interaction, "alice", kGood, visitor);
  const std::string code = totp_now(secret);
  world->login.code(interaction, "", code, visitor);
  value_of(world->login.finish(interaction, false, visitor));
  std::string all;
  std::vector<std::string> actions;
  for (const AuditEvent& event : value_of(world->audit.list({}))) {
    actions.push_back(event.action);
    all += event.target + " ";
    for (const auto& [name, value] : event.details) all += name + "=" + value + " ";
  }
  EXPECT_THAT(actions, testing::UnorderedElementsAre("login.password", "login.password", "login.password",
                                                     "login.factor", "login.finish"));
  for (const std::string& secret_text :
       {std::string(kGood), std::string("wrong password"), std::string("s3cret"), code}) {
    EXPECT_EQ(all.find(secret_text), std::string::npos) << secret_text;
  }
}

// With messages of a software authenticator: tests/data/webauthn/make_vectors.py.
TEST_P(AuthenticationTest, APasskeyAnswersOneChallengeOfOnePurpose) {
  const auto text = value_of(read_file(GATEHOUSE_SOURCE_DIR "/tests/data/webauthn/vectors.json"));
  const auto vectors = codec::Json::parse(text, {.bytes_max = 1 << 20, .values_max = 8192});
  ASSERT_TRUE(vectors);
  const auto message = [&](std::string_view name) {
    for (const codec::Json& c : vectors->find("assertions")->items()) {
      if (c.find_string("name") == name) return std::string(c.find_string("message").value_or(""));
    }
    return std::string();
  };
  AuthenticationOptions here = options();
  here.rp_id = vectors->find_string("rp_id").value();
  here.origins = {std::string(vectors->find_string("origin").value())};
  Authentication login(world->parts, here);
  WebauthnCredential credential;
  credential.id = codec::base64url_decode(vectors->find_string("id").value()).value();
  credential.public_key = codec::base64url_decode(vectors->find("keys")->find_string("es256").value()).value();
  NewFactor factor{user->id, FactorKind::webauthn, "Key", SecretBytes(std::string_view(to_text(credential)))};
  factor.credential_id = credential.id;
  value_of(world->factors.add(factor));
  const auto challenged = [&](Interaction interaction, std::string_view purpose) {
    interaction.challenge = vectors->find_string("challenge").value();
    interaction.challenge_purpose = purpose;
    interaction.challenge_at_s = seconds_of(clock.wall());
    expect_ok(world->interactions.update(interaction));
    return interaction;
  };
  const std::string good = message("without handle");
  ASSERT_FALSE(good.empty());
  const auto verdict = [&](Interaction interaction, std::string_view answer) {
    return login.webauthn(interaction, answer, visitor).verdict;
  };
  EXPECT_EQ(verdict(named(), good), Verdict::refused) << "no challenge was given";
  EXPECT_EQ(verdict(challenged(named(), "enrol"), good), Verdict::refused) << "another purpose";
  EXPECT_EQ(verdict(challenged(named(), "login"), message("es256")), Verdict::refused) << "another user's handle";
  EXPECT_EQ(verdict(challenged(named(), "login"), "{}"), Verdict::refused);
  EXPECT_EQ(verdict(challenged(begin(), "passwordless"), good), Verdict::refused) << "nobody is named";
  EXPECT_EQ(verdict(challenged(begin(), "passwordless"), message("user unverified")), Verdict::refused);
  Interaction late = challenged(named(), "login");
  clock.advance(5min);
  EXPECT_EQ(verdict(late, good), Verdict::refused) << "too late";

  Interaction interaction = named();
  EXPECT_THAT(value_of(login.webauthn_options(interaction)), HasSubstr("allowCredentials"));
  interaction = challenged(interaction, "login");
  const Interaction at_once = interaction;
  const LoginAnswer answer = login.webauthn(interaction, good, visitor);
  EXPECT_EQ(answer.verdict, Verdict::next);
  EXPECT_EQ(answer.step, LoginStep::done);
  EXPECT_EQ(interaction.amr, "pwd hwk user mfa");
  EXPECT_EQ(verdict(at_once, good), Verdict::gone) << "the challenge is used up";
  EXPECT_EQ(verdict(challenged(named(), "login"), good), Verdict::refused) << "the counter did not rise";
}

GH_ON_EVERY_STORE(AuthenticationTest);

}  // namespace
}  // namespace gatehouse::identity
