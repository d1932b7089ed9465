#include "gateway/login/logins.h"

#include <algorithm>

#include "codec/base64.h"
#include "codec/form.h"
#include "crypto/digest.h"
#include "crypto/keyed_hash.h"
#include "crypto/random.h"
#include "gateway/evidence.h"
#include "gateway/login/same_origin.h"
#include "telemetry/log.h"

namespace gatehouse::gateway {
namespace {

constexpr std::size_t kReturnMax = 1024;  // bytes of path and query; a longer one begins at the front page
constexpr std::string_view kStepUpAcr = "urn:gatehouse:acr:mfa";

// The end of a cookie is its authentication tag.
std::uint64_t hash_of(std::string_view cookie) noexcept {
  constexpr std::size_t kTail = 32;
  return crypto::keyed_hash(cookie.size() > kTail ? cookie.substr(cookie.size() - kTail) : cookie);
}

// Two tabs that begin at the same moment know nothing of each other: each draws among the places that are free.
char free_place(const http::Fields& fields) {
  std::array<char, kLoginPlaces> places{};
  std::size_t count = 0;
  for (char place = 0; place < kLoginPlaces; ++place) {
    const std::string name = std::string(kLoginCookie) + static_cast<char>('a' + place);
    if (!single_cookie(fields, name)) places[count++] = place;
  }
  std::array<std::uint8_t, 1> draw{};
  crypto::random_bytes(draw);
  return static_cast<char>('a' + (count == 0 ? draw[0] % kLoginPlaces : places[draw[0] % count]));
}

}  // namespace

std::string redirect_uri(std::string_view authority) { return fmt::format("https://{}{}", authority, kCallbackPath); }

std::string Logins::associated(std::string_view what, std::string_view authority) const {
  return fmt::format("{}\n{}\n{}\n{}", what, config_.issuer, config_.client_id, authority);
}

WallTime Logins::expiry(WallTime begun, WallTime sealed) const noexcept {
  return std::min(begun + config_.absolute, sealed + config_.idle);
}

// Sessions

bool Logins::know(Request& request, std::string_view cookie, Known& known) {
  const std::string_view authority = request.message.authority;
  // Before it is opened: keys that change meanwhile have it opened once more.
  const std::uint64_t epoch = p_.sealer.epoch();
  const auto take = [&](const Opened& opened) {
    if (opened.authority != authority || opened.epoch != epoch) return false;
    opened.principal.unpack(request.arena, request.principal);
    known = {request.arena.copy(opened.id),
             request.arena.copy(opened.sid),
             opened.begun,
             opened.said,
             opened.sealed,
             opened.expires};
    return true;
  };
  bool taken = false;
  const std::uint64_t hash = hash_of(cookie);
  opened_.find(hash, cookie, request.wall, [&](const Opened& opened) { taken = take(opened); });
  if (taken) return true;
  auto session = read_session(cookie, authority);
  if (!session) return false;
  const WallTime expires = expiry(session->begun, session->sealed);
  Opened opened{std::string(authority),
                session->id,
                session->sid,
                PrincipalRecord(facts_of(*session, expires)),
                session->begun,
                session->said,
                session->sealed,
                expires,
                epoch};
  take(opened);
  if (expires > request.wall) opened_.insert(hash, cookie, request.wall, expires, std::move(opened));
  return true;
}

bool Logins::is_over(const Known& known, std::string_view user, WallTime now) {
  // A clock that went back, or another gateway's that is ahead: a minute is no fraud.
  if (now >= known.expires || known.sealed > now + std::chrono::minutes(1)) return true;
  if (any_ended_.load(std::memory_order_acquire) &&
      (ended_here("id", known.id, {}, now) || ended_here("sid", known.sid, {}, now) ||
       ended_here("user", user, known.begun, now))) {
    return true;
  }
  return p_.revoked.covers({known.id, known.sid, user}, known.begun, known.said);
}

Logins::Found Logins::authenticate(Request& request) {
  auto cookie = single_cookie(request.message.fields, kSessionCookie);
  if (!cookie || cookie->empty() || cookie->size() > kCookieMax) return Found::none;
  Known known;
  if (!know(request, *cookie, known)) return Found::none;
  // The browser may not have the new cookie yet, and others may use the old one at the same time.
  if (request.wall - known.sealed >= config_.refresh / 2) {
    if (const std::string_view newer = renewed(request, *cookie, known); !newer.empty()) {
      Known after;
      if (know(request, newer, after)) {
        known = after;
        request.set_cookie = request.arena.copy(host_cookie(kSessionCookie, newer, std::nullopt));
      }
    }
  }
  if (!is_over(known, request.principal.user, request.wall)) return Found::session;
  request.principal = {};
  request.set_cookie = request.arena.copy(host_cookie(kSessionCookie, "", std::chrono::seconds(0)));
  return Found::over;
}

// Renewals

// The newer cookie of the same session if there is one; otherwise one is ordered.
std::string_view Logins::renewed(Request& request, std::string_view cookie, const Known& known) {
  if (is_over(known, request.principal.user, request.wall)) return {};  // nothing renews what is over
  const std::string id(known.id);
  std::string_view newer;
  {
    const std::lock_guard lock(mutex_);
    auto at = renewals_.find(id);
    if (at == renewals_.end()) {
      if (!make_room(request.wall)) return {};
      at = renewals_.emplace(id, Renewal{}).first;
    }
    Renewal& renewal = at->second;
    renewal.expires = request.wall + config_.idle;
    if (known.sealed > renewal.sealed) renewal.cookie.clear();  // another gateway's is newer
    if (!renewal.cookie.empty() && renewal.cookie != cookie) newer = request.arena.copy(renewal.cookie);
    if (renewal.running || request.wall < renewal.again || is_paused(request.wall)) return newer;
    renewal.running = true;
  }
  // From the newest there is: a refresh token that was exchanged for another would count as stolen.
  auto work = [self = shared_from_this(), newest = std::string(newer.empty() ? cookie : newer),
               authority = std::string(request.message.authority)] { self->renew(newest, authority); };
  if (!p_.renewals.submit(std::move(work))) renewal_over(id, {}, {}, false);
  return newer;
}

bool Logins::is_paused(WallTime now) const noexcept {
  return now.time_since_epoch().count() < provider_pause_.load(std::memory_order_relaxed);
}

// Under the lock. One that is not running gives way: its session has its cookie, or orders a renewal again.
bool Logins::make_room(WallTime now) {
  if (renewals_.size() < kRenewalsMax) return true;
  if (now >= next_sweep_) {
    next_sweep_ = now + kSweepAgain;
    std::erase_if(renewals_, [&](const auto& one) { return !one.second.running && one.second.expires <= now; });
  }
  if (renewals_.size() < kRenewalsMax) return true;
  auto at = renewals_.begin();
  for (int looked = 0; looked < 64 && at != renewals_.end(); ++looked, ++at) {
    if (at->second.running) continue;
    renewals_.erase(at);
    return true;
  }
  return false;
}

void Logins::renew(const std::string& cookie, const std::string& authority) {
  if (stopped_.load(std::memory_order_relaxed)) return;
  auto session = read_session(cookie, authority);
  if (!session) return;
  const std::string id = session->id;
  auto made = renew_session(std::move(*session), authority);
  const bool refused = !made && made.error().code == ErrorCode::denied;
  if (!made) GH_LOG(info, "a session is not renewed", {"why", made.error().message});
  renewal_over(id, made ? std::move(made->first) : std::string(), made ? made->second : WallTime{}, refused);
  if (refused) remember_end("id", id);  // another gateway asks the provider itself, which says no again
}

Result<std::pair<std::string, WallTime>> Logins::renew_session(LoginSession session, const std::string& authority) {
  if (!session.refresh_token.empty()) {
    auto signed_in = ask_again(session.refresh_token);
    // A provider that is gone ends no session: it goes on with what was said last.
    if (!signed_in && signed_in.error().code != ErrorCode::denied && signed_in.error().code != ErrorCode::invalid) {
      GH_LOG(info, "a session goes on without the provider", {"why", signed_in.error().message});
      provider_pause_.store((p_.clock.wall() + kRenewAgain).time_since_epoch().count(), std::memory_order_relaxed);
      return resealed(session, authority);
    }
    if (!signed_in) return tl::unexpected(signed_in.error());
    if (!signed_in->refresh_token.empty()) session.refresh_token = std::move(signed_in->refresh_token);
    if (!signed_in->user.empty()) {
      if (signed_in->user != session.user) return fail(ErrorCode::denied, "the provider names another user");
      // Ours says all there is; another may name the roles at the login alone.
      if (signed_in->names_roles || config_.issuer.empty()) session.roles = std::move(signed_in->roles);
      if (!signed_in->sid.empty()) session.sid = std::move(signed_in->sid);
    }
    if (!signed_in->scopes.empty()) session.scopes = std::move(signed_in->scopes);
    session.said = p_.clock.wall();
  }
  return resealed(session, authority);
}

Result<SignedIn> Logins::ask_again(std::string_view refresh_token) const {
  const auto provider = p_.tokens.provider();
  if (!provider) return fail(ErrorCode::unavailable, "the provider is not known yet");
  const auto answer =
      p_.tokens.ask(codec::FormWriter().add("grant_type", "refresh_token").add("refresh_token", refresh_token).text());
  if (!answer) return tl::unexpected(answer.error());
  return read_refresh(*answer, {*provider, config_.client_id, p_.clock.wall()});
}

Result<std::pair<std::string, WallTime>> Logins::resealed(LoginSession& session, const std::string& authority) const {
  std::string cookie = seal(session, authority);
  if (cookie.empty()) return fail(ErrorCode::exhausted, "the session does not fit into a cookie any more");
  return std::pair(std::move(cookie), session.sealed);
}

void Logins::renewal_over(const std::string& id, std::string cookie, WallTime sealed, bool refused) {
  const WallTime now = p_.clock.wall();
  const std::lock_guard lock(mutex_);
  const auto at = renewals_.find(id);
  if (at == renewals_.end()) return;
  if (refused) {
    renewals_.erase(at);
    return;
  }
  at->second.running = false;
  at->second.again = now + (cookie.empty() ? kRenewAgain : Duration(config_.refresh / 2));
  if (cookie.empty()) return;
  at->second.cookie = std::move(cookie);
  at->second.sealed = sealed;
}

// Cookies

std::string Logins::seal(LoginSession& session, std::string_view authority) const {
  session.sealed = p_.clock.wall();
  std::string cookie = p_.sealer.seal(associated("session", authority), encode(session), session.sealed);
  if (cookie.size() <= kCookieMax || session.refresh_token.empty()) {
    return cookie.size() <= kCookieMax ? cookie : std::string();
  }
  session.refresh_token.clear();  // then it lives without being renewed by the provider
  return seal(session, authority);
}

std::string Logins::open_session(SignedIn signed_in, std::string_view authority) {
  LoginSession session;
  session.id = crypto::random_token();
  session.user = std::move(signed_in.user);
  session.sid = std::move(signed_in.sid);
  session.acr = std::move(signed_in.acr);
  session.roles = std::move(signed_in.roles);
  // A provider that does not say gave what was asked for (RFC 6749 §5.1).
  session.scopes = signed_in.scopes.empty() ? config_.scopes : std::move(signed_in.scopes);
  session.mfa = signed_in.mfa;
  session.authenticated = signed_in.authenticated;
  session.begun = session.said = p_.clock.wall();
  session.refresh_token = std::move(signed_in.refresh_token);
  return seal(session, authority);
}

std::optional<LoginSession> Logins::read_session(std::string_view cookie, std::string_view authority) const {
  const auto plain = p_.sealer.open(associated("session", authority), cookie, p_.clock.wall(), config_.idle);
  return plain ? decode_session(plain->expose()) : std::nullopt;
}

std::optional<LoginSession> Logins::current(const http::Fields& fields, std::string_view authority, WallTime now) {
  const auto cookie = single_cookie(fields, kSessionCookie);
  if (!cookie || cookie->empty() || cookie->size() > kCookieMax) return std::nullopt;
  auto session = read_session(*cookie, authority);
  if (!session) return std::nullopt;
  const Known known{session->id,   session->sid,    session->begun,
                    session->said, session->sealed, expiry(session->begun, session->sealed)};
  if (is_over(known, session->user, now)) return std::nullopt;
  return session;
}

std::string Logins::seal_attempt(const LoginAttempt& attempt, std::string_view authority) const {
  return p_.sealer.seal(associated("login", authority), encode(attempt), attempt.expires - kAttemptAge);
}

std::optional<LoginAttempt> Logins::open_attempt(std::string_view cookie, std::string_view authority) const {
  const auto plain = p_.sealer.open(associated("login", authority), cookie, p_.clock.wall(), kAttemptAge);
  return plain ? decode_attempt(plain->expose()) : std::nullopt;
}

// Endings

void Logins::remember_end(std::string_view kind, std::string_view id) {
  if (id.empty()) return;
  const WallTime now = p_.clock.wall();
  const std::string key = fmt::format("{} {}", kind, id);
  ended_.insert(crypto::keyed_hash(key), key, now, now + config_.absolute, WallTime(now));
  any_ended_.store(true, std::memory_order_release);
}

bool Logins::ended_here(std::string_view kind, std::string_view id, WallTime begun, WallTime now) {
  if (id.empty()) return false;
  const std::string key = fmt::format("{} {}", kind, id);
  bool ended = false;
  ended_.find(crypto::keyed_hash(key), key, now, [&](WallTime when) { ended = begun <= when; });
  return ended;
}

Status Logins::end(const LoginSession& session) {
  remember_end("id", session.id);
  {
    const std::lock_guard lock(mutex_);
    renewals_.erase(session.id);
  }
  return p_.revoked.end({session.id, session.sid, session.user});
}

// A token that names a session ends that one; one that names only a user ends all that he has.
Status Logins::end(const LoggedOut& logged_out) {
  if (!logged_out.sid.empty()) {
    remember_end("sid", logged_out.sid);
    return p_.revoked.end({.id = {}, .sid = logged_out.sid, .user = logged_out.user});
  }
  remember_end("user", logged_out.user);
  return p_.revoked.end({.id = {}, .sid = {}, .user = logged_out.user});
}

bool Logins::use_once(std::string_view state) {
  const WallTime now = p_.clock.wall();
  const std::string key = fmt::format("state {}", state);
  bool used = false;
  ended_.find(crypto::keyed_hash(key), key, now, [&](WallTime) { used = true; });
  if (!used) ended_.insert(crypto::keyed_hash(key), key, now, now + kAttemptAge, WallTime(now));
  return !used;
}

// Logins

std::string Logins::authorization_url(const ProviderMetadata& provider, const LoginAttempt& attempt,
                                      std::string_view authority, const StepUp* step_up) const {
  codec::FormWriter query;
  query.add("response_type", "code").add("client_id", config_.client_id).add("redirect_uri", redirect_uri(authority));
  std::string scopes;
  for (const std::string& scope : config_.scopes) scopes += (scopes.empty() ? "" : " ") + scope;
  query.add("scope", scopes).add("state", attempt.state).add("nonce", attempt.nonce);
  query.add("code_challenge", codec::base64url_encode(crypto::as_text(crypto::sha256(attempt.verifier))));
  query.add("code_challenge_method", "S256");
  query.add("claims", R"({"id_token":{"roles":null,"auth_time":{"essential":true}}})");
  if (step_up != nullptr) query.add("acr_values", kStepUpAcr).add("max_age", std::to_string(step_up->max_age.count()));
  const char separator = provider.authorization_endpoint.find('?') == std::string::npos ? '?' : '&';
  return provider.authorization_endpoint + separator + query.text();
}

Decision Logins::begin(Request& request, std::string_view reason, const StepUp* step_up) {
  Decision decision{.verdict = Verdict::deny, .reason = reason, .evidence = {}, .status = 401, .challenge = "Bearer"};
  if (step_up != nullptr) {
    decision.challenge =
        evidence(request.arena, "Bearer error=\"insufficient_user_authentication\", acr_values=\"{}\", max_age=\"{}\"",
                 kStepUpAcr, step_up->max_age.count());
  }
  if (!is_page_navigation(request.message)) return decision;
  std::string return_to(request.message.path);
  if (request.message.has_query) return_to += "?" + std::string(request.message.query);
  const auto begun =
      begin(request.message.fields, request.message.authority, std::move(return_to), step_up, request.wall);
  decision.challenge = {};
  if (!begun) {
    decision.status = 503;
    decision.reason = "auth.provider_unavailable";
    return decision;
  }
  request.set_cookie = request.arena.copy(begun->set_cookie);
  decision.verdict = Verdict::answer;
  decision.status = 303;
  decision.location = request.arena.copy(begun->location);
  return decision;
}

std::optional<Logins::Begun> Logins::begin(const http::Fields& fields, std::string_view authority,
                                           std::string return_to, const StepUp* step_up, WallTime now) const {
  const auto provider = p_.tokens.provider();
  if (!provider) return std::nullopt;
  LoginAttempt attempt;
  const char place = free_place(fields);
  attempt.state = place + crypto::random_token();
  attempt.nonce = crypto::random_token();
  attempt.verifier = crypto::random_token();
  attempt.return_to = return_to.size() <= kReturnMax ? std::move(return_to) : "/";
  attempt.needs_mfa = step_up != nullptr;
  attempt.expires = now + kAttemptAge;
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(kAttemptAge);
  return Begun{authorization_url(*provider, attempt, authority, step_up),
               host_cookie(std::string(kLoginCookie) + place, seal_attempt(attempt, authority), age)};
}

}  // namespace gatehouse::gateway
