// Every page in both languages, with names that want to be markup. GATEHOUSE_PAGES_OUT=folder writes them there, for
// tests/pages to look at them in a browser.

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "codec/json_writer.h"
#include "identity/factors/qr_code.h"
#include "identity/pages/account_views.h"
#include "identity/pages/login_views.h"
#include "identity/pages/pages.h"
#include "identity/pages/screens.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kHostile =
    "\"><script>alert('x')</script><img src=x onerror=\"alert(1)\">&amp;\xC0\xBC{user}";

struct Names {
  std::string user = "anna.mueller", person = "Anna Müller", client = "Ledger & Sons", device = "Firefox on Linux",
              label = "Laptop", address = "a…@example.org";
};
Names hostile_names() {
  const std::string text(kHostile);
  return {text, text, text, text, text, text};
}

// What all pages are made of, in one language.
class Catalogue {
 public:
  Catalogue(const Site& site, Language language, Names names) : site_(site), words_(language), n_(std::move(names)) {
    user_.id = "01jd";
    user_.username = n_.user;
    user_.profile.name = n_.person;
    user_.profile.email = n_.address;
    user_.profile.phone_number = "+49301234567";
    user_.email_verified = true;
    client_.id = "ledger";
    client_.name = n_.client;
    client_.settings.redirect_uris = {"https://ledger.example/callback"};
    client_.settings.policy_uri = "https://ledger.example/privacy";
    client_.settings.tos_uri = "javascript:alert(1)";
    request_.accept_language = tag_of(language);
    request_.request_id = "01JDX3";
    sign_in();
    enrolment();
    account();
    links();
    provider();
  }
  const std::map<std::string, std::string>& pages() const { return pages_; }

 private:
  Alert wrong(Message message, std::string_view field) const {
    return {Alert::Tone::error, std::string(words_(message)), field};
  }
  void sign_in() {
    const std::vector<FederationButton> providers{{"work", n_.client}};
    LoginView login{.flow = "f", .csrf = "c", .can_reset = true, .passkey_options = R"({"challenge":"AAAA"})"};
    pages_["login"] = render_login(site_, words_, login);
    login.client_name = n_.client;
    login.username = n_.user;
    login.federation = &providers;
    login.alert = wrong(Message::login_wrong, "username");
    pages_["login-wrong"] = render_login(site_, words_, login);
    login.alert = Alert{Alert::Tone::error, words_(Message::login_wait, {{"duration", words_.duration(8)}}), {}};
    pages_["login-wait"] = render_login(site_, words_, login);
    login.same_user = true;
    login.alert.reset();
    pages_["step-up"] = render_login(site_, words_, login);

    const std::vector<FactorChoice> choices{{"1", FactorKind::webauthn, n_.label, ""},
                                            {"2", FactorKind::totp, n_.label, ""},
                                            {"3", FactorKind::email, "", n_.address},
                                            {"4", FactorKind::recovery, "", "7"}};
    const auto factor = [&](std::string_view name, std::string_view chosen, bool sent, std::optional<Alert> alert) {
      const FactorView view{.flow = "f",
                            .csrf = "c",
                            .username = n_.user,
                            .client_name = n_.client,
                            .choices = choices,
                            .chosen = chosen,
                            .sent = sent,
                            .passkey_options = R"({"challenge":"AAAA"})",
                            .remember_days = 30,
                            .alert = std::move(alert)};
      pages_[std::string(name)] = render_factor(site_, words_, view);
    };
    factor("factor-passkey", "1", false, std::nullopt);
    factor("factor-totp", "2", false, wrong(Message::code_wrong, "code"));
    factor("factor-email", "3", false, std::nullopt);
    factor("factor-email-sent", "3", true, std::nullopt);
    factor("factor-recovery", "4", false, std::nullopt);
  }
  void enrolment() {
    EnrolView view{.flow = "f", .csrf = "c", .base = "/account/factors/add", .user = n_.user};
    pages_["enrol"] = render_enrol_choice(site_, words_, view, {true, true, true, true});
    pages_["enrol-totp"] = render_enrol_totp(
        site_, words_, view, "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP",
        Html::trusted(*qr_code_svg("otpauth://totp/login.shop.example:anna?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
                                   "&issuer=login.shop.example",
                                   words_(Message::totp_qr_label))));
    pages_["enrol-passkey"] = render_enrol_webauthn(site_, words_, view, R"({"challenge":"AAAA"})");
    pages_["enrol-sms"] = render_enrol_address(site_, words_, view, FactorKind::sms, "+49301234567", false);
    pages_["enrol-email-code"] = render_enrol_code(site_, words_, view, FactorKind::email, n_.address);
    view.demanded = true;
    view.base = "/login/enrol";
    pages_["enrol-demanded"] = render_enrol_choice(site_, words_, view, {true, true, false, false});
    view.alert = wrong(Message::email_wrong, "address");
    pages_["enrol-email-first"] = render_enrol_address(site_, words_, view, FactorKind::email, n_.address, true);
    pages_["recovery-codes"] = render_recovery_codes(
        site_, words_, n_.user, {"aaaa-bbbb-cccc", "dddd-eeee-ffff", "gggg-hhhh-iiii", "jjjj-kkkk-llll"},
        "/account/factors");
  }
  void account() {
    AccountView view{user_, "c"};
    pages_["account"] = render_account(site_, words_, view, {2, 0, 1});
    Session here, there;
    here.id = "s1";
    there.id = "s2";
    here.device = there.device = n_.device;
    here.client_ip = there.client_ip = "2001:db8::17";
    here.created_s = there.created_s = here.seen_s = there.seen_s = 1795937220;
    here.factor_s = 1795937220;
    pages_["sessions"] = render_sessions(site_, words_, view, {here, there}, "s1");
    std::vector<Factor> factors(3);
    factors[0].kind = FactorKind::webauthn;
    factors[2].kind = FactorKind::recovery;
    for (Factor& factor : factors) {
      factor.id = "01jf";
      factor.created_s = factor.used_s = 1795937220;
    }
    factors[0].label = n_.label;
    pages_["factors-none"] = render_factors(site_, words_, view, {});
    pages_["factors"] = render_factors(site_, words_, view, factors);
    pages_["rename"] = render_rename(site_, words_, view, factors[0]);
    pages_["applications"] = render_applications(
        site_, words_, view,
        {{"ledger", n_.client, "ledger.example", {"openid", "email", n_.label, "resource:" + n_.label}, 1795937220}});
    pages_["applications-none"] = render_applications(site_, words_, view, {});
    pages_["logins"] = render_logins(site_, words_, view, {{n_.client, "https://a.example", n_.label, 1795937220}},
                                     {{"work", n_.client}});
    pages_["logins-none"] = render_logins(site_, words_, view, {}, {});
    view.alert = wrong(Message::password_breached, "password");
    pages_["password"] = render_password(site_, words_, view, 8);
    view.alert = Alert{Alert::Tone::success, std::string(words_(Message::done_profile)), {}};
    pages_["profile"] = render_profile(site_, words_, view, user_.profile);
  }
  void links() {
    pages_["reset"] = render_reset_request(site_, words_, "c", n_.user, wrong(Message::username_missing, "username"));
    NewPasswordView view{.path = "/invite",
                         .ticket = "t",
                         .csrf = "c",
                         .username = n_.user,
                         .title = Message::title_invite,
                         .text = Message::invite_text,
                         .submit = Message::invite_submit};
    pages_["invite"] = render_new_password(site_, words_, view);
    view.path = "/first-admin";
    view.choose_name = true;
    view.email = n_.address;
    view.title = Message::title_first_admin;
    view.text = Message::first_admin_text;
    view.submit = Message::first_admin_submit;
    view.alert = wrong(Message::username_taken, "username");
    pages_["first-admin"] = render_new_password(site_, words_, view);
    pages_["verify-email"] = render_verify_email(site_, words_, "c", "t", n_.address);
    pages_["expired"] = render_notice(site_, words_,
                                      {.title = Message::title_expired,
                                       .text = std::string(words_(Message::flow_gone_text)),
                                       .path = "/login",
                                       .link = Message::to_login,
                                       .request_id = n_.label});
  }
  void provider() {
    PageScreens screens(site_);
    const std::vector<std::string> scopes{"openid", "profile", "email", "offline_access", n_.label};
    pages_["consent"] = screens.consent(request_, {client_, n_.user, scopes, "f", "c", ""}).body;
    const auto device = [&](std::string_view name, DeviceScreen::State state) {
      pages_[std::string(name)] = screens.device(request_, {state, "WDJB-MJHT", &client_, &scopes, n_.user, "c"}).body;
    };
    device("device", DeviceScreen::State::ask_code);
    device("device-wrong", DeviceScreen::State::wrong_code);
    device("device-confirm", DeviceScreen::State::confirm);
    device("device-allowed", DeviceScreen::State::allowed);
    device("device-denied", DeviceScreen::State::denied);
    pages_["logout"] = screens.confirm_logout(request_, {n_.user, "c", {{"state", n_.label}, {"csrf", "old"}}}).body;
    pages_["signed-out"] = screens.signed_out(request_).body;
    pages_["error"] = screens.error(request_, 400, "invalid_request", n_.label).body;
    pages_["unavailable"] = screens.error(request_, 503, "temporarily_unavailable", n_.label).body;
  }

  const Site& site_;
  Words words_;
  Names n_;
  User user_;
  Client client_;
  WebRequest request_;
  std::map<std::string, std::string> pages_;
};

// The tags of a document with their attributes, read as a browser does where all attributes are quoted; fails the test
// where something is not well-formed.
struct Tag {
  std::string name;
  std::map<std::string, std::string> attributes;
};
std::vector<Tag> tags_of(const std::string& page) {
  std::vector<Tag> tags;
  std::vector<std::string> open;
  const std::set<std::string> empty{"meta", "link", "input", "img"};
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at)) {
    if (page.compare(at, 15, "<!doctype html>") == 0) {
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    const auto name_end = page.find_first_of(" />\n", end + 1);
    Tag tag{page.substr(end, name_end - end), {}};
    end = name_end;
    while (page[end] != '>' && page.compare(end, 2, "/>") != 0) {
      end = page.find_first_not_of(" \n", end);
      if (page[end] == '>' || page[end] == '/') continue;
      const std::size_t stop = page.find_first_of("= >", end);
      std::string name = page.substr(end, stop - end), value;
      end = stop;
      if (page[stop] == '=') {
        EXPECT_EQ(page[stop + 1], '"') << "an attribute without quotes: " << page.substr(at, 80);
        const std::size_t quote = page.find('"', stop + 2);
        value = page.substr(stop + 2, quote - stop - 2);
        end = quote + 1;
      }
      EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyzB-"), std::string::npos) << name;
      EXPECT_TRUE(tag.attributes.emplace(name, value).second) << name << " twice in " << page.substr(at, 80);
    }
    if (tag.name.starts_with('/')) {
      EXPECT_FALSE(open.empty());
      if (!open.empty()) {
        EXPECT_EQ("/" + open.back(), tag.name) << page.substr(at > 200 ? at - 200 : 0, 260);
        open.pop_back();
      }
    } else {
      if (!empty.contains(tag.name) && page[end] != '/') open.push_back(tag.name);
      tags.push_back(std::move(tag));
    }
    at = end;
  }
  EXPECT_TRUE(open.empty());
  return tags;
}

void check_page(const std::string& name, const std::string& page, std::string_view base) {
  SCOPED_TRACE(name);
  std::set<std::string> ids, labelled;
  std::vector<std::string> fields;
  std::size_t headings = 0, mains = 0;
  for (const Tag& tag : tags_of(page)) {
    const auto get = [&](const char* attribute) {
      const auto found = tag.attributes.find(attribute);
      return found == tag.attributes.end() ? std::string() : found->second;
    };
    if (const std::string id = get("id"); !id.empty()) {
      EXPECT_TRUE(ids.insert(id).second) << "the id " << id << " twice";
    }
    for (const auto& [attribute, value] : tag.attributes) {
      EXPECT_FALSE(attribute.starts_with("on")) << attribute;
      EXPECT_NE(attribute, "style");
    }
    std::string place = get("src") + get("action");
    if (tag.name == "a") place = get("href");
    if (!place.empty() && !place.starts_with("#") && !place.starts_with("https://ledger.example/")) {
      EXPECT_TRUE(place.starts_with(std::string(base) + "/")) << place;
    }
    if (tag.name == "input" && get("type") != "hidden") fields.push_back(get("id"));
    if (tag.name == "label") labelled.insert(get("for"));
    headings += tag.name == "h1";
    mains += tag.name == "main";
  }
  EXPECT_EQ(headings, 1U);
  EXPECT_EQ(mains, 1U);
  for (const std::string& field : fields) EXPECT_TRUE(labelled.contains(field)) << field << " has no label";
}

TEST(Views, EveryPageIsWellFormedWhateverNamesSay) {
  const auto assets = Assets::load({}, "/login");
  ASSERT_TRUE(assets);
  const Site site{*assets, "/login", std::string(kHostile)};
  for (const Language language : kLanguages) {
    const Catalogue catalogue(site, language, hostile_names());
    EXPECT_GT(catalogue.pages().size(), 35U);
    for (const auto& [name, page] : catalogue.pages()) {
      check_page(name, page, "/login");
      EXPECT_EQ(page.find("<script>"), std::string::npos) << name;
      EXPECT_EQ(page.find("<img"), std::string::npos) << name;
    }
  }
}

TEST(Views, EveryPageIsInItsLanguage) {
  const auto assets = Assets::load({}, "");
  const Site site{*assets, "", "login.shop.example"};
  const Catalogue german(site, Language::german, {}), english(site, Language::english, {});
  for (const auto& [name, page] : german.pages()) {
    EXPECT_NE(page.find("<html lang=\"de\">"), std::string::npos) << name;
    EXPECT_NE(page, english.pages().at(name)) << name;
    for (std::size_t at = page.find('{'); at != std::string::npos; at = page.find('{', at + 1))
      EXPECT_EQ(page.substr(at, 7), "{&quot;") << "a place that was not filled in " << name;
  }
}

TEST(Views, AClientsLinksAreOnlyThoseThatAreWebUrls) {
  const auto assets = Assets::load({}, "");
  const Site site{*assets, "", "login.shop.example"};
  const std::string page = Catalogue(site, Language::english, {}).pages().at("consent");
  EXPECT_NE(page.find("https://ledger.example/privacy"), std::string::npos);
  EXPECT_EQ(page.find("javascript"), std::string::npos);
  EXPECT_NE(page.find("ledger.example."), std::string::npos) << "the host is named";
}

TEST(Views, AFormPostLeavesOutWhatIsEmpty) {
  const auto assets = Assets::load({}, "");
  PageScreens screens({*assets, "", "login.shop.example"});
  const WebResponse response = screens.form_post({}, "https://app.example/cb",
                                                 {{"code", "\"><b>"}, {"state", ""}, {"iss", "https://i.example"}});
  EXPECT_NE(response.body.find("action=\"https://app.example/cb\""), std::string::npos);
  EXPECT_NE(response.body.find("name=\"code\" value=\"&quot;&gt;&lt;b&gt;\""), std::string::npos);
  EXPECT_EQ(response.body.find("name=\"state\""), std::string::npos);
}

void write(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  ASSERT_TRUE(file.good()) << path;
}

// For tests/pages: each page, the assets, and the fields with which they are served.
TEST(Views, AreWrittenForTheBrowser) {
  const char* out = std::getenv("GATEHOUSE_PAGES_OUT");
  if (out == nullptr) GTEST_SKIP() << "GATEHOUSE_PAGES_OUT is not set";
  const std::string folder = std::string(out) + "/";
  const auto assets = Assets::load({}, "");
  const Site site{*assets, "", "login.shop.example"};
  for (const Language language : kLanguages) {
    const Catalogue plain(site, language, {}), hostile(site, language, hostile_names());
    const std::string tag(tag_of(language));
    for (const auto& [name, page] : plain.pages()) write(folder + name + "." + tag + ".html", page);
    for (const auto& [name, page] : hostile.pages()) write(folder + name + "." + tag + ".hostile.html", page);
  }
  for (const std::string_view name : {"style.css", "passkeys.js", "submit.js"}) {
    WebRequest request;
    request.method = "GET";
    const std::string path = "/assets/" + std::string(name);
    request.path = path;
    write(folder + std::string(name), assets->serve(request)->body);
  }
  std::string fields;
  {
    codec::JsonWriter json(fields);
    const char* separator = "{";
    for (const auto& [name, value] : html(200, "").fields) {
      json.raw(separator);
      json.string(name);
      json.raw(":");
      json.string(value);
      separator = ",";
    }
    json.raw("}");
  }
  write(folder + "fields.json", fields);
}

TEST(Views, ScopesOfOnesOwnInPlainWords) {
  const auto assets = Assets::load({}, "");
  ASSERT_TRUE(assets);
  const Site site{*assets, "", "shop", false, {{"orders:read", "See <your> orders"}}};
  const std::string list = scope_list(site, Words(Language::english), {"orders:read", "orders:write"}).text();
  EXPECT_NE(list.find("<li>See &lt;your&gt; orders</li>"), std::string::npos) << list;
  EXPECT_NE(list.find("orders:write"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::identity
