#include "identity/users/federation.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "identity/ids.h"
#include "identity/seconds.h"
#include "identity/token_hash.h"
#include "identity/users/login_parts.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

using Verdict = OutsideAnswer::Verdict;
using Provider = OutsideLogin::Provider;

constexpr std::string_view kMethod = "fed";
constexpr std::int64_t kLeeway_s = 30;  // between the provider's clock and ours
constexpr std::size_t kCodeMax = 4096, kSubjectMax = 255;
constexpr std::size_t kTokenSize = 43;

OutsideAnswer answer_of(const Error& error) {
  switch (answer_to(error).verdict) {
    case LoginAnswer::Verdict::gone: return {Verdict::gone};
    case LoginAnswer::Verdict::refused: return {Verdict::not_proved};
    default: return {Verdict::unavailable};
  }
}

// Text of somebody else's, as a profile takes it.
std::string field_of(std::string_view text) {
  return is_plain_text(text, Profile::kFieldBytesMax) ? std::string(text) : std::string();
}

}  // namespace

Federation::Federation(Authentication& authentication, const AuthenticationParts& parts, store::Database& database,
                       OutsideLogin& outside, std::string issuer)
    : authentication_(authentication),
      parts_(parts),
      database_(database),
      outside_(outside),
      issuer_(std::move(issuer)),
      key_(parts.keyring.derive("outside logins")),
      linked_(database, parts.keyring, parts.clock) {}

const Provider* Federation::find(std::string_view id) const noexcept {
  const auto& all = outside_.providers();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Provider& one) { return one.id == id; });
  return found == all.end() ? nullptr : &*found;
}

// There and back

OutsideAttempt Federation::attempt_of(const Interaction& interaction, const Provider& provider) const {
  const auto derived = [&](std::string_view what) {
    return codec::base64url_encode(crypto::as_text(
        crypto::hmac_sha256(key_.expose(), fmt::format("{} {} {}", what, provider.id, interaction.outside_state))));
  };
  OutsideAttempt attempt;
  attempt.redirect_uri = fmt::format("{}/federation/{}/callback", issuer_, provider.id);
  attempt.state = fmt::format("{}.{}", interaction.id, interaction.outside_state);
  attempt.nonce = derived("nonce");
  attempt.verifier = derived("verifier");
  attempt.anew = interaction.auth_after_s != 0;
  return attempt;
}

Result<std::string> Federation::begin(Interaction& interaction, const Provider& provider) {
  interaction.outside = provider.id;
  interaction.outside_state = crypto::random_token();
  interaction.outside_at_s = seconds_of(parts_.clock.wall());
  auto url = outside_.authorization_url(provider.id, attempt_of(interaction, provider));
  if (!url) return url;
  if (auto updated = parts_.interactions.update(interaction); !updated) return tl::unexpected(updated.error());
  return url;
}

std::string_view Federation::interaction_of(std::string_view state) noexcept {
  if (state.size() != 2 * kTokenSize + 1 || state[kTokenSize] != '.') return {};
  return may_be_token(state.substr(0, kTokenSize)) ? state.substr(0, kTokenSize) : std::string_view{};
}

OutsideAnswer Federation::refused(const Interaction& interaction, const Provider& provider, Verdict verdict,
                                  std::string_view why, const Visitor& visitor) {
  const std::string& user = interaction.must_be_user;
  parts_.audit.record("system", interaction.links ? "login.link" : "login.outside",
                      user.empty() ? "" : actor_of_user(user), Outcome::refused,
                      {{"why", why},
                       {"provider", provider.id},
                       {"address", visitor.client_ip.to_string()},
                       {"client", interaction.client_id}},
                      visitor.request_id);
  return {verdict};
}

OutsideAnswer Federation::finish(Interaction& interaction, const Provider& provider, const Returned& returned,
                                 const Visitor& visitor) {
  const OutsideAttempt attempt = attempt_of(interaction, provider);
  const bool asked = interaction.outside == provider.id && !interaction.outside_state.empty() &&
                     crypto::equal_in_constant_time(returned.state, attempt.state);
  if (!asked) return refused(interaction, provider, Verdict::gone, "was not asked", visitor);
  const std::int64_t age_s = seconds_of(parts_.clock.wall()) - interaction.outside_at_s;
  // Away before the answer is looked at, and in the store: it serves once.
  interaction.outside.clear();
  interaction.outside_state.clear();
  if (auto updated = parts_.interactions.update(interaction); !updated) return answer_of(updated.error());
  if (age_s >= seconds_of(kAttemptLifetime)) return refused(interaction, provider, Verdict::gone, "too late", visitor);

  // Whoever fails is an address: nobody has been named yet.
  const std::string account = "outside " + visitor.client_ip.to_string();
  const ThrottleKey key{account, visitor.client_ip, {}};
  if (const ThrottleDecision decision = parts_.throttle.ask(key); decision.verdict == ThrottleDecision::Verdict::wait)
    return {Verdict::wait, LoginStep::password, decision.retry_after};
  const auto failed = [&](std::string_view why) {
    parts_.throttle.failed(key);
    return refused(interaction, provider, Verdict::not_proved, why, visitor);
  };
  if (const Status said = outside_.check_issuer(provider.id, returned.iss); !said) {
    if (said.error().code == ErrorCode::denied) return failed("another issuer");
    parts_.throttle.not_tried(key);
    return refused(interaction, provider, Verdict::down, said.error().message, visitor);
  }
  if (!returned.error.empty()) {
    parts_.throttle.not_tried(key);
    return refused(interaction, provider, Verdict::declined, field_of(returned.error.substr(0, 80)), visitor);
  }
  if (returned.code.empty() || returned.code.size() > kCodeMax) return failed("no code");
  const auto who = outside_.redeem(provider.id, returned.code, attempt);
  if (!who && (who.error().code == ErrorCode::denied || who.error().code == ErrorCode::invalid))
    return failed(who.error().message);
  if (!who) {
    parts_.throttle.not_tried(key);
    const bool busy = who.error().code == ErrorCode::exhausted;
    return busy ? OutsideAnswer{Verdict::busy}
                : refused(interaction, provider, Verdict::down, who.error().message, visitor);
  }
  if (who->subject.empty() || !is_plain_text(who->subject, kSubjectMax)) return failed("not a subject");
  if (attempt.anew && (!who->auth_s || *who->auth_s + kLeeway_s < interaction.auth_after_s))
    return failed("the provider has not asked again");
  parts_.throttle.succeeded(key);
  return interaction.links ? link(interaction, provider, *who, visitor) : sign_in(interaction, provider, *who, visitor);
}

// Whose it is

OutsideAnswer Federation::link(Interaction& interaction, const Provider& provider, const OutsideIdentity& who,
                               const Visitor& visitor) {
  const std::string user = interaction.must_be_user;
  const auto over = parts_.interactions.finish(interaction);
  if (!over) return answer_of(over.error());
  if (!*over) return {Verdict::gone};
  const Status done = linked_.link(user, who.issuer, who.subject);
  if (!done && (done.error().code == ErrorCode::conflict || done.error().code == ErrorCode::exhausted))
    return refused(interaction, provider, Verdict::taken, done.error().message, visitor);
  if (!done) return {Verdict::unavailable};
  parts_.audit.record(actor_of_user(user), "login.link", actor_of_user(user), Outcome::ok,
                      {{"provider", provider.id}, {"subject", who.subject}}, visitor.request_id);
  if (const auto owner = parts_.accounts.find(user); owner && *owner)
    authentication_.tell(**owner, MessageKind::login_linked, {{"provider", provider.name}});
  return {Verdict::linked};
}

Result<UserPtr> Federation::create(const Provider& provider, const OutsideIdentity& who, const Visitor& visitor) {
  const auto email = who.email_verified ? normal_email(who.email) : std::nullopt;
  if (!provider.create_users || !email) return UserPtr();
  NewUser wanted;
  wanted.profile.email = *email;
  wanted.profile.name = field_of(who.name);
  wanted.profile.given_name = field_of(who.given_name);
  wanted.profile.family_name = field_of(who.family_name);
  wanted.profile.locale = field_of(who.locale);
  wanted.email_verified = true;
  wanted.state = UserState::active;
  // The address would stand in the clear, and a name that the provider gives could be that of somebody who was here
  // before. People sign in with the address all the same.
  wanted.username = "u-" + new_id(parts_.clock.wall());
  if (Profile checked = wanted.profile; !check_profile(checked)) wanted.profile.locale.clear();  // of another form
  std::string id;
  const Status made = database_.transact([&](store::Executor& tx) -> Status {
    auto user = parts_.accounts.create(tx, wanted);
    if (!user) return tl::unexpected(std::move(user.error()));
    id = std::move(*user);
    return linked_.link(tx, id, who.issuer, who.subject);
  });
  // Somebody has the address already: it is for its owner to sign in and link.
  if (!made && (made.error().code == ErrorCode::conflict || made.error().code == ErrorCode::invalid)) return UserPtr();
  if (!made) return tl::unexpected(made.error());
  parts_.audit.record("system", "user.create", actor_of_user(id), Outcome::ok,
                      {{"provider", provider.id}, {"username", wanted.username}, {"subject", who.subject}},
                      visitor.request_id);
  return parts_.accounts.find(id);
}

Result<UserPtr> Federation::user_of(const Provider& provider, const OutsideIdentity& who, bool may_create,
                                    const Visitor& visitor) {
  const auto id = linked_.user_of(who.issuer, who.subject);
  if (!id) return tl::unexpected(id.error());
  if (*id) return parts_.accounts.find(**id);
  return may_create ? create(provider, who, visitor) : Result<UserPtr>(UserPtr());
}

OutsideAnswer Federation::sign_in(Interaction& interaction, const Provider& provider, const OutsideIdentity& who,
                                  const Visitor& visitor) {
  const bool same_user = !interaction.must_be_user.empty();
  const auto user = user_of(provider, who, !same_user, visitor);
  if (!user) return answer_of(user.error());
  if (!*user || !(*user)->active()) {
    return refused(interaction, provider, Verdict::nobody, *user ? "not active" : "not linked", visitor);
  }
  if (same_user && (*user)->id != interaction.must_be_user)
    return refused(interaction, provider, Verdict::nobody, "another user", visitor);
  const auto device = parts_.devices.find((*user)->id, visitor.device_cookie);
  if (!device) return answer_of(device.error());
  const std::int64_t now_s = seconds_of(parts_.clock.wall());
  if (interaction.user_id != (*user)->id) {
    interaction.amr.clear();
    interaction.factor_at_s = 0;
  }
  interaction.user_id = (*user)->id;
  interaction.password_at_s = now_s;
  interaction.device_skips_factor = *device && (*device)->skips_factor_until_s > now_s;
  parts_.audit.record(
      actor_of_user((*user)->id), "login.outside", actor_of_user((*user)->id), Outcome::ok,
      {{"provider", provider.id}, {"address", visitor.client_ip.to_string()}, {"client", interaction.client_id}},
      visitor.request_id);
  const LoginAnswer answer = authentication_.proved(interaction, kMethod, false);
  switch (answer.verdict) {
    case LoginAnswer::Verdict::next: return {Verdict::next, answer.step, {}};
    case LoginAnswer::Verdict::gone: return {Verdict::gone};
    default: return {Verdict::unavailable};
  }
}

// What can be taken away: not the last way in.
Result<bool> Federation::unlink(const User& user, std::string_view issuer, std::string_view subject,
                                const Visitor& visitor) {
  const auto list = linked_.list(user.id);
  if (!list) return tl::unexpected(list.error());
  const auto factors = parts_.factors.of_user(user.id);
  if (!factors) return tl::unexpected(factors.error());
  const bool has_passkey = std::any_of(factors->begin(), factors->end(),
                                       [](const Factor& factor) { return factor.kind == FactorKind::webauthn; });
  if (list->size() <= 1 && !user.has_password && !has_passkey)
    return fail(ErrorCode::denied, "it is the only way in", ErrorSource::downstream);
  const auto removed = linked_.unlink(user.id, issuer, subject);
  if (removed && *removed) {
    parts_.audit.record(actor_of_user(user.id), "login.unlink", actor_of_user(user.id), Outcome::ok,
                        {{"issuer", issuer}, {"subject", subject}}, visitor.request_id);
  }
  return removed;
}

}  // namespace gatehouse::identity
