// Passkeys and security keys in a login, and their enrolment.

#include "identity/factors/webauthn.h"
#include "identity/seconds.h"
#include "identity/users/authentication.h"
#include "identity/users/login_parts.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {

using Verdict = LoginAnswer::Verdict;

namespace {

constexpr std::string_view kPasswordless = "passwordless", kSecondFactor = "login", kEnrol = "enrol";
constexpr Duration kChallengeLifetime = std::chrono::minutes(5);

RelyingParty relying_party(const AuthenticationOptions& options) {
  return {options.rp_id, options.site, options.origins};
}

std::optional<WebauthnCredential> credential_of(const Factor& factor) {
  return webauthn_credential_from(factor.data.expose(), factor.credential_id,
                                  static_cast<std::uint32_t>(factor.counter));
}

// A key that may leave its device is a software-secured one (RFC 8176 §2).
std::string methods_of(const WebauthnCredential& credential, bool user_verified) {
  std::string amr = credential.backup_eligible ? "swk" : "hwk";
  if (user_verified) amr += " user";
  return amr;
}

}  // namespace

Status Authentication::give_challenge(Interaction& interaction, std::string_view purpose) {
  interaction.challenge = new_webauthn_challenge();
  interaction.challenge_purpose = purpose;
  interaction.challenge_at_s = seconds_of(parts_.clock.wall());
  return parts_.interactions.update(interaction);
}

// Away before the answer is looked at, and in the store, so that none serves twice. Empty: there was none.
Result<std::string> Authentication::take_challenge(Interaction& interaction, std::string_view purpose) {
  const std::int64_t age_s = seconds_of(parts_.clock.wall()) - interaction.challenge_at_s;
  const bool good = interaction.challenge_purpose == purpose && age_s < seconds_of(kChallengeLifetime);
  if (interaction.challenge.empty()) return std::string();
  std::string challenge = std::exchange(interaction.challenge, {});
  interaction.challenge_purpose.clear();
  if (auto updated = parts_.interactions.update(interaction); !updated) return tl::unexpected(updated.error());
  return good ? challenge : std::string();
}

Result<std::string> Authentication::webauthn_options(Interaction& interaction) {
  const auto where = step(interaction);
  if (!where) return tl::unexpected(where.error());
  std::vector<AllowedCredential> allowed;
  if (*where == LoginStep::factor) {
    const auto factors = parts_.factors.of_user(interaction.user_id);
    if (!factors) return tl::unexpected(factors.error());
    for (const Factor& factor : *factors) {
      if (factor.kind != FactorKind::webauthn) continue;
      auto credential = credential_of(factor);
      if (!credential) return fail(ErrorCode::internal, "a stored credential does not parse");
      allowed.push_back({factor.credential_id, std::move(credential->transports)});
    }
    if (allowed.empty()) return fail(ErrorCode::not_found, "the user has no passkey", ErrorSource::downstream);
  } else if (*where != LoginStep::password) {
    return fail(ErrorCode::denied, "nothing is to be proved", ErrorSource::downstream);
  }
  const bool passwordless = *where == LoginStep::password;
  if (auto given = give_challenge(interaction, passwordless ? kPasswordless : kSecondFactor); !given) {
    return tl::unexpected(given.error());
  }
  return request_options({relying_party(options_), interaction.challenge, allowed,
                          passwordless ? UserVerification::required : UserVerification::preferred});
}

LoginAnswer Authentication::refused_passkey(const Interaction& interaction, LoginStep where, std::string_view user_id,
                                            std::string_view why, const Visitor& visitor) {
  parts_.audit.record("system", "login.passkey", user_id.empty() ? "" : actor_of_user(user_id), Outcome::refused,
                      {{"why", why}, {"address", visitor.client_ip.to_string()}, {"client", interaction.client_id}},
                      visitor.request_id);
  return {Verdict::refused, where, {}};
}

LoginAnswer Authentication::webauthn(Interaction& interaction, std::string_view response, const Visitor& visitor) {
  const auto where = step(interaction);
  if (!where) return answer_to(where.error());
  if (*where != LoginStep::password && *where != LoginStep::factor) return {Verdict::refused, *where, {}};
  const bool passwordless = *where == LoginStep::password;
  const auto challenge = take_challenge(interaction, passwordless ? kPasswordless : kSecondFactor);
  if (!challenge) return answer_to(challenge.error());
  if (challenge->empty()) return refused_passkey(interaction, *where, {}, "no challenge", visitor);
  const auto claimed = read_assertion(response);
  if (!claimed) return refused_passkey(interaction, *where, {}, "malformed", visitor);
  const auto factor = parts_.factors.find_credential(claimed->credential_id);
  if (!factor) return answer_to(factor.error());
  if (!*factor) return refused_passkey(interaction, *where, {}, "unknown credential", visitor);
  const Factor& found = **factor;
  const std::string& demanded = passwordless ? interaction.must_be_user : interaction.user_id;
  if (!demanded.empty() && found.user_id != demanded) {
    return refused_passkey(interaction, *where, demanded, "another user", visitor);
  }
  const auto user = parts_.accounts.find(found.user_id);
  if (!user) return answer_to(user.error());
  const auto credential = credential_of(found);
  if (!*user || !(*user)->active() || !credential) {
    return refused_passkey(interaction, *where, found.user_id, "not active", visitor);
  }
  AssertionExpectation expected;
  expected.ceremony = {relying_party(options_), *challenge,
                       passwordless ? UserVerification::required : UserVerification::preferred};
  expected.credential = &*credential;
  expected.owner = found.user_id;
  expected.handle_required = passwordless;
  WebauthnProof proof;
  if (const WebauthnStatus status = verify_assertion(response, expected, proof); status != WebauthnStatus::ok) {
    return refused_passkey(interaction, *where, found.user_id, name_of(status), visitor);
  }
  const auto counted = parts_.factors.exchange_counter(found.id, found.counter, proof.counter);
  if (!counted) return answer_to(counted.error());
  if (!*counted) return refused_passkey(interaction, *where, found.user_id, "counter", visitor);
  if (passwordless) {
    interaction.user_id = found.user_id;
    interaction.amr.clear();
    interaction.password_at_s = seconds_of(parts_.clock.wall());
    interaction.device_skips_factor = false;
  }
  parts_.audit.record(actor_of_user(found.user_id), "login.passkey", actor_of_user(found.user_id), Outcome::ok,
                      {{"factor", found.id},
                       {"verified", proof.user_verified ? "yes" : "no"},
                       {"address", visitor.client_ip.to_string()},
                       {"client", interaction.client_id}},
                      visitor.request_id);
  return proved(interaction, methods_of(*credential, proof.user_verified), true);
}

// --- Enrolment ---

Result<std::string> Enrolment::begin_webauthn(Interaction& interaction) {
  const auto user = fresh_user(interaction);
  if (!user) return tl::unexpected(user.error());
  const auto factors = parts_.factors.of_user(interaction.user_id);
  if (!factors) return tl::unexpected(factors.error());
  std::vector<std::string> exclude;
  for (const Factor& factor : *factors) {
    if (factor.kind == FactorKind::webauthn) exclude.push_back(factor.credential_id);
  }
  if (auto given = authentication_.give_challenge(interaction, kEnrol); !given) return tl::unexpected(given.error());
  RegistrationOptions options;
  options.relying_party = relying_party(options_);
  options.user_handle = (*user)->id;
  options.user_name = (*user)->username;
  options.display_name = (*user)->profile.name.empty() ? (*user)->username : (*user)->profile.name;
  options.challenge = interaction.challenge;
  options.exclude = exclude;
  options.user_verification = UserVerification::preferred;
  return creation_options(options);
}

LoginAnswer Enrolment::confirm_webauthn(Interaction& interaction, std::string_view response, std::string_view label,
                                        const Visitor& visitor) {
  if (const auto user = fresh_user(interaction); !user) return answer_to(user.error());
  const auto challenge = authentication_.take_challenge(interaction, kEnrol);
  if (!challenge) return answer_to(challenge.error());
  WebauthnCredential credential;
  const WebauthnStatus status =
      challenge->empty()
          ? WebauthnStatus::challenge
          : verify_registration(response, {relying_party(options_), *challenge, UserVerification::preferred},
                                credential);
  if (status != WebauthnStatus::ok) {
    return authentication_.refused_passkey(interaction, LoginStep::enrol, interaction.user_id, name_of(status),
                                           visitor);
  }
  const std::string plain = as_plain_text(label, 64);
  NewFactor factor{interaction.user_id, FactorKind::webauthn,
                   plain.find_first_not_of(' ') == std::string::npos ? "Passkey" : plain,
                   SecretBytes(std::string_view(to_text(credential)))};
  factor.credential_id = credential.id;
  factor.counter = credential.counter;
  return added(interaction, std::move(factor), methods_of(credential, credential.user_verified), visitor);
}

}  // namespace gatehouse::identity
