#include "gateway/login/relying_party.h"

#include <algorithm>

#include "codec/form.h"
#include "crypto/digest.h"
#include "gateway/json_list.h"
#include "gateway/login/same_origin.h"
#include "telemetry/log.h"

namespace gatehouse::gateway {
namespace {

constexpr std::string_view kPrefix = "/.gatehouse/", kLogoutPath = "/.gatehouse/logout",
                           kSignedOutPath = "/.gatehouse/signed-out";
constexpr std::chrono::seconds kStepUpAge{300};  // of a second factor that a page asked for by itself

// A page for whoever got lost, or is done: nothing of it came with the request.
LocalAnswer page(int status, std::string_view reason, std::string_view text,
                 std::string_view next = "<p><a href=\"/\">To the front page</a></p>") {
  LocalAnswer answer;
  answer.status = status;
  answer.reason = reason;
  answer.fields = {{"content-type", "text/html; charset=utf-8"}, {"cache-control", "no-store"}};
  answer.body = fmt::format(
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sign-in</title><meta name=\"viewport\" "
      "content=\"width=device-width\"><style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 "
      "system-ui,sans-serif;margin:12vh auto;max-width:26rem;"
      "padding:0 1rem}}button{{font:inherit;padding:.5rem 1rem}}</style></head><body><main>"
      "<h1>Sign-in</h1><p>{}</p>{}</main></body></html>\n",
      text, next);
  return answer;
}

LocalAnswer see_other(std::string location) {
  LocalAnswer answer;
  answer.status = 303;
  answer.fields = {{"location", std::move(location)}, {"cache-control", "no-store"}};
  return answer;
}

void set_cookie(LocalAnswer& answer, std::string_view name, std::string_view value,
                std::optional<std::chrono::seconds> age = std::nullopt) {
  answer.fields.emplace_back("set-cookie", host_cookie(name, value, age));
}

LocalAnswer not_allowed(std::string allow) {
  LocalAnswer answer = page(405, "login.method", "This address is not for that.");
  answer.fields.emplace_back("allow", std::move(allow));
  return answer;
}

LocalAnswer lost() {
  return page(400, "login.state",
              "This sign-in was not begun in this browser, or it took too long. Please start again.");
}

// Path and query of this host: what is put behind "https://host".
bool is_path_of_a_page(std::string_view text) noexcept {
  return text.starts_with('/') && !text.starts_with(kPrefix) &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '\\' && c != '#'; });
}

// RFC 9207 §2.4: of whom is this answer? Who says it always must.
bool is_from(const ProviderMetadata& provider, const codec::Form& query) noexcept {
  if (query.count("iss") == 0) return !provider.names_itself;
  return query.get("iss") == provider.issuer;
}

}  // namespace

void RelyingParty::answer(LocalCall call) {
  if (auto answer = at_once(call.request)) return call.reply.send(std::move(*answer));
  net::WorkerPool& pool = call.request.path == kCallbackPath ? logins_->parts().callbacks : logins_->parts().endings;
  // What was submitted is moved from only when it was accepted.
  struct Work {
    void operator()() { kept->reply().send(self.handle(kept->request())); }
    RelyingParty self;
    std::unique_ptr<KeptCall> kept;
  };
  Work work{RelyingParty(logins_), std::move(call).keep()};
  if (pool.submit(std::move(work))) return;
  LocalAnswer busy = page(503, "login.busy", "Too many people sign in at this moment. Please try again.");
  busy.fields.emplace_back("retry-after", "1");
  work.kept->reply().send(std::move(busy));
}

std::optional<LocalAnswer> RelyingParty::at_once(const LocalRequest& request) const {
  const bool posts = request.method == "POST", reads = request.method == "GET" || request.method == "HEAD";
  const std::string_view what =
      request.path.starts_with(kPrefix) ? request.path.substr(kPrefix.size()) : std::string_view();
  if (what == "callback") return reads ? std::nullopt : std::optional(not_allowed("GET, HEAD"));
  if (what == "login") return reads ? login(request) : not_allowed("GET, HEAD");
  if (what == "session") return reads ? session(request) : not_allowed("GET, HEAD");
  if (what == "backchannel-logout") return posts ? std::nullopt : std::optional(not_allowed("POST"));
  if (what == "logout") {
    if (posts) return std::nullopt;
    if (!reads) return not_allowed("GET, HEAD, POST");
    // Another site's link must not sign anybody out.
    return page(200, {}, "Do you want to sign out?",
                "<form method=\"post\" action=\"/.gatehouse/logout\"><button>Sign out</button></form>");
  }
  if (what == "signed-out") {
    return reads ? page(200, {}, "You are signed out.", "<p><a href=\"/.gatehouse/login\">Sign in again</a></p>")
                 : not_allowed("GET, HEAD");
  }
  return page(404, "login.not_found", "There is no such page.");
}

LocalAnswer RelyingParty::handle(const LocalRequest& request) const {
  if (auto answer = at_once(request)) return std::move(*answer);
  if (request.path == kCallbackPath) return callback(request);
  return request.path == kLogoutPath ? logout(request) : backchannel_logout(request);
}

LocalAnswer RelyingParty::login(const LocalRequest& request) const {
  const auto query = codec::Form::parse(request.query);
  if (!query || query->repeated()) return page(400, "login.malformed", "This address is malformed.");
  std::string return_to(query->get_or("return_to", "/"));
  if (!is_path_of_a_page(return_to)) return page(400, "login.return_to", "That is no page of this site.");
  const Logins::StepUp step_up{kStepUpAge};
  const bool mfa = query->get_or("mfa", "0") == "1";
  auto begun =
      logins_->begin(*request.fields, request.authority, std::move(return_to), mfa ? &step_up : nullptr, request.now);
  if (!begun) return page(503, "login.provider_unavailable", "The provider cannot be reached. Please try again.");
  LocalAnswer answer = see_other(std::move(begun->location));
  answer.fields.emplace_back("set-cookie", std::move(begun->set_cookie));
  return answer;
}

LocalAnswer RelyingParty::session(const LocalRequest& request) const {
  LocalAnswer answer;
  answer.fields = {{"content-type", "application/json"}, {"cache-control", "no-store"}};
  const auto session = logins_->current(*request.fields, request.authority, request.now);
  if (!session) {
    answer.status = 401;
    answer.fields.emplace_back("www-authenticate", "Bearer");
    answer.body = R"({"error":"login_required","login":"/.gatehouse/login"})";
    return answer;
  }
  answer.user = session->user;
  codec::JsonWriter out(answer.body);
  out.raw("{\"user\":");
  out.string(session->user);
  write_list(out, ",\"roles\":", session->roles);
  write_list(out, ",\"scopes\":", session->scopes);
  out.raw(",\"mfa\":");
  out.boolean(session->mfa);
  out.raw(",\"authenticated_at\":");
  out.number(session->authenticated.time_since_epoch() / std::chrono::seconds(1));
  out.raw(",\"expires_at\":");
  out.number((session->begun + logins_->config().absolute).time_since_epoch() / std::chrono::seconds(1));
  out.raw("}");
  return answer;
}

LocalAnswer RelyingParty::callback(const LocalRequest& request) const {
  const auto query = codec::Form::parse(request.query);
  const auto provider = logins_->parts().tokens.provider();
  if (!query || query->repeated()) return page(400, "login.malformed", "The provider's answer is malformed.");
  if (!provider) return page(503, "login.provider_unavailable", "The provider cannot be reached. Please try again.");
  const std::string_view state = query->get_or("state", "");
  if (state.empty() || state.size() > 64) return lost();
  const std::string name = std::string(kLoginCookie) + state.front();
  const auto cookie = single_cookie(*request.fields, name);
  const auto attempt = cookie ? logins_->open_attempt(*cookie, request.authority) : std::nullopt;
  if (!attempt || !crypto::equal_in_constant_time(attempt->state, state) || request.now >= attempt->expires)
    return lost();
  const auto over = [&](LocalAnswer answer) {
    set_cookie(answer, name, "", std::chrono::seconds(0));
    return answer;
  };
  if (!is_from(*provider, *query))
    return over(page(400, "login.issuer", "This answer is not from the provider that was asked."));
  if (query->count("error") != 0) {
    const bool refused = query->get("error") == "access_denied";
    return over(refused ? page(403, "login.denied", "You were not signed in.")
                        : page(502, "login.provider_error", "The provider could not sign you in."));
  }
  const auto code = query->get("code");
  if (!code || code->empty()) return over(page(400, "login.malformed", "The provider's answer is malformed."));
  if (!logins_->use_once(state)) return over(lost());
  const auto answer = logins_->parts().tokens.ask(codec::FormWriter()
                                                      .add("grant_type", "authorization_code")
                                                      .add("code", *code)
                                                      .add("redirect_uri", redirect_uri(request.authority))
                                                      .add("code_verifier", attempt->verifier)
                                                      .text());
  auto signed_in = answer ? read_login(*answer, {*provider, logins_->config().client_id, request.now}, attempt->nonce)
                          : tl::unexpected(answer.error());
  if (!signed_in) {
    GH_LOG(warn, "a login is refused", {"why", signed_in.error().message}, {"request", request.request_id});
    if (signed_in.error().code == ErrorCode::unavailable)
      return over(page(502, "login.provider_unavailable", "The provider cannot be reached. Please try again."));
    return over(page(403, "login.not_proved", "The provider's answer is not good. Please start again."));
  }
  // Sending the browser back would only send it here again.
  if (attempt->needs_mfa && (!signed_in->mfa || signed_in->authenticated == WallTime{}))
    return over(page(403, "login.mfa", "This page needs a second factor, and the provider did not ask for one."));
  LocalAnswer back = see_other(fmt::format("https://{}{}", request.authority, attempt->return_to));
  back.user = signed_in->user;
  back.reason = "login.signed_in";
  const std::string session = logins_->open_session(std::move(*signed_in), request.authority);
  if (session.empty()) return over(page(500, "login.too_large", "What the provider says about you is too much."));
  set_cookie(back, kSessionCookie, session);
  return over(std::move(back));
}

LocalAnswer RelyingParty::logout(const LocalRequest& request) const {
  if (origin_of_request(*request.fields, request.authority) != RequestOrigin::same)
    return page(403, "auth.csrf", "Only a page of this site can sign you out.");
  const auto provider = logins_->parts().tokens.provider();
  const std::string home = fmt::format("https://{}/", request.authority);
  std::string location(kSignedOutPath);
  if (provider && !provider->end_session_endpoint.empty()) {
    location = provider->end_session_endpoint;
    location += location.find('?') == std::string::npos ? '?' : '&';
    location +=
        codec::FormWriter().add("client_id", logins_->config().client_id).add("post_logout_redirect_uri", home).text();
  }
  LocalAnswer answer = see_other(std::move(location));
  answer.reason = "login.signed_out";
  // Whoever brings one that is over changes nothing.
  if (const auto session = logins_->current(*request.fields, request.authority, request.now)) {
    answer.user = session->user;
    if (auto ended = logins_->end(*session); !ended) {
      GH_LOG(warn, "a session is over in this process alone", {"why", ended.error().message},
             {"request", request.request_id});
    }
  }
  set_cookie(answer, kSessionCookie, "", std::chrono::seconds(0));
  return answer;
}

LocalAnswer RelyingParty::backchannel_logout(const LocalRequest& request) const {
  const auto provider = logins_->parts().tokens.provider();
  const auto form = codec::Form::parse(request.body);
  LocalAnswer answer;
  answer.fields = {{"cache-control", "no-store"}, {"content-type", "application/json"}};
  if (!provider || !form || form->count("logout_token") != 1) {
    answer.status = provider ? 400 : 503;
    answer.body = R"({"error":"invalid_request"})";
    return answer;
  }
  const auto logged_out =
      read_logout_token(*form->get("logout_token"), {*provider, logins_->config().client_id, request.now});
  if (!logged_out) {
    answer.status = 400;
    answer.reason = "login.logout_token";
    answer.body = R"({"error":"invalid_request","error_description":"the logout token is not good"})";
    return answer;
  }
  if (auto ended = logins_->end(*logged_out); !ended) {
    // §2.8: the provider may tell us again.
    answer.status = 503;
    answer.body = R"({"error":"temporarily_unavailable"})";
    return answer;
  }
  answer.body = "{}";
  answer.reason = "login.backchannel_logout";
  return answer;
}

}  // namespace gatehouse::gateway
