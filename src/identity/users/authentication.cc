#include "identity/users/authentication.h"

#include <fmt/format.h>

#include <algorithm>

#include "identity/seconds.h"
#include "identity/users/login_parts.h"
#include "identity/users/plain_text.h"
#include "identity/web.h"

namespace gatehouse::identity {

using Verdict = LoginAnswer::Verdict;

Authentication::Authentication(const AuthenticationParts& parts, AuthenticationOptions options)
    : parts_(parts),
      options_(std::move(options)),
      code_key_(parts.keyring.derive("one-time codes")),
      recovery_key_(parts.keyring.derive("recovery codes")) {}

bool Authentication::is_usable(const Factor& factor) const noexcept {
  switch (factor.kind) {
    case FactorKind::email: return options_.email_codes && parts_.delivery.has_mail();
    case FactorKind::sms: return options_.sms_codes && parts_.delivery.has_sms();
    case FactorKind::recovery: return false;  // stands in for one of the others, and is none by itself
    default: return true;
  }
}

Result<LoginStep> Authentication::step(const Interaction& interaction) {
  if (interaction.user_id.empty() || interaction.password_at_s == 0 ||
      interaction.password_at_s < interaction.auth_after_s) {
    return LoginStep::password;
  }
  if (interaction.factor_at_s != 0) return LoginStep::done;
  if (!interaction.wants_factor && interaction.device_skips_factor) return LoginStep::done;
  const auto factors = parts_.factors.of_user(interaction.user_id);
  if (!factors) return tl::unexpected(factors.error());
  // A kind that cannot be used now (no sender) still demands another: it must not fall away with its sender.
  const bool has_one = std::any_of(factors->begin(), factors->end(),
                                   [](const Factor& factor) { return factor.kind != FactorKind::recovery; });
  if (has_one) return LoginStep::factor;
  if (!interaction.wants_factor) return LoginStep::done;
  // The first factor decides who can sign in from now on: whoever adds it has just typed the password.
  const bool fresh = seconds_of(parts_.clock.wall()) - interaction.password_at_s <= kFreshPassword.count();
  return fresh ? LoginStep::enrol : LoginStep::password;
}

Result<std::string> Authentication::known_device(std::string_view user_id, const Visitor& visitor) {
  auto device = parts_.devices.find(user_id, visitor.device_cookie);
  if (!device) return tl::unexpected(std::move(device.error()));
  return *device ? (*device)->id : std::string();
}

LoginAnswer Authentication::failed(const Interaction& interaction, const ThrottleKey& key, std::string_view action,
                                   std::string_view why, const Visitor& visitor) {
  parts_.throttle.failed(key);
  // Who was meant is recorded only where somebody is: what was typed may have been a password in the wrong field.
  const bool somebody = !interaction.user_id.empty() || !interaction.must_be_user.empty();
  const std::string& user = interaction.user_id.empty() ? interaction.must_be_user : interaction.user_id;
  parts_.audit.record("system", action, somebody ? actor_of_user(user) : "", Outcome::refused,
                      {{"why", why}, {"address", visitor.client_ip.to_string()}, {"client", interaction.client_id}},
                      visitor.request_id);
  return {Verdict::refused, interaction.user_id.empty() ? LoginStep::password : LoginStep::factor, {}};
}

LoginAnswer Authentication::proved(Interaction& interaction, std::string_view amr, bool factor) {
  const std::int64_t now_s = seconds_of(parts_.clock.wall());
  add_methods(interaction.amr, amr);
  if (factor) {
    interaction.factor_at_s = now_s;
    add_methods(interaction.amr, "mfa");
  }
  interaction.challenge.clear();
  interaction.challenge_purpose.clear();
  interaction.code_factor.clear();
  interaction.code_state.clear();
  return written(interaction);
}

// Goes on to whatever comes next, once the state is safe.
LoginAnswer Authentication::written(Interaction& interaction) {
  if (const auto updated = parts_.interactions.update(interaction); !updated) return answer_to(updated.error());
  const auto next = step(interaction);
  if (!next) return answer_to(next.error());
  return {Verdict::next, *next, {}};
}

LoginAnswer Authentication::password(Interaction& interaction, std::string_view login, std::string_view password,
                                     const Visitor& visitor) {
  const auto user = parts_.accounts.find_by_login(login);
  if (!user) return answer_to(user.error());
  const std::string user_id = *user ? (*user)->id : std::string();
  // Asked for nobody, too, so that both cost the same.
  const auto device = parts_.devices.find(user_id, visitor.device_cookie);
  if (!device) return answer_to(device.error());
  const std::string device_id = *device ? (*device)->id : std::string();
  const std::string account = *user ? user_id : "?" + ascii_lower(login.substr(0, 128));
  const ThrottleKey key{account, visitor.client_ip, device_id};
  if (const ThrottleDecision decision = parts_.throttle.ask(key); decision.verdict == ThrottleDecision::Verdict::wait) {
    return {Verdict::wait, LoginStep::password, decision.retry_after};
  }
  const PasswordService::Checked checked = parts_.passwords.verify(login, password);
  if (checked.result == PasswordResult::busy || checked.result == PasswordResult::unavailable) {
    parts_.throttle.not_tried(key);
    const bool busy = checked.result == PasswordResult::busy;
    return {busy ? Verdict::busy : Verdict::unavailable, LoginStep::password, {}};
  }
  Interaction named = interaction;
  named.user_id.clear();
  if (named.must_be_user.empty()) named.must_be_user = user_id;
  if (checked.result != PasswordResult::right) return failed(named, key, "login.password", "wrong", visitor);
  // The right password of somebody else, where the same person has to prove it again.
  if (!interaction.must_be_user.empty() && checked.user_id != interaction.must_be_user) {
    return failed(named, key, "login.password", "another user", visitor);
  }
  if (!*user || !(*user)->active()) return failed(named, key, "login.password", "not active", visitor);
  parts_.throttle.succeeded(key);
  const std::int64_t now_s = seconds_of(parts_.clock.wall());
  // Finished before, and the password comes again: its answer never reached the browser (a gateway died over it). The
  // sign-in is done anew, and all of it, since nothing says who sits there now.
  if (interaction.user_id != checked.user_id || interaction.signed_in) {
    interaction.amr.clear();
    interaction.factor_at_s = 0;
    interaction.signed_in = false;
  }
  interaction.user_id = checked.user_id;
  interaction.password_at_s = now_s;
  interaction.device_skips_factor = *device && (*device)->skips_factor_until_s > now_s;
  parts_.audit.record(actor_of_user(checked.user_id), "login.password", actor_of_user(checked.user_id), Outcome::ok,
                      {{"address", visitor.client_ip.to_string()}, {"client", interaction.client_id}},
                      visitor.request_id);
  return proved(interaction, "pwd", false);
}

Result<SignedIn> Authentication::finish(const Interaction& interaction, bool remember_device, const Visitor& visitor) {
  const auto where = step(interaction);
  if (!where) return tl::unexpected(where.error());
  const auto user = parts_.accounts.find(interaction.user_id);
  if (!user) return tl::unexpected(user.error());
  if (*where != LoginStep::done || !*user || !(*user)->active()) {
    return fail(ErrorCode::denied, "nobody has signed in", ErrorSource::downstream);
  }
  if (auto ended = end_login(interaction); !ended) return tl::unexpected(ended.error());

  const Proof proof{interaction.amr, interaction.factor_at_s != 0};
  SignedIn signed_in;
  auto session = begin_session(interaction.user_id, proof, visitor);
  if (!session) return tl::unexpected(std::move(session.error()));
  signed_in.session = std::move(*session);
  signed_in.return_to = interaction.return_to;

  const std::string label = device_label(visitor.user_agent);
  const auto known = known_device(interaction.user_id, visitor);
  signed_in.new_device = known && known->empty() && tell_of_device(**user, label, visitor);
  // Only what proved a factor itself may be remembered for having done so.
  const bool remembers = remember_device && interaction.factor_at_s != 0;
  const auto cookie = parts_.devices.know(interaction.user_id, visitor.device_cookie, label, remembers);
  signed_in.set_cookies.push_back(
      host_cookie(kSessionCookie, signed_in.session.token,
                  remembers ? std::optional<Duration>(parts_.sessions.options().absolute) : std::nullopt));
  if (cookie) signed_in.set_cookies.push_back(host_cookie(kDeviceCookie, *cookie, Devices::kKnown));
  parts_.audit.record(actor_of_user(interaction.user_id), "login.finish", "session:" + signed_in.session.session.id,
                      Outcome::ok,
                      {{"amr", interaction.amr},
                       {"address", visitor.client_ip.to_string()},
                       {"device", label},
                       {"client", interaction.client_id},
                       {"remembered", remembers ? "yes" : "no"}},
                      visitor.request_id);
  return signed_in;
}

// One caller gets by here. An authorization request goes on with its interaction, which the provider ends.
Status Authentication::end_login(const Interaction& interaction) {
  const auto over = [] { return fail(ErrorCode::conflict, "the interaction is over", ErrorSource::downstream); };
  if (!interaction.request.empty()) {
    if (interaction.signed_in) return over();
    Interaction signed_in = interaction;
    signed_in.signed_in = true;
    return parts_.interactions.update(signed_in);
  }
  const auto finished = parts_.interactions.finish(interaction);
  if (!finished) return tl::unexpected(finished.error());
  return *finished ? Status{} : over();
}

// The browser's session goes on when it is this user's; another's ends: one browser, one person.
Result<StartedSession> Authentication::begin_session(std::string_view user_id, const Proof& proof,
                                                     const Visitor& visitor) {
  const auto before = parts_.sessions.find(visitor.session_cookie);
  if (!before) return tl::unexpected(before.error());
  if (*before && (*before)->user_id == user_id) {
    auto renewed = parts_.sessions.renew(visitor.session_cookie, proof);
    if (renewed || renewed.error().code != ErrorCode::not_found) return renewed;
  } else if (*before) {
    if (const auto ended = parts_.sessions.end_by_id((*before)->id); !ended) return tl::unexpected(ended.error());
  }
  return parts_.sessions.start(user_id, proof, device_label(visitor.user_agent), visitor.client_ip.to_string());
}

// Of the first sign-in of all there is nobody to tell.
bool Authentication::tell_of_device(const User& user, std::string_view label, const Visitor& visitor) {
  const auto devices = parts_.devices.list(user.id);
  if (!devices || devices->empty()) return false;
  return tell(user, MessageKind::new_device,
              {{"device", std::string(label)}, {"address", visitor.client_ip.to_string()}});
}

bool Authentication::tell(const User& user, MessageKind kind, MessageFields fields) {
  if (user.profile.email.empty() || !parts_.delivery.has_mail()) return false;
  fields.emplace_back("site", options_.site);
  fields.emplace_back("name", user.profile.name.empty() ? user.username : user.profile.name);
  fields.emplace_back("username", user.username);
  fields.emplace_back("time", written_time(seconds_of(parts_.clock.wall())));
  Composed composed = compose(kind, user.profile.locale, fields);
  return parts_.delivery.send(Mail{user.profile.email, std::move(composed.subject), std::move(composed.text)})
      .has_value();
}

}  // namespace gatehouse::identity
