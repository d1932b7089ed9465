#include "gateway/login/login_cookies.h"

#include <fmt/format.h>

namespace gatehouse::gateway {
namespace {

constexpr char kSessionVersion = 1, kAttemptVersion = 1;

class Writer {
 public:
  explicit Writer(char version) : out_(1, version) {}
  void number(std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(value >> shift & 0xff);
  }
  void size(std::size_t value) {
    out_ += static_cast<char>(value >> 8 & 0xff);
    out_ += static_cast<char>(value & 0xff);
  }
  void text(std::string_view value) {
    value = value.substr(0, 0xffff);
    size(value.size());
    out_ += value;
  }
  void time(WallTime value) { number(static_cast<std::uint64_t>(value.time_since_epoch() / std::chrono::seconds(1))); }
  void list(const std::vector<std::string>& values) {
    size(values.size());
    for (const std::string& value : values) text(value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// What is read past the end is empty, and `good` is false from there on.
class Reader {
 public:
  Reader(std::string_view bytes, char version) : rest_(bytes) { good_ = take(1) == std::string_view(&version, 1); }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (const char c : take(8)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::size_t size() {
    std::size_t value = 0;
    for (const char c : take(2)) value = value << 8 | static_cast<std::uint8_t>(c);
    return value;
  }
  std::string text() { return std::string(take(size())); }
  WallTime time() { return WallTime(std::chrono::seconds(static_cast<std::int64_t>(number() & 0x3'ffff'ffff))); }
  std::vector<std::string> list() {
    std::vector<std::string> values;
    for (std::size_t count = size(); count > 0 && good_; --count) values.push_back(text());
    return values;
  }
  bool at_end() const noexcept { return good_ && rest_.empty(); }

 private:
  std::string_view take(std::size_t bytes) {
    if (!good_ || bytes > rest_.size()) {
      good_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  std::string_view rest_;
  bool good_ = true;
};

// Calls `each(name, value)` for every pair of a Cookie field; each returns false to stop.
template <class Each>
void each_cookie(std::string_view cookies, Each each) {
  while (!cookies.empty()) {
    const std::size_t end = cookies.find(';');
    std::string_view pair = cookies.substr(0, end);
    cookies.remove_prefix(end == std::string_view::npos ? cookies.size() : end + 1);
    while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
    const std::size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    each(pair, pair.substr(0, equals), value);
  }
}

}  // namespace

std::string encode(const LoginSession& session) {
  Writer out(kSessionVersion);
  for (const std::string* text : {&session.id, &session.user, &session.sid, &session.acr}) out.text(*text);
  out.list(session.roles);
  out.list(session.scopes);
  out.size(session.mfa ? 1 : 0);
  for (const WallTime time : {session.authenticated, session.begun, session.said, session.sealed}) out.time(time);
  out.text(session.refresh_token);
  return out.take();
}

std::optional<LoginSession> decode_session(std::string_view bytes) {
  Reader in(bytes, kSessionVersion);
  LoginSession session;
  for (std::string* text : {&session.id, &session.user, &session.sid, &session.acr}) *text = in.text();
  session.roles = in.list();
  session.scopes = in.list();
  session.mfa = in.size() == 1;
  for (WallTime* time : {&session.authenticated, &session.begun, &session.said, &session.sealed}) *time = in.time();
  session.refresh_token = in.text();
  if (!in.at_end() || session.id.empty() || session.user.empty()) return std::nullopt;
  return session;
}

std::string encode(const LoginAttempt& attempt) {
  Writer out(kAttemptVersion);
  for (const std::string* text : {&attempt.state, &attempt.nonce, &attempt.verifier, &attempt.return_to})
    out.text(*text);
  out.size(attempt.needs_mfa ? 1 : 0);
  out.time(attempt.expires);
  return out.take();
}

std::optional<LoginAttempt> decode_attempt(std::string_view bytes) {
  Reader in(bytes, kAttemptVersion);
  LoginAttempt attempt;
  for (std::string* text : {&attempt.state, &attempt.nonce, &attempt.verifier, &attempt.return_to}) *text = in.text();
  attempt.needs_mfa = in.size() == 1;
  attempt.expires = in.time();
  if (!in.at_end() || attempt.state.empty()) return std::nullopt;
  return attempt;
}

PrincipalFacts facts_of(const LoginSession& session, WallTime expires) {
  PrincipalFacts facts;
  facts.method = AuthMethod::session;
  facts.user = session.user;
  facts.issuer = "login";
  facts.roles = session.roles;
  facts.scopes = session.scopes;
  facts.mfa = session.mfa;
  facts.authenticated_at = session.authenticated;
  facts.expires = expires;
  return facts;
}

std::optional<std::string_view> single_cookie(const http::Fields& fields, std::string_view name) noexcept {
  std::optional<std::string_view> found;
  std::size_t count = 0;
  each_cookie(fields.get("cookie").value_or(""), [&](std::string_view, std::string_view key, std::string_view value) {
    if (key == name) found = value, ++count;
  });
  return count == 1 ? found : std::nullopt;
}

std::optional<std::string> without_own_cookies(std::string_view cookies) {
  if (cookies.find(kOwnCookies) == std::string_view::npos) return std::nullopt;
  std::string kept;
  each_cookie(cookies, [&](std::string_view pair, std::string_view name, std::string_view) {
    if (name.starts_with(kOwnCookies) || pair.empty()) return;
    if (!kept.empty()) kept += "; ";
    kept += pair;
  });
  return kept;
}

std::string host_cookie(std::string_view name, std::string_view value, std::optional<std::chrono::seconds> age) {
  std::string cookie = fmt::format("{}={}; Path=/; Secure; HttpOnly; SameSite=Lax", name, value);
  if (age) cookie += fmt::format("; Max-Age={}", age->count());
  return cookie;
}

}  // namespace gatehouse::gateway
