#include <algorithm>

#include "identity/factors/one_time_code.h"
#include "identity/factors/totp.h"
#include "identity/seconds.h"
#include "identity/users/authentication.h"
#include "identity/users/login_parts.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {

using Verdict = LoginAnswer::Verdict;

namespace {

std::string label_or(std::string_view label, std::string_view otherwise) {
  const std::string plain = as_plain_text(label, 64);
  return plain.find_first_not_of(' ') == std::string::npos ? std::string(otherwise) : plain;
}

constexpr std::string_view kEnrolPurpose = "enrol";

}  // namespace

Enrolment::Enrolment(Authentication& authentication, const AuthenticationParts& parts,
                     const AuthenticationOptions& options)
    : authentication_(authentication),
      parts_(parts),
      options_(options),
      recovery_key_(parts.keyring.derive("recovery codes")) {}

// Whoever found a browser signed in, or knows the password alone, must not add a factor of their own to it.
Result<UserPtr> Enrolment::fresh_user(const Interaction& interaction) {
  const std::int64_t now_s = seconds_of(parts_.clock.wall());
  const auto denied = [] { return fail(ErrorCode::denied, "a fresh proof is needed", ErrorSource::downstream); };
  const auto user = parts_.accounts.find(interaction.user_id);
  if (!user) return tl::unexpected(user.error());
  if (!*user || !(*user)->active()) return denied();
  const auto factors = parts_.factors.of_user(interaction.user_id);
  if (!factors) return tl::unexpected(factors.error());
  bool has_one = false;
  for (const Factor& factor : *factors) has_one |= factor.kind != FactorKind::recovery;
  const std::int64_t proof_s =
      has_one ? interaction.factor_at_s : std::max(interaction.password_at_s, interaction.factor_at_s);
  if (proof_s == 0 || now_s - proof_s > seconds_of(options_.enrol_fresh)) return denied();
  return *user;
}

LoginAnswer Enrolment::added(Interaction& interaction, NewFactor factor, std::string_view amr, const Visitor& visitor) {
  const FactorKind kind = factor.kind;
  const std::string label = factor.label;
  const auto user = parts_.accounts.find(interaction.user_id);
  if (!user) return answer_to(user.error());
  if (!*user) return {Verdict::gone, LoginStep::password, {}};
  // The interaction first: it is what two requests at once share.
  interaction.enrol_kind.clear();
  interaction.enrol_secret.clear();
  interaction.enrol_address.clear();
  interaction.factor_at_s = seconds_of(parts_.clock.wall());
  add_methods(interaction.amr, amr);
  add_methods(interaction.amr, "mfa");
  interaction.challenge.clear();
  interaction.challenge_purpose.clear();
  interaction.code_factor.clear();
  interaction.code_state.clear();
  if (const auto updated = parts_.interactions.update(interaction); !updated) return answer_to(updated.error());
  const auto id = parts_.factors.add(std::move(factor));
  if (!id) {
    const bool refused = id.error().code == ErrorCode::conflict || id.error().code == ErrorCode::exhausted;
    return {refused ? Verdict::refused : Verdict::unavailable, LoginStep::enrol, {}};
  }
  parts_.audit.record(actor_of_user(interaction.user_id), "factor.add", actor_of_user(interaction.user_id), Outcome::ok,
                      {{"kind", name_of(kind)}, {"factor", *id}, {"address", visitor.client_ip.to_string()}},
                      visitor.request_id);
  authentication_.tell(**user, MessageKind::factor_added, {{"factor", label}});
  const auto next = authentication_.step(interaction);
  if (!next) return answer_to(next.error());
  return {Verdict::next, *next, {}};
}

// --- TOTP ---

Result<Enrolment::Totp> Enrolment::begin_totp(Interaction& interaction) {
  const auto user = fresh_user(interaction);
  if (!user) return tl::unexpected(user.error());
  interaction.enrol_kind = name_of(FactorKind::totp);
  interaction.enrol_secret = new_totp_secret().expose();
  interaction.enrol_address = (*user)->username;
  if (auto updated = parts_.interactions.update(interaction); !updated) return tl::unexpected(updated.error());
  return *pending_totp(interaction);
}

std::optional<Enrolment::Totp> Enrolment::pending_totp(const Interaction& interaction) const {
  if (interaction.enrol_kind != name_of(FactorKind::totp) || interaction.enrol_secret.empty()) return std::nullopt;
  return Totp{totp_secret_text(interaction.enrol_secret),
              totp_uri(options_.site, interaction.enrol_address, interaction.enrol_secret)};
}

LoginAnswer Enrolment::confirm_totp(Interaction& interaction, std::string_view code, std::string_view label,
                                    const Visitor& visitor) {
  if (const auto user = fresh_user(interaction); !user) return answer_to(user.error());
  if (!pending_totp(interaction)) return {Verdict::refused, LoginStep::enrol, {}};
  const auto step = verify_totp(interaction.enrol_secret, code, parts_.clock.wall(), 0);
  if (!step) return {Verdict::refused, LoginStep::enrol, {}};
  NewFactor factor{interaction.user_id, FactorKind::totp, label_or(label, "Authenticator app"),
                   SecretBytes(std::string_view(interaction.enrol_secret))};
  factor.counter = *step;  // this code is used up, too
  return added(interaction, std::move(factor), "otp", visitor);
}

// --- Codes by mail and short message ---

Status Enrolment::begin_code(Interaction& interaction, FactorKind kind, std::string_view address,
                             const Visitor& visitor) {
  if (const auto user = fresh_user(interaction); !user) return tl::unexpected(user.error());
  const bool mail = kind == FactorKind::email;
  if (!mail && kind != FactorKind::sms) return fail(ErrorCode::invalid, "not a kind of factor that is sent");
  const bool may =
      mail ? options_.email_codes && parts_.delivery.has_mail() : options_.sms_codes && parts_.delivery.has_sms();
  if (!may) return fail(ErrorCode::unavailable, "there is no way to send");
  const auto normal = mail ? normal_email(address) : normal_phone_number(address);
  if (!normal) return fail(ErrorCode::invalid, "not an address", ErrorSource::downstream);
  interaction.enrol_kind = name_of(kind);
  interaction.enrol_address = *normal;
  interaction.enrol_secret.clear();
  const LoginAnswer sent = authentication_.send_code_to(interaction, kind, *normal, kEnrolPurpose, visitor);
  switch (sent.verdict) {
    case Verdict::next: return {};
    case Verdict::wait: return fail(ErrorCode::exhausted, "too many codes", ErrorSource::downstream);
    case Verdict::gone: return fail(ErrorCode::conflict, "the interaction went on elsewhere", ErrorSource::downstream);
    default: return fail(ErrorCode::unavailable, "the code was not sent");
  }
}

LoginAnswer Enrolment::confirm_code(Interaction& interaction, std::string_view code, const Visitor& visitor) {
  if (const auto user = fresh_user(interaction); !user) return answer_to(user.error());
  const auto kind = parse_factor_kind(interaction.enrol_kind);
  if (!kind || (*kind != FactorKind::email && *kind != FactorKind::sms))
    return {Verdict::refused, LoginStep::enrol, {}};
  const auto right = authentication_.is_sent_code(interaction, kEnrolPurpose, code);
  if (!right) return answer_to(right.error());
  if (!*right) return {Verdict::refused, LoginStep::enrol, {}};
  const std::string address = interaction.enrol_address;
  const bool mail = *kind == FactorKind::email;
  NewFactor factor{interaction.user_id, *kind, address, SecretBytes(std::string_view(address))};
  LoginAnswer answer = added(interaction, std::move(factor), mail ? "otp" : "sms", visitor);
  // A number that is the profile's own is proved by the same code; another one is no error.
  if (answer.verdict == Verdict::next && !mail) {
    static_cast<void>(parts_.accounts.set_phone_verified(interaction.user_id, address));
  }
  return answer;
}

// --- Recovery codes, removal ---

Result<std::vector<std::string>> Enrolment::new_recovery_codes(const Interaction& interaction, const Visitor& visitor) {
  const auto user = fresh_user(interaction);
  if (!user) return tl::unexpected(user.error());
  std::vector<std::string> codes = identity::new_recovery_codes();
  const std::string hashes = recovery_code_hashes(recovery_key_.expose(), interaction.user_id, codes);
  const auto id = parts_.factors.add(
      {interaction.user_id, FactorKind::recovery, "Recovery codes", SecretBytes(std::string_view(hashes))});
  if (!id) return tl::unexpected(id.error());
  parts_.audit.record(actor_of_user(interaction.user_id), "factor.recovery", actor_of_user(interaction.user_id),
                      Outcome::ok, {{"address", visitor.client_ip.to_string()}}, visitor.request_id);
  return codes;
}

Status Enrolment::remove(const Interaction& interaction, std::string_view factor_id, bool must_keep,
                         const Visitor& visitor) {
  const auto user = fresh_user(interaction);
  if (!user) return tl::unexpected(user.error());
  const auto factors = parts_.factors.of_user(interaction.user_id);
  if (!factors) return tl::unexpected(factors.error());
  const Factor* removed = nullptr;
  const Factor* recovery = nullptr;
  std::size_t others = 0;
  for (const Factor& factor : *factors) {
    if (factor.id == factor_id) removed = &factor;
    if (factor.kind == FactorKind::recovery) recovery = &factor;
    others += factor.kind != FactorKind::recovery && factor.id != factor_id;
  }
  if (removed == nullptr) return fail(ErrorCode::not_found, "no such factor", ErrorSource::downstream);
  const bool last = others == 0 && removed->kind != FactorKind::recovery;
  if (last && must_keep) return fail(ErrorCode::denied, "the last factor has to stay", ErrorSource::downstream);
  const auto gone = parts_.factors.remove(interaction.user_id, factor_id);
  if (!gone) return tl::unexpected(gone.error());
  if (last && recovery != nullptr) {
    if (auto also = parts_.factors.remove(interaction.user_id, recovery->id); !also)
      return tl::unexpected(also.error());
  }
  // What a device was remembered for is no longer there.
  if (last) {
    if (auto forgotten = parts_.devices.forget_all(interaction.user_id); !forgotten) return forgotten;
  }
  parts_.audit.record(
      actor_of_user(interaction.user_id), "factor.remove", actor_of_user(interaction.user_id), Outcome::ok,
      {{"kind", name_of(removed->kind)}, {"factor", factor_id}, {"address", visitor.client_ip.to_string()}},
      visitor.request_id);
  authentication_.tell(**user, MessageKind::factor_removed, {{"factor", removed->label}});
  return {};
}

}  // namespace gatehouse::identity
