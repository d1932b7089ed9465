// The pages' handlers over a real store: a browser of cookies and forms, without script.

#include "identity/pages/pages.h"

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <regex>

#include "codec/base32.h"
#include "codec/form.h"
#include "identity/delivery_testing.h"
#include "identity/factors/totp.h"
#include "identity/identity_testing.h"
#include "identity/provider/clients.h"
#include "identity/provider/grants.h"
#include "identity/users/registration.h"

namespace gatehouse::identity {
namespace {

using testing::HasSubstr;
using testing::Not;
using Credentials = WebResponse::Credentials;
using Fields = std::map<std::string, std::string>;

constexpr std::string_view kGood = "correct horse battery staple";
constexpr std::string_view kIssuer = "https://login.example/id";

AuthenticationOptions login_options() {
  AuthenticationOptions o;
  o.issuer = kIssuer;
  o.rp_id = o.site = "login.example";
  o.origins = {"https://login.example"};
  return o;
}

class PagesTest : public StoreTest {
 protected:
  struct World {
    World(Gateway& g, OneKey& keyring, const Clock& clock)
        : revocations(g.database, clock),
          sessions(g.database, g.accounts, revocations, clock, {}),
          devices(g.database, clock),
          factors(g.database, keyring, clock),
          interactions(g.database, keyring, clock),
          form_tokens(keyring),
          tickets(g.database, keyring, g.accounts, clock),
          throttle(clock),
          audit(g.database, keyring, clock),
          passwords(g.accounts, keyring, BreachedList(), {{64, 1}, {}, 2, 16}),
          registration({g.database, g.accounts, passwords, sessions, devices, tickets, throttle, outbox, audit, clock},
                       {std::string(kIssuer), "login.example"}),
          parts{g.accounts,   passwords, throttle, factors, sessions, devices,
                interactions, outbox,    audit,    keyring, clock},
          login(parts, login_options()),
          enrolment(login, parts, login_options()),
          clients(g.database, clock),
          grants(g.database, revocations, clock),
          assets(store::value_of(Assets::load({}, "/id"))),
          pages({g.database, g.accounts, passwords, login, enrolment, registration, factors, sessions, devices,
                 interactions, form_tokens, clients, grants, outbox, audit, assets},
                {std::string(kIssuer), "login.example"}) {}
    Revocations revocations;
    Sessions sessions;
    Devices devices;
    EnrolledFactors factors;
    Interactions interactions;
    FormTokens form_tokens;
    Tickets tickets;
    Throttle throttle;
    Outbox outbox;
    AuditTrail audit;
    PasswordService passwords;
    Registration registration;
    AuthenticationParts parts;
    Authentication login;
    Enrolment enrolment;
    Clients clients;
    Grants grants;
    Assets assets;
    Pages pages;
  };
  void SetUp() override {
    StoreTest::SetUp();
    if (!gateway) return;
    world = std::make_unique<World>(*gateway, keyring, clock);
    user = gateway->add("alice");
    expect_ok(world->passwords.set(user->id, kGood));
  }

  struct Browser {
    Fields cookies;
    std::string place;  // below the issuer, of the last redirect
  };
  WebResponse send(Browser& browser, std::string_view method, std::string target, const std::string& body = {},
                   std::string_view fetch_site = "same-origin") {
    std::string cookies;
    for (const auto& [name, value] : browser.cookies) cookies += (cookies.empty() ? "" : "; ") + name + "=" + value;
    const std::size_t mark = target.find('?');
    const std::string path = target.substr(0, mark);
    const std::string query = mark == std::string::npos ? "" : target.substr(mark + 1);
    WebRequest request;
    request.method = method;
    request.path = path;
    request.query = query;
    request.body = body;
    request.cookie = cookies;
    request.user_agent = "Firefox/1 Linux";
    request.sec_fetch_site = fetch_site;
    request.client_ip = IpAddress::v4(0x0a000001);
    request.now = clock.wall();
    auto answer = world->pages.handle(request);
    if (!answer) {
      ADD_FAILURE() << "not ours: " << target;
      return {};
    }
    for (const auto& [name, value] : answer->fields) {
      if (name == "location") {
        EXPECT_TRUE(value.starts_with(kIssuer)) << value;
        browser.place = value.substr(std::min(kIssuer.size(), value.size()));
      }
      if (name != "set-cookie") continue;
      const std::size_t equals = value.find('=');
      browser.cookies[value.substr(0, equals)] = value.substr(equals + 1, value.find(';') - equals - 1);
    }
    EXPECT_TRUE(answer->status < 300 || answer->status == 303 || answer->status >= 400) << answer->status;
    return std::move(*answer);
  }
  WebResponse get(Browser& browser, const std::string& target) { return send(browser, "GET", target); }
  // The hidden field of the page's first form.
  static std::string field_of(const WebResponse& page, const std::string& name) {
    std::smatch match;
    const std::regex pattern("name=\"" + name + "\" value=\"([^\"]*)\"");
    return std::regex_search(page.body, match, pattern) ? match[1].str() : "";
  }
  WebResponse submit(Browser& browser, const WebResponse& page, const std::string& path, const Fields& typed,
                     std::string_view fetch_site = "same-origin") {
    codec::FormWriter form;
    form.add("csrf", field_of(page, "csrf"));
    for (const char* name : {"flow", "factor", "ticket"}) {
      const std::string value = field_of(page, name);
      if (!value.empty() && !typed.contains(name)) form.add(name, value);
    }
    for (const auto& [name, value] : typed) form.add(name, value);
    return send(browser, "POST", path, form.text(), fetch_site);
  }
  WebResponse log_in(Browser& browser, std::string password = std::string(kGood)) {
    get(browser, "/login");
    return submit(browser, get(browser, browser.place), "/login", {{"username", "alice"}, {"password", password}});
  }
  std::string add_totp() {
    const SecretBytes secret = new_totp_secret();
    store::value_of(world->factors.add({user->id, FactorKind::totp, "App", secret}));
    return std::string(secret.expose());
  }
  std::string totp_now(const std::string& secret) { return totp_code(secret, totp_step(clock.wall())); }

  UserPtr user;
  std::unique_ptr<World> world;
};

TEST_P(PagesTest, APasswordLeadsToTheAccount) {
  Browser browser;
  const WebResponse answer = log_in(browser);
  EXPECT_EQ(answer.status, 303);
  EXPECT_EQ(answer.credentials, Credentials::accepted);
  EXPECT_EQ(answer.user, user->id);
  EXPECT_EQ(browser.place, "/account");
  const WebResponse account = get(browser, "/account");
  EXPECT_EQ(account.status, 200);
  EXPECT_THAT(account.body, HasSubstr("Person alice"));
  EXPECT_THAT(account.body, HasSubstr("href=\"/id/account/factors\""));
  for (const char* path : {"/account/sessions", "/account/applications", "/account/factors", "/account/password",
                           "/account/profile", "/account/passkeys"})
    EXPECT_LT(get(browser, path).status, 400) << path;
}

TEST_P(PagesTest, AnUnknownNameAndAWrongPasswordLookAlike) {
  Browser one, two;
  const WebResponse wrong = log_in(one, "not it");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.credentials, Credentials::failed);
  get(two, "/login");
  const WebResponse unknown =
      submit(two, get(two, two.place), "/login", {{"username", "nobody"}, {"password", "not it"}});
  const auto without_values = [](std::string body) {
    return std::regex_replace(body, std::regex("(value|data-options)=\"[^\"]*\""), "");
  };
  EXPECT_EQ(without_values(wrong.body), without_values(unknown.body));
  EXPECT_EQ(wrong.status, unknown.status);
}

TEST_P(PagesTest, AFormOfAnotherPlaceDoesNothing) {
  Browser mine, theirs;
  get(mine, "/login");
  const WebResponse page = get(mine, mine.place);
  const Fields typed{{"username", "alice"}, {"password", std::string(kGood)}};
  EXPECT_EQ(submit(mine, page, "/login", typed, "cross-site").status, 403);
  EXPECT_EQ(submit(mine, {}, "/login", {{"flow", field_of(page, "flow")}}).status, 403);
  EXPECT_EQ(submit(theirs, page, "/login", typed).status, 400);
  get(theirs, "/login");
  EXPECT_EQ(submit(theirs, page, "/login", typed).status, 400);
  EXPECT_EQ(submit(mine, page, "/login", typed).status, 303);
}

TEST_P(PagesTest, FailuresHaveToWait) {
  Browser browser;
  WebResponse answer;
  for (int i = 0; i < 8 && answer.status != 429; ++i) answer = log_in(browser, "not it");
  ASSERT_EQ(answer.status, 429);
  EXPECT_THAT(answer.fields, testing::Contains(testing::Pair("retry-after", testing::_)));
  EXPECT_THAT(answer.body, HasSubstr("You can try again in"));
}

TEST_P(PagesTest, ASecondFactorIsAskedForAndMayBeRemembered) {
  const std::string secret = add_totp();
  Browser browser;
  log_in(browser);
  ASSERT_TRUE(browser.place.starts_with("/login/factor?flow="));
  EXPECT_FALSE(browser.cookies.contains("__Host-gatehouse-sso"));
  const WebResponse page = get(browser, browser.place);
  const WebResponse wrong = submit(browser, page, "/login/factor", {{"code", "000000"}});
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.credentials, Credentials::failed);
  const WebResponse right = submit(browser, page, "/login/factor", {{"code", totp_now(secret)}, {"remember", "1"}});
  EXPECT_EQ(right.status, 303);
  EXPECT_EQ(browser.place, "/account");
  browser.cookies.erase("__Host-gatehouse-sso");
  log_in(browser);
  EXPECT_EQ(browser.place, "/account") << "this browser is remembered";
}

TEST_P(PagesTest, ADemandedFactorBeginsWithTheProvedAddress) {
  Interaction wanted;
  wanted.return_to = "/authorize?flow={flow}";
  wanted.request = "client_id=shop";
  wanted.wants_factor = true;
  const auto begun = store::value_of(world->interactions.begin(wanted, ""));
  Browser browser;
  browser.cookies["__Host-gatehouse-browser"] = begun.browser;
  const std::string flow = "?flow=" + begun.interaction.id;
  submit(browser, get(browser, "/login" + flow), "/login", {{"username", "alice"}, {"password", std::string(kGood)}});
  EXPECT_EQ(browser.place, "/login/enrol" + flow);
  get(browser, "/login/enrol/totp" + flow);
  EXPECT_EQ(browser.place, "/login/enrol/email" + flow) << "whoever has the password only sets nothing else up";
  const WebResponse page = get(browser, browser.place);
  submit(browser, page, "/login/enrol/email", {{"address", "mallory@example.org"}});
  ASSERT_EQ(world->outbox.mails.size(), 1U);
  EXPECT_EQ(world->outbox.mails[0].to, "alice@example.org");
  const std::string code = world->outbox.mails[0].subject.substr(0, 6);
  submit(browser, get(browser, browser.place), "/login/enrol/email", {{"code", code}});
  ASSERT_TRUE(browser.place.starts_with("/authorize?flow=")) << browser.place;
  const auto onward = store::value_of(world->interactions.find(
      std::string_view(browser.place).substr(std::string_view("/authorize?flow=").size()), begun.browser));
  ASSERT_TRUE(onward);
  EXPECT_EQ(onward->request, "client_id=shop");
  EXPECT_TRUE(browser.cookies.contains("__Host-gatehouse-sso"));
}

TEST_P(PagesTest, AFactorIsAddedAndGoesOnlyWithAProofOfIt) {
  Browser browser;
  log_in(browser);
  submit(browser, get(browser, "/account/factors"), "/account/factors/add", {{"begin", "1"}});
  submit(browser, get(browser, browser.place), "/account/factors/add", {{"kind", "totp"}});
  const WebResponse page = get(browser, browser.place);
  EXPECT_THAT(page.body, HasSubstr("<svg"));
  std::smatch secret;
  ASSERT_TRUE(std::regex_search(page.body, secret, std::regex("id=\"secret\">([A-Z2-7 ]+)<")));
  EXPECT_EQ(submit(browser, page, "/account/factors/add/totp", {{"code", "12"}}).status, 400);
  std::string letters = secret[1];
  std::erase(letters, ' ');
  const auto raw = codec::base32_decode(letters);
  ASSERT_TRUE(raw);
  submit(browser, page, "/account/factors/add/totp", {{"code", totp_now(*raw)}, {"label", "<b>phone"}});
  EXPECT_EQ(browser.place, "/account/factors?done=factor");
  const WebResponse list = get(browser, browser.place);
  EXPECT_THAT(list.body, HasSubstr("&lt;b&gt;phone"));
  const auto factors = store::value_of(world->factors.of_user(user->id));
  ASSERT_EQ(factors.size(), 1U);
  // The session has proved no factor yet, and there is one now.
  submit(browser, list, "/account/factors/remove", {{"factor", factors[0].id}});
  EXPECT_TRUE(browser.place.starts_with("/login?flow=")) << browser.place;
  EXPECT_EQ(store::value_of(world->factors.of_user(user->id)).size(), 1U);
}

TEST_P(PagesTest, AnOldProofIsAskedForAgainOfTheSameUser) {
  Browser browser;
  log_in(browser);
  EXPECT_EQ(get(browser, "/account/password").status, 200);
  clock.advance(std::chrono::minutes(11));
  EXPECT_EQ(get(browser, "/account/password").status, 303);
  const WebResponse page = get(browser, browser.place);
  EXPECT_THAT(page.body, HasSubstr("readonly"));
  EXPECT_THAT(page.body, HasSubstr("fresh proof"));
  gateway->add("bob");
  const auto bob = store::value_of(gateway->accounts.find_by_username("bob"));
  expect_ok(world->passwords.set(bob->id, kGood));
  EXPECT_EQ(submit(browser, page, "/login", {{"username", "bob"}, {"password", std::string(kGood)}}).status, 400);
  submit(browser, page, "/login", {{"username", "alice"}, {"password", std::string(kGood)}});
  EXPECT_EQ(browser.place, "/account/password");
  EXPECT_EQ(get(browser, browser.place).status, 200);
}

TEST_P(PagesTest, SessionsEndWhereTheirOwnerSaysSo) {
  Browser here, there;
  log_in(here);
  log_in(there);
  submit(here, get(here, "/account/sessions"), "/account/sessions", {{"others", "1"}});
  EXPECT_EQ(get(there, "/account").status, 303);
  EXPECT_EQ(get(here, "/account").status, 200);
}

TEST_P(PagesTest, AResetSaysTheSameOfEverybody) {
  Browser browser;
  const WebResponse page = get(browser, "/reset");
  const WebResponse known = submit(browser, page, "/reset", {{"username", "alice"}});
  const WebResponse unknown = submit(browser, page, "/reset", {{"username", "nobody"}});
  EXPECT_EQ(known.body, unknown.body);
  ASSERT_EQ(world->outbox.mails.size(), 1U);
  const std::string& text = world->outbox.mails[0].text;
  const std::size_t at = text.find("/reset?ticket=");
  const std::string link = text.substr(at, text.find('\n', at) - at);
  const WebResponse form = get(browser, link);
  EXPECT_EQ(submit(browser, form, "/reset", {{"password", "short"}}).status, 400);
  EXPECT_EQ(submit(browser, form, "/reset", {{"password", "a wholly other passphrase"}}).status, 303);
  EXPECT_EQ(browser.place, "/account");
  EXPECT_EQ(get(browser, link).status, 400) << "good once";
}

TEST_P(PagesTest, AnInvitationEndsAtTheSignInMethods) {
  NewUser wanted;
  wanted.username = "carol";
  wanted.profile.email = "carol@example.org";
  const auto invited = store::value_of(world->registration.invite(wanted, "system"));
  Browser browser;
  const std::string link = invited.link.substr(kIssuer.size());
  const WebResponse form = get(browser, link);
  EXPECT_THAT(form.body, HasSubstr("value=\"carol\""));
  submit(browser, form, "/invite", {{"password", "a wholly other passphrase"}});
  EXPECT_EQ(browser.place, "/account/factors");
  EXPECT_EQ(get(browser, browser.place).status, 200);
}

TEST_P(PagesTest, WithoutTheStoreTheyAreOutOfOrder) {
  Browser browser;
  get(browser, "/login");
  const std::string login = browser.place;
  const WebResponse page = get(browser, login);
  gateway->database.gone = true;
  EXPECT_EQ(get(browser, login).status, 503);
  EXPECT_EQ(get(browser, "/login").status, 503);
  EXPECT_EQ(submit(browser, page, "/login", {{"username", "alice"}, {"password", std::string(kGood)}}).status, 503);
  gateway->database.gone = false;
}

TEST_P(PagesTest, WhatIsMalformedIsRefused) {
  Browser browser;
  EXPECT_EQ(get(browser, "/login?flow=%zz").status, 400);
  EXPECT_EQ(get(browser, "/login?flow=a&flow=b").status, 400);
  EXPECT_EQ(send(browser, "POST", "/login", std::string("username=\0", 10)).status, 400);
  EXPECT_EQ(send(browser, "DELETE", "/account").status, 405);
  EXPECT_EQ(get(browser, "/login/factor?flow=" + std::string(43, 'A')).status, 400);
  WebRequest other;
  other.method = "GET";
  other.path = "/loginx";
  EXPECT_FALSE(world->pages.handle(other));
}

GH_ON_EVERY_STORE(PagesTest);

}  // namespace
}  // namespace gatehouse::identity
