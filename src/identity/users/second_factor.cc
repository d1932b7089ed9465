// The step of a login that proves a second factor by a code.

#include <algorithm>
#include <charconv>

#include "codec/form.h"
#include "codec/json_writer.h"
#include "identity/factors/one_time_code.h"
#include "identity/factors/totp.h"
#include "identity/seconds.h"
#include "identity/users/authentication.h"
#include "identity/users/login_parts.h"

namespace gatehouse::identity {

using Verdict = LoginAnswer::Verdict;

namespace {

// The best first: what a thief of a password has least.
int rank_of(FactorKind kind) noexcept {
  switch (kind) {
    case FactorKind::webauthn: return 0;
    case FactorKind::totp: return 1;
    case FactorKind::sms: return 2;
    case FactorKind::email: return 3;
    case FactorKind::recovery: break;
  }
  return 4;
}

std::string first_character(std::string_view text) {
  std::size_t bad_bytes = 0;
  return std::string(text.substr(0, codec::utf8_sequence(text.data(), text.data() + text.size(), &bad_bytes)));
}

std::string hint_of(const Factor& factor) {
  const std::string_view data = factor.data.expose();
  switch (factor.kind) {
    case FactorKind::email: {
      const std::size_t at = data.rfind('@');
      return at == std::string_view::npos ? "" : first_character(data) + "…" + std::string(data.substr(at));
    }
    case FactorKind::sms: return "…" + std::string(data.size() > 4 ? data.substr(data.size() - 4) : "");
    case FactorKind::recovery: return std::to_string(recovery_codes_left(data));
    default: return {};
  }
}

// What an interaction keeps of the code that was sent.
struct SentCode {
  static constexpr std::int64_t kSendsMax = 5, kPauseSeconds = 30;
  OneTimeCode code;
  std::int64_t sent_s = 0, sends = 0;
};

std::string to_text(const SentCode& sent) {
  return codec::FormWriter()
      .add("hash", sent.code.hash)
      .add("expires", std::to_string(sent.code.expires_s))
      .add("tries", std::to_string(sent.code.tries))
      .add("sent", std::to_string(sent.sent_s))
      .add("sends", std::to_string(sent.sends))
      .text();
}

SentCode sent_code_from(const std::string& text) {
  const auto form = codec::Form::parse(text);
  SentCode sent;
  if (!form || text.empty()) return sent;
  const auto number = [&](std::string_view name) {
    std::int64_t value = 0;
    const std::string_view digits = form->get_or(name, "0");
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  };
  sent.code = {std::string(form->get_or("hash", "")), number("expires"), number("tries")};
  sent.sent_s = number("sent");
  sent.sends = number("sends");
  return sent;
}

std::string subject_of(const Interaction& interaction, std::string_view purpose) {
  return interaction.user_id + "/" + interaction.id + "/" + std::string(purpose);
}

}  // namespace

Result<std::vector<FactorChoice>> Authentication::choices(const Interaction& interaction) {
  const auto factors = parts_.factors.of_user(interaction.user_id);
  if (!factors) return tl::unexpected(factors.error());
  std::vector<FactorChoice> choices;
  for (const Factor& factor : *factors) {
    if (factor.kind != FactorKind::recovery && !is_usable(factor)) continue;
    if (factor.kind == FactorKind::recovery && recovery_codes_left(factor.data.expose()) == 0) continue;
    choices.push_back({factor.id, factor.kind, factor.label, hint_of(factor)});
  }
  std::stable_sort(choices.begin(), choices.end(),
                   [](const FactorChoice& a, const FactorChoice& b) { return rank_of(a.kind) < rank_of(b.kind); });
  return choices;
}

// Writes that a code went out before it does, then sends it: two requests at once send one.
LoginAnswer Authentication::send_code_to(Interaction& interaction, FactorKind kind, std::string_view address,
                                         std::string_view purpose, const Visitor& visitor) {
  const std::int64_t now_s = seconds_of(parts_.clock.wall());
  SentCode sent = sent_code_from(interaction.code_state);
  if (sent.sends >= SentCode::kSendsMax) return {Verdict::wait, LoginStep::factor, std::chrono::minutes(10)};
  if (sent.sends > 0 && now_s < sent.sent_s + SentCode::kPauseSeconds) {
    return {Verdict::wait, LoginStep::factor, std::chrono::seconds(sent.sent_s + SentCode::kPauseSeconds - now_s)};
  }
  // Many interactions fill a mailbox as well as one does.
  const std::string account = "send:" + interaction.user_id;
  const ThrottleKey counted{account, visitor.client_ip, {}};
  const ThrottleDecision decision = parts_.throttle.ask(counted);
  if (decision.verdict == ThrottleDecision::Verdict::wait) {
    return {Verdict::wait, LoginStep::factor, decision.retry_after};
  }
  parts_.throttle.failed(counted);
  const auto user = parts_.accounts.find(interaction.user_id);
  if (!user) return answer_to(user.error());
  if (!*user) return {Verdict::gone, LoginStep::password, {}};
  const std::string code =
      new_one_time_code(code_key_.expose(), subject_of(interaction, purpose), parts_.clock.wall(), sent.code);
  sent.sent_s = now_s;
  ++sent.sends;
  interaction.code_factor = purpose;
  interaction.code_state = to_text(sent);
  if (const auto updated = parts_.interactions.update(interaction); !updated) return answer_to(updated.error());
  const std::string name = (*user)->profile.name.empty() ? (*user)->username : (*user)->profile.name;
  const MessageFields fields{{"site", options_.site},
                             {"name", name},
                             {"code", code},
                             {"minutes", std::to_string(seconds_of(OneTimeCode::kLifetime) / 60)}};
  const std::string& locale = interaction.locale.empty() ? (*user)->profile.locale : interaction.locale;
  Status gone;
  if (kind == FactorKind::email) {
    Composed composed = compose(MessageKind::login_code, locale, fields);
    gone = parts_.delivery.send(Mail{std::string(address), std::move(composed.subject), std::move(composed.text)});
  } else {
    gone =
        parts_.delivery.send(ShortMessage{std::string(address), compose_sms(MessageKind::login_code, locale, fields)});
  }
  parts_.audit.record(actor_of_user(interaction.user_id), "login.send_code", actor_of_user(interaction.user_id),
                      gone ? Outcome::ok : Outcome::refused,
                      {{"kind", name_of(kind)}, {"address", visitor.client_ip.to_string()}}, visitor.request_id);
  if (!gone) return answer_to(gone.error());
  return {Verdict::next, LoginStep::factor, {}};
}

LoginAnswer Authentication::send_code(Interaction& interaction, std::string_view factor_id, const Visitor& visitor) {
  const auto where = step(interaction);
  if (!where) return answer_to(where.error());
  if (*where != LoginStep::factor) return {Verdict::refused, *where, {}};
  const auto factor = parts_.factors.find(factor_id);
  if (!factor) return answer_to(factor.error());
  const bool sends = *factor && ((*factor)->kind == FactorKind::email || (*factor)->kind == FactorKind::sms);
  if (!sends || (*factor)->user_id != interaction.user_id || !is_usable(**factor)) {
    return {Verdict::refused, LoginStep::factor, {}};
  }
  return send_code_to(interaction, (*factor)->kind, (*factor)->data.expose(), factor_id, visitor);
}

// The try is counted, and that is stored, before anything is said: of guesses at the same moment, one is judged.
Result<bool> Authentication::is_sent_code(Interaction& interaction, std::string_view purpose, std::string_view code) {
  if (interaction.code_factor != purpose) return false;
  SentCode sent = sent_code_from(interaction.code_state);
  const CodeVerdict verdict =
      verify_one_time_code(code_key_.expose(), subject_of(interaction, purpose), code, parts_.clock.wall(), sent.code);
  interaction.code_state = to_text(sent);
  if (auto updated = parts_.interactions.update(interaction); !updated) return tl::unexpected(updated.error());
  return verdict == CodeVerdict::match;
}

// Is it this factor's, now, for the first time?
Result<bool> Authentication::is_code_of(Interaction& interaction, const Factor& factor, std::string_view typed) {
  switch (factor.kind) {
    case FactorKind::totp: {
      const auto step = verify_totp(factor.data.expose(), typed, parts_.clock.wall(), factor.counter);
      if (!step) return false;
      return parts_.factors.advance(factor.id, *step);
    }
    case FactorKind::email:
    case FactorKind::sms: return is_sent_code(interaction, factor.id, typed);
    case FactorKind::recovery: {
      std::string hashes(factor.data.expose());
      if (!use_recovery_code(recovery_key_.expose(), factor.user_id, typed, hashes)) return false;
      return parts_.factors.exchange_data(factor, hashes);
    }
    case FactorKind::webauthn: break;
  }
  return false;
}

LoginAnswer Authentication::code(Interaction& interaction, std::string_view factor_id, std::string_view code,
                                 const Visitor& visitor) {
  const auto where = step(interaction);
  if (!where) return answer_to(where.error());
  if (*where != LoginStep::factor) return {Verdict::refused, *where, {}};
  const auto device = known_device(interaction.user_id, visitor);
  if (!device) return answer_to(device.error());
  const std::string account = "factor:" + interaction.user_id;
  const ThrottleKey key{account, visitor.client_ip, *device};
  const ThrottleDecision decision = parts_.throttle.ask(key);
  if (decision.verdict == ThrottleDecision::Verdict::wait) {
    return {Verdict::wait, LoginStep::factor, decision.retry_after};
  }
  const auto factors = parts_.factors.of_user(interaction.user_id);
  if (!factors) {
    parts_.throttle.not_tried(key);
    return answer_to(factors.error());
  }
  for (const Factor& factor : *factors) {
    if (!factor_id.empty() && factor.id != factor_id) continue;
    const auto right = is_code_of(interaction, factor, code);
    if (!right) {
      parts_.throttle.not_tried(key);
      return answer_to(right.error());
    }
    if (!*right) continue;
    parts_.throttle.succeeded(key);
    parts_.audit.record(actor_of_user(interaction.user_id), "login.factor", actor_of_user(interaction.user_id),
                        Outcome::ok, {{"kind", name_of(factor.kind)}, {"address", visitor.client_ip.to_string()}},
                        visitor.request_id);
    if (factor.kind == FactorKind::recovery) tell_of_recovery(interaction.user_id, factor);
    return proved(interaction, factor.kind == FactorKind::sms ? "sms" : "otp", true);
  }
  return failed(interaction, key, "login.factor", "wrong", visitor);
}

void Authentication::tell_of_recovery(std::string_view user_id, const Factor& spent) {
  const auto user = parts_.accounts.find(user_id);
  if (!user || !*user) return;
  tell(**user, MessageKind::recovery_used, {{"left", std::to_string(recovery_codes_left(spent.data.expose()) - 1)}});
}

}  // namespace gatehouse::identity
