// Signing in at the gateway, from the page to the page, and what others may try on the way.
#include <thread>

#include "gateway/login/login_testing.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

TEST_F(LoginTest, FromThePageToThePage) {
  const Asked first = ask({kNavigate}, "GET", "/orders", "page=2");
  EXPECT_EQ(first.decision.status, 303);
  EXPECT_EQ(first.decision.verdict, Verdict::answer);
  EXPECT_TRUE(first.decision.location.starts_with("https://login.example/authorize?response_type=code"));
  const auto sent = query_of(first.decision.location);
  EXPECT_EQ(sent.get("redirect_uri"), "https://shop.example/.gatehouse/callback");
  EXPECT_EQ(sent.get("code_challenge_method"), "S256");
  EXPECT_EQ(sent.get("client_id"), "gatehouse");
  EXPECT_NE(first.set_cookie.find("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600"), std::string::npos);
  const Begun begun{cookie_of(first.set_cookie), std::string(*sent.get("state")), std::string(*sent.get("nonce"))};
  provider_.answer = [&](const codec::Form& form) {
    EXPECT_EQ(form.get("grant_type"), "authorization_code");
    EXPECT_EQ(form.get("code"), "c1");
    // The verifier is the one of the challenge.
    EXPECT_EQ(codec::base64url_encode(crypto::as_text(crypto::sha256(*form.get("code_verifier")))),
              sent.get("code_challenge"));
    return FakeProvider::tokens(provider_.id_token(begun.nonce));
  };
  const LocalAnswer back = come_back(begun);
  EXPECT_EQ(back.status, 303) << back.reason;
  EXPECT_EQ(all(back, "location"), std::vector<std::string>{"https://shop.example/orders?page=2"});
  const auto cookies = all(back, "set-cookie");
  ASSERT_EQ(cookies.size(), 2u);
  EXPECT_TRUE(cookies[0].starts_with("__Host-gatehouse-session="));
  EXPECT_NE(cookies[1].find("Max-Age=0"), std::string::npos);

  const std::string session = cookie_of(cookies[0]);
  for (int i = 0; i < 2; ++i) {  // opened, then remembered
    const Asked again = ask({{"cookie", "a=1; " + session}});
    EXPECT_EQ(again.decision.verdict, Verdict::pass) << again.decision.reason;
    EXPECT_EQ(again.who().user, "ann");
    EXPECT_EQ(again.who().method, AuthMethod::session);
    ASSERT_EQ(again.who().roles.size(), 1u);
    EXPECT_EQ(again.who().roles[0], "staff");
    EXPECT_EQ(again.who().scopes.size(), 2u);
    EXPECT_FALSE(again.who().mfa);
    EXPECT_EQ(again.set_cookie, "");
  }
}

TEST_F(LoginTest, ProgramsGetA401AndNoCookie) {
  for (const Fields& fields : {Fields{}, Fields{{"accept", "application/json"}}, Fields{{"sec-fetch-mode", "cors"}},
                               Fields{{"sec-fetch-mode", "cors"}, {"accept", "text/html"}}}) {
    const Asked asked = ask(fields);
    EXPECT_EQ(asked.decision.status, 401);
    EXPECT_EQ(asked.decision.challenge, "Bearer");
    EXPECT_EQ(asked.set_cookie, "");
  }
  EXPECT_EQ(ask({kNavigate}, "POST").decision.status, 401);
  EXPECT_EQ(ask({{"accept", "text/html,application/xhtml+xml"}}).decision.status, 303);
}

TEST_F(LoginTest, AWrongCallbackSignsNobodyIn) {
  struct Case {
    const char* name;
    std::string query;
    int status;
    std::string_view reason;
  };
  const std::string iss = "&iss=https%3A%2F%2Flogin.example";
  for (const Case& c :
       {Case{"no issuer", "&code=c", 400, "login.issuer"},
        Case{"another issuer", "&code=c&iss=https%3A%2F%2Fevil.example", 400, "login.issuer"},
        Case{"two issuers", iss + iss + "&code=c", 400, "login.malformed"},
        Case{"no code", iss, 400, "login.malformed"}, Case{"two codes", iss + "&code=a&code=b", 400, "login.malformed"},
        Case{"an escape that is none", iss + "&code=%zz", 400, "login.malformed"},
        Case{"refused by the user", iss + "&error=access_denied", 403, "login.denied"},
        Case{"another error", iss + "&error=%3Cscript%3E", 502, "login.provider_error"}}) {
    provider_.answer = [](const codec::Form&) -> Result<TokenEndpoint::Answer> {
      ADD_FAILURE() << "the provider was asked";
      return fail(ErrorCode::internal, "");
    };
    const LocalAnswer answer = come_back(begin(), c.query);
    EXPECT_EQ(answer.status, c.status) << c.name;
    EXPECT_EQ(answer.reason, c.reason) << c.name;
    EXPECT_EQ(answer.body.find("<script>"), std::string::npos);
    for (const std::string& cookie : all(answer, "set-cookie"))
      EXPECT_EQ(cookie.find("-session="), std::string::npos) << c.name;
  }
}

TEST_F(LoginTest, StateBelongsToTheBrowserThatBeganAndWorksOnce) {
  const Begun begun = begin();
  provider_.answer = [&](const codec::Form&) { return FakeProvider::tokens(provider_.id_token(begun.nonce)); };
  EXPECT_EQ(call("GET", kCallbackPath, "state=" + begun.state + "&code=c", {}).reason, "login.state");
  Begun other = begin();
  std::swap(other.state, const_cast<std::string&>(begun.state));
  EXPECT_EQ(come_back(other).reason, "login.state");
  std::swap(other.state, const_cast<std::string&>(begun.state));
  EXPECT_EQ(come_back(begun, "&iss=https%3A%2F%2Flogin.example&code=c1", "admin.example").reason, "login.state");
  EXPECT_EQ(come_back(begun).status, 303);
  EXPECT_EQ(come_back(begun).reason, "login.state");  // replayed
  EXPECT_EQ(provider_.asked.size(), 1u);
  const Begun late = begin();
  clock_.advance(10min);
  EXPECT_EQ(come_back(late).reason, "login.state");
}

TEST_F(LoginTest, TabsDoNotDisturbEachOther) {
  const Begun one = begin("/one");
  const Begun two = begin("/two", {}, one.cookie);
  EXPECT_NE(one.cookie.substr(0, one.cookie.find('=')), two.cookie.substr(0, two.cookie.find('=')));
  const std::string both = one.cookie + "; " + two.cookie;
  for (const Begun* tab : {&two, &one}) {
    provider_.answer = [&](const codec::Form&) { return FakeProvider::tokens(provider_.id_token(tab->nonce)); };
    const LocalAnswer back = call(
        "GET", kCallbackPath, "state=" + tab->state + "&iss=https%3A%2F%2Flogin.example&code=c", {{"cookie", both}});
    EXPECT_EQ(all(back, "location").at(0), tab == &one ? "https://shop.example/one" : "https://shop.example/two");
  }
}

TEST_F(LoginTest, NobodyIsSentAnywhereElse) {
  for (const char* path : {"//evil.example/x", "/\\evil.example", "/@evil.example", "/%2F%2Fevil.example"}) {
    const Begun begun = begin(path);
    provider_.answer = [&](const codec::Form&) { return FakeProvider::tokens(provider_.id_token(begun.nonce)); };
    EXPECT_EQ(all(come_back(begun), "location").at(0), "https://shop.example" + std::string(path));
  }
}

TEST_F(LoginTest, AnIdTokenThatIsNotProvedSignsNobodyIn) {
  const crypto::SigningKey stranger = crypto::SigningKey::generate();
  struct Case {
    const char* name;
    std::function<std::string(const std::string& nonce)> token;
  };
  const Case cases[] = {
      {"another nonce", [&](const std::string&) { return provider_.id_token("other"); }},
      {"another audience", [&](const std::string& n) { return provider_.id_token(n, R"("a":1)", "shop"); }},
      {"another party", [&](const std::string& n) { return provider_.id_token(n, R"("azp":"shop")"); }},
      {"another access token", [&](const std::string& n) { return provider_.id_token(n, R"("at_hash":"AAAA")"); }},
      {"a stranger's",
       [&](const std::string& n) {
         return stranger.sign(
             fmt::format(R"({{"iss":"https://login.example","aud":"gatehouse","sub":"ann","exp":{},"nonce":"{}"}})",
                         provider_.now_s() + 300, n));
       }},
      {"an access token",
       [&](const std::string& n) {
         return provider_.key.sign(
             fmt::format(R"({{"iss":"https://login.example","aud":"gatehouse","sub":"ann","exp":{},"nonce":"{}"}})",
                         provider_.now_s() + 300, n),
             "at+jwt");
       }},
      {"none", [](const std::string&) { return std::string(); }},
  };
  for (const Case& c : cases) {
    const Begun begun = begin();
    provider_.answer = [&](const codec::Form&) { return FakeProvider::tokens(c.token(begun.nonce)); };
    const LocalAnswer answer = come_back(begun);
    EXPECT_EQ(answer.status, 403) << c.name;
    EXPECT_EQ(answer.reason, "login.not_proved") << c.name;
  }
  const std::string hash = codec::base64url_encode(crypto::as_text(crypto::sha256("at")).substr(0, 16));
  EXPECT_FALSE(sign_in(R"("at_hash":")" + hash + R"(")").empty());
}

TEST_F(LoginTest, AnotherSitesRequestsDoNothing) {
  const std::string session = sign_in();
  struct Case {
    const char* name;
    std::string_view method;
    Fields fields;
    bool passes;
  };
  const Case cases[] = {
      {"same origin", "POST", {{"sec-fetch-site", "same-origin"}}, true},
      {"the user", "DELETE", {{"sec-fetch-site", "none"}}, true},
      {"another site", "POST", {{"sec-fetch-site", "cross-site"}, {"origin", "https://shop.example"}}, false},
      {"a sister", "POST", {{"sec-fetch-site", "same-site"}}, false},
      {"equal origin", "PUT", {{"origin", "https://shop.example"}}, true},
      {"origin with port", "PUT", {{"origin", "https://shop.example:443"}}, true},
      {"plain origin", "PUT", {{"origin", "http://shop.example"}}, false},
      {"null", "POST", {{"origin", "null"}}, false},
      {"longer name", "POST", {{"origin", "https://shop.example.evil.example"}}, false},
      {"referer", "POST", {{"referer", "https://shop.example/page?x"}}, true},
      {"referer of another", "POST", {{"referer", "https://evil.example/https://shop.example/"}}, false},
      {"referer with a user", "POST", {{"referer", "https://shop.example@evil.example/"}}, false},
      {"nothing", "POST", {}, false},
      {"reading", "GET", {{"sec-fetch-site", "cross-site"}}, true},
      {"a socket of ours", "GET", {{"upgrade", "websocket"}, {"origin", "https://shop.example"}}, true},
      {"a socket of another", "GET", {{"upgrade", "websocket"}, {"origin", "https://evil.example"}}, false},
      {"a socket of nobody", "GET", {{"upgrade", "websocket"}, {"sec-fetch-site", "same-origin"}}, false},
  };
  for (const Case& c : cases) {
    Fields fields = c.fields;
    fields.emplace_back("cookie", session);
    const Asked asked = ask(fields, c.method);
    EXPECT_EQ(asked.decision.verdict == Verdict::pass, c.passes) << c.name << asked.decision.reason;
    if (c.passes) continue;
    EXPECT_EQ(asked.decision.reason, "auth.csrf") << c.name;
    EXPECT_EQ(asked.decision.status, 403);
    EXPECT_EQ(asked.who().user, "");
  }
}

TEST_F(LoginTest, ChangedAndForeignCookiesAreNone) {
  const std::string session = sign_in();
  const std::size_t from = session.find('=') + 1;
  for (std::size_t at = from; at < session.size(); at += 7) {
    std::string changed = session;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    EXPECT_EQ(ask({{"cookie", changed}}).decision.status, 401);
  }
  for (std::size_t size = from; size < session.size(); size += 11)
    EXPECT_EQ(ask({{"cookie", session.substr(0, size)}}).decision.status, 401);
  EXPECT_EQ(ask({{"cookie", session + "; " + session}}).decision.status, 401);  // which is ours?
  // An attempt is no session, though the same keys sealed it.
  const Begun begun = begin();
  EXPECT_EQ(
      ask({{"cookie", std::string(kSessionCookie) + begun.cookie.substr(begun.cookie.find('='))}}).decision.status,
      401);
  EXPECT_EQ(ask({{"cookie", session}}).decision.verdict, Verdict::pass);
  sealer_ = std::make_unique<CookieSealer>(cookie_keys({{1, 'o'}}), 1);  // another deployment
  make();
  EXPECT_EQ(ask({{"cookie", session}}).decision.status, 401);
}

TEST_F(LoginTest, ASecondFactorIsAskedForInPlace) {
  config_.routes[0].access.mfa = true;
  config_.routes[0].access.mfa_max_age = 5min;
  const std::string one_factor = sign_in();
  EXPECT_TRUE(one_factor.empty() == false);
  const Asked program = ask({{"cookie", one_factor}});
  EXPECT_EQ(program.decision.status, 401);
  EXPECT_EQ(program.decision.challenge,
            "Bearer error=\"insufficient_user_authentication\", acr_values=\"urn:gatehouse:acr:mfa\", max_age=\"300\"");
  const Asked page = ask({{"cookie", one_factor}, kNavigate});
  EXPECT_EQ(page.decision.status, 303);
  const auto sent = query_of(page.decision.location);
  EXPECT_EQ(sent.get("acr_values"), "urn:gatehouse:acr:mfa");
  EXPECT_EQ(sent.get("max_age"), "300");
  const Begun begun{cookie_of(page.set_cookie), std::string(*sent.get("state")), std::string(*sent.get("nonce"))};
  // A provider that does not ask for it, or does not say when, must not send the browser around in circles.
  provider_.answer = [&](const codec::Form&) { return FakeProvider::tokens(provider_.id_token(begun.nonce)); };
  EXPECT_EQ(come_back(begun).reason, "login.mfa");
  const std::string two_factors = sign_in(R"("amr":["pwd","otp","mfa"])");
  EXPECT_EQ(ask({{"cookie", two_factors}}).decision.verdict, Verdict::pass);
  clock_.advance(5min + 1s);
  EXPECT_EQ(ask({{"cookie", two_factors}, kNavigate}).decision.reason, "access.mfa_age");
}

TEST_F(LoginTest, LogoutEndsTheSessionHereAndAtTheProvider) {
  const std::string session = sign_in();
  const LocalAnswer question = call("GET", "/.gatehouse/logout", {}, {{"cookie", session}});
  EXPECT_EQ(question.status, 200);
  EXPECT_NE(question.body.find("<form method=\"post\" action=\"/.gatehouse/logout\">"), std::string::npos);
  EXPECT_EQ(call("POST", "/.gatehouse/logout", {}, {{"cookie", session}, {"sec-fetch-site", "cross-site"}}).status,
            403);
  EXPECT_EQ(call("POST", "/.gatehouse/logout", {}, {{"cookie", session}}).status, 403);
  EXPECT_EQ(ask({{"cookie", session}}).decision.verdict, Verdict::pass);
  const LocalAnswer out =
      call("POST", "/.gatehouse/logout", {}, {{"cookie", session}, {"sec-fetch-site", "same-origin"}});
  EXPECT_EQ(out.status, 303);
  EXPECT_EQ(query_of(all(out, "location").at(0)).get("post_logout_redirect_uri"), "https://shop.example/");
  EXPECT_EQ(revoked_.ended, std::vector<std::string>{"s-1/ann"});
  revoked_.ids.clear();
  EXPECT_EQ(ask({{"cookie", session}}).decision.reason, "auth.session_over");  // a copy that somebody kept
}

TEST_F(LoginTest, TheProviderEndsSessions) {
  const auto token = [&](std::string_view more, std::string_view type = "logout+jwt") {
    return "logout_token=" +
           provider_.key.sign(
               fmt::format(R"({{"iss":"https://login.example","aud":"gatehouse","iat":{},"exp":{},"jti":"j",{}}})",
                           provider_.now_s(), provider_.now_s() + 120, more),
               type);
  };
  const auto tell = [&](const std::string& body) {
    return call("POST", "/.gatehouse/backchannel-logout", {}, {}, "shop.example", body).status;
  };
  const std::string events = R"("events":{"http://schemas.openid.net/event/backchannel-logout":{}})";
  const std::string session = sign_in();
  for (const char* bad : {"", "logout_token=x"}) EXPECT_EQ(tell(bad), 400) << bad;
  EXPECT_EQ(tell(token(R"("sid":"s-1")")), 400);
  EXPECT_EQ(tell(token(events)), 400);
  EXPECT_EQ(tell(token(events + R"(,"sid":"s-1","nonce":"n")")), 400);
  EXPECT_EQ(tell(token(events + R"(,"sid":"s-1")", "at+jwt")), 400);
  EXPECT_EQ(tell(token(R"("sid":"s-1")", "JWT")), 400) << "an ID token is none";
  EXPECT_EQ(tell(token(events + R"(,"sid":"s-1","nonce":"n")", "JWT")), 400);
  EXPECT_EQ(tell(token(events + R"(,"sid":"s-2")", "JWT")), 200) << "the older type is allowed";
  EXPECT_EQ(ask({{"cookie", session}}).decision.verdict, Verdict::pass);
  EXPECT_EQ(tell(token(events + R"(,"sid":"s-1")")), 200);
  EXPECT_EQ(ask({{"cookie", session}}).decision.reason, "auth.session_over");
}

// A store that is gone must not keep anybody signed in here.
TEST_F(LoginTest, LogoutWithoutAStoreHoldsInThisProcess) {
  const std::string session = sign_in();
  revoked_.unavailable = true;
  call("POST", "/.gatehouse/logout", {}, {{"cookie", session}, {"sec-fetch-site", "same-origin"}});
  EXPECT_EQ(ask({{"cookie", session}}).decision.reason, "auth.session_over");
}

TEST_F(LoginTest, ASessionThatIsOverEndsNothingMore) {
  const std::string session = sign_in();
  const auto out = [&] {
    return call("POST", "/.gatehouse/logout", {}, {{"cookie", session}, {"sec-fetch-site", "same-origin"}});
  };
  out();
  EXPECT_EQ(out().status, 303);
  EXPECT_EQ(revoked_.ended.size(), 1u) << "or one cookie could fill the store";
}

TEST_F(LoginTest, AnotherProvidersSessionsAreNone) {
  const std::string session = sign_in();
  config_.login.issuer = "https://other.example";
  make();
  EXPECT_EQ(ask({{"cookie", session}}).decision.status, 401);
}

TEST_F(LoginTest, ScopesAndRolesThatAProviderDoesNotRepeatStay) {
  config_.login.issuer = "https://login.example";
  make();
  const Begun begun = begin();
  provider_.answer = [&](const codec::Form&) {
    return TokenEndpoint::Answer{200, fmt::format(R"({{"access_token":"at","token_type":"Bearer","id_token":"{}",)"
                                                  R"("refresh_token":"r"}})",
                                                  provider_.id_token(begun.nonce))};
  };
  std::string session = cookie_of(all(come_back(begun), "set-cookie").at(0));
  EXPECT_EQ(ask({{"cookie", session}}).who().scopes.size(), 1u) << "what was asked for (RFC 6749 5.1)";
  provider_.answer = [&](const codec::Form&) {
    const std::string token = provider_.key.sign(
        fmt::format(R"({{"iss":"https://login.example","aud":"gatehouse","sub":"ann","iat":{},"exp":{}}})",
                    provider_.now_s(), provider_.now_s() + 300));
    return FakeProvider::tokens(token, "r2");
  };
  clock_.advance(3min);
  ask({{"cookie", session}});
  finish_renewals();
  const Asked renewed = ask({{"cookie", session}});
  ASSERT_FALSE(renewed.set_cookie.empty());
  ASSERT_EQ(renewed.who().roles.size(), 1u);
  EXPECT_EQ(renewed.who().roles[0], "staff");
}

TEST_F(LoginTest, OurOwnProvidersLogoutEndsOnThisHost) {
  auto made = std::make_shared<ProviderMetadata>(*provider_.metadata);
  made->end_session_endpoint.clear();
  provider_.metadata = made;
  const std::string session = sign_in();
  const LocalAnswer out =
      call("POST", "/.gatehouse/logout", {}, {{"cookie", session}, {"sec-fetch-site", "same-origin"}});
  EXPECT_EQ(all(out, "location").at(0), "/.gatehouse/signed-out");
  EXPECT_EQ(call("GET", "/.gatehouse/signed-out", {}, {}).status, 200);
}

TEST_F(LoginTest, AScriptLearnsWhoIsSignedIn) {
  EXPECT_EQ(call("GET", "/.gatehouse/session", {}, {}).status, 401);
  const std::string session = sign_in();
  const LocalAnswer answer = call("GET", "/.gatehouse/session", {}, {{"cookie", session}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body.substr(0, 45), R"({"user":"ann","roles":["staff"],"scopes":["op)");
  EXPECT_EQ(all(answer, "cache-control").at(0), "no-store");
  EXPECT_EQ(call("GET", "/.gatehouse/session", {}, {{"cookie", session}}, "other.example").status, 401);
  revoked_.ids = {"s-1"};
  EXPECT_EQ(call("GET", "/.gatehouse/session", {}, {{"cookie", session}}).status, 401);
}

TEST_F(LoginTest, APageBeginsALoginByItself) {
  const LocalAnswer begun = call("GET", "/.gatehouse/login", "return_to=%2Fcart%3Fitem%3D1&mfa=1", {});
  EXPECT_EQ(begun.status, 303);
  const auto sent = query_of(all(begun, "location").at(0));
  EXPECT_EQ(sent.get("acr_values"), "urn:gatehouse:acr:mfa");
  provider_.answer = [&](const codec::Form&) {
    return FakeProvider::tokens(provider_.id_token(*sent.get("nonce"), R"("amr":["pwd","otp","mfa"])"));
  };
  const Begun attempt{cookie_of(all(begun, "set-cookie").at(0)), std::string(*sent.get("state")), ""};
  EXPECT_EQ(all(come_back(attempt), "location").at(0), "https://shop.example/cart?item=1");
  for (const std::string_view bad : {"return_to=https://evil.example/", "return_to=%2F%5Cevil.example",
                                     "return_to=", "return_to=%2F%0d%0aset-cookie:x", "return_to=/&return_to=/x",
                                     "return_to=%2F%23x", "return_to=%2F.gatehouse%2Flogin"}) {
    EXPECT_EQ(call("GET", "/.gatehouse/login", bad, {}).status, 400) << bad;
  }
  EXPECT_EQ(call("POST", "/.gatehouse/login", {}, {}).status, 405);
  provider_.metadata = nullptr;
  EXPECT_EQ(call("GET", "/.gatehouse/login", {}, {}).status, 503);
}

TEST_F(LoginTest, RevokedSessionsAreOverAtOnce) {
  const std::string session = sign_in();
  EXPECT_EQ(ask({{"cookie", session}}).decision.verdict, Verdict::pass);
  revoked_.ids = {"s-1"};
  const Asked asked = ask({{"cookie", session}});
  EXPECT_EQ(asked.decision.status, 401);
  EXPECT_NE(asked.set_cookie.find("Max-Age=0"), std::string::npos);
  EXPECT_EQ(asked.who().user, "");
}

TEST_F(LoginTest, ARenewalRunsBesideTheRequestsAndALaterAnswerBringsTheCookie) {
  const std::string session = sign_in();
  clock_.advance(3min);
  provider_.answer = [&](const codec::Form& form) {
    EXPECT_EQ(form.get("grant_type"), "refresh_token");
    EXPECT_EQ(form.get("refresh_token"), "refresh-1");
    return FakeProvider::tokens(provider_.id_token("", R"("amr":["pwd"])"), "refresh-2");
  };
  const Asked now = ask({{"cookie", session}});
  EXPECT_EQ(now.decision.verdict, Verdict::pass);
  finish_renewals();
  const std::size_t asked = provider_.asked.size();
  const Asked later = ask({{"cookie", session}});
  EXPECT_EQ(later.decision.verdict, Verdict::pass);
  EXPECT_TRUE(later.set_cookie.starts_with("__Host-gatehouse-session="));
  const std::string newer = cookie_of(later.set_cookie);
  EXPECT_NE(newer, session);
  EXPECT_EQ(ask({{"cookie", newer}}).set_cookie, "");
  EXPECT_EQ(logins_->read_session(newer.substr(newer.find('=') + 1), "shop.example")->refresh_token, "refresh-2");
  EXPECT_EQ(provider_.asked.size(), asked);
  EXPECT_EQ(asked, 2u);
}

// A cache in front of us would hand one person's session to the next.
TEST_F(LoginTest, AnAnswerWithASessionIsNotStored) {
  const std::string session = sign_in();
  SampleRequest sample(config_, clock_);
  http::ResponseHead head;
  head.status = 200;
  head.fields.add("cache-control", "public, max-age=3600");
  authentication_->on_response(sample.request, head);
  EXPECT_EQ(head.fields.get("cache-control"), "public, max-age=3600");
  sample.request.set_cookie = session;
  authentication_->on_response(sample.request, head);
  EXPECT_EQ(head.fields.get("cache-control"), "no-store");
  EXPECT_EQ(head.fields.count("cache-control"), 1u);
}

TEST_F(LoginTest, ARefusedRenewalEndsTheSessionAndASilentProviderDoesNot) {
  const std::string one = sign_in(), two = sign_in();
  clock_.advance(3min);
  provider_.answer = [](const codec::Form&) { return TokenEndpoint::Answer{400, R"({"error":"invalid_grant"})"}; };
  ask({{"cookie", one}});  // orders the renewal, which may be done before this request is
  finish_renewals();
  EXPECT_EQ(ask({{"cookie", one}}).decision.reason, "auth.session_over");
  pool_ = std::make_unique<net::WorkerPool>("test", 1, 8);
  const std::string three = two;
  make();
  provider_.answer = [](const codec::Form&) { return TokenEndpoint::Answer{503, ""}; };
  EXPECT_EQ(ask({{"cookie", three}}).decision.verdict, Verdict::pass);
  finish_renewals();
  EXPECT_EQ(ask({{"cookie", three}}).decision.verdict, Verdict::pass);
}

TEST_F(LoginTest, AProviderThatIsGoneEndsNobodysSession) {
  std::string session = sign_in();  // from here on it answers 503
  for (int i = 0; i < 5; ++i) {     // ten minutes each, in all more than the idle time
    clock_.advance(10min);
    Asked asked = ask({{"cookie", session}});
    for (int tries = 0; tries < 400 && asked.set_cookie.empty(); ++tries) {
      std::this_thread::sleep_for(5ms);
      asked = ask({{"cookie", session}});
    }
    ASSERT_EQ(asked.decision.verdict, Verdict::pass) << i;
    ASSERT_FALSE(asked.set_cookie.empty()) << i;
    session = cookie_of(asked.set_cookie);
  }
}

TEST_F(LoginTest, IdleAndAbsoluteLimitsHold) {
  const std::string idle = sign_in();
  clock_.advance(30min - 1s);
  EXPECT_NE(ask({{"cookie", idle}}).decision.reason, "auth.session_over");
  clock_.advance(1s);
  EXPECT_EQ(ask({{"cookie", idle}}).decision.reason, "auth.session_over");
}

TEST(LoginCookies, EveryCutIsRefused) {
  LoginSession session;
  session.id = "i", session.user = "u", session.roles = {"a", ""}, session.mfa = true, session.refresh_token = "r";
  session.authenticated = WallTime(1'750'000'000s);
  const std::string bytes = encode(session);
  const auto read = decode_session(bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->roles, session.roles);
  EXPECT_EQ(read->authenticated, session.authenticated);
  EXPECT_TRUE(read->mfa);
  EXPECT_EQ(read->refresh_token, "r");
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_session(bytes.substr(0, size))) << size;
  EXPECT_FALSE(decode_session(bytes + "x"));
}

TEST(LoginCookies, OursGoToNobody) {
  EXPECT_FALSE(without_own_cookies("a=1; b=2"));
  EXPECT_EQ(without_own_cookies("a=1; __Host-gatehouse-session=x;b=2;  __Host-gatehouse-login-a=y"), "a=1; b=2");
  EXPECT_EQ(without_own_cookies("__Host-gatehouse-session=x"), "");
}

}  // namespace
}  // namespace gatehouse::gateway
