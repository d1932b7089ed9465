#include "identity/sessions/interactions.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "codec/base64.h"
#include "codec/form.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "identity/sealed_columns.h"
#include "identity/seconds.h"
#include "identity/sessions/sessions.h"
#include "identity/token_hash.h"

namespace gatehouse::identity {
namespace {

template <class T>
struct Field {
  std::string_view name;
  T Interaction::*member;
};
constexpr std::array<Field<std::string>, 16> kTexts{{{"return_to", &Interaction::return_to},
                                                     {"request", &Interaction::request},
                                                     {"client_id", &Interaction::client_id},
                                                     {"client_name", &Interaction::client_name},
                                                     {"user_hint", &Interaction::user_hint},
                                                     {"must_be_user", &Interaction::must_be_user},
                                                     {"locale", &Interaction::locale},
                                                     {"user_id", &Interaction::user_id},
                                                     {"amr", &Interaction::amr},
                                                     {"challenge_purpose", &Interaction::challenge_purpose},
                                                     {"code_factor", &Interaction::code_factor},
                                                     {"code_state", &Interaction::code_state},
                                                     {"enrol_kind", &Interaction::enrol_kind},
                                                     {"enrol_address", &Interaction::enrol_address},
                                                     {"outside", &Interaction::outside},
                                                     {"outside_state", &Interaction::outside_state}}};
// Bytes, which a form takes as base64url.
constexpr std::array<Field<std::string>, 3> kBytes{{{"challenge", &Interaction::challenge},
                                                    {"enrol_secret", &Interaction::enrol_secret},
                                                    {"browser", &Interaction::browser_hash}}};
constexpr std::array<Field<std::int64_t>, 5> kTimes{{{"auth_after", &Interaction::auth_after_s},
                                                     {"password_at", &Interaction::password_at_s},
                                                     {"factor_at", &Interaction::factor_at_s},
                                                     {"challenge_at", &Interaction::challenge_at_s},
                                                     {"outside_at", &Interaction::outside_at_s}}};
constexpr std::array<Field<bool>, 4> kFlags{{{"wants_factor", &Interaction::wants_factor},
                                             {"device_skips_factor", &Interaction::device_skips_factor},
                                             {"signed_in", &Interaction::signed_in},
                                             {"links", &Interaction::links}}};

constexpr std::size_t kBytesMax = 64 * 1024;

std::string to_form(const Interaction& interaction) {
  codec::FormWriter form;
  for (const auto& [name, member] : kTexts) {
    if (const std::string& value = interaction.*member; !value.empty()) form.add(name, value);
  }
  for (const auto& [name, member] : kBytes) {
    if (const std::string& value = interaction.*member; !value.empty()) form.add(name, codec::base64url_encode(value));
  }
  for (const auto& [name, member] : kTimes) {
    if (interaction.*member != 0) form.add(name, std::to_string(interaction.*member));
  }
  for (const auto& [name, member] : kFlags) {
    if (interaction.*member) form.add(name, "1");
  }
  return form.text();
}

bool read_form(std::string_view text, Interaction& interaction) {
  const auto form = codec::Form::parse(text);
  if (!form) return false;
  for (const auto& [name, member] : kTexts) interaction.*member = form->get_or(name, "");
  for (const auto& [name, member] : kBytes) {
    auto bytes = codec::base64url_decode(form->get_or(name, ""));
    if (!bytes) return false;
    interaction.*member = std::move(*bytes);
  }
  for (const auto& [name, member] : kTimes) {
    const std::string_view digits = form->get_or(name, "0");
    if (std::from_chars(digits.data(), digits.data() + digits.size(), interaction.*member).ec != std::errc())
      return false;
  }
  for (const auto& [name, member] : kFlags) interaction.*member = form->get_or(name, "") == "1";
  return true;
}

Result<std::string> sealed(secrets::Keyring& keyring, const store::Bytes& hash, const Interaction& interaction) {
  const std::string plain = to_form(interaction);
  if (plain.size() > kBytesMax) return fail(ErrorCode::exhausted, "the request is too large", ErrorSource::downstream);
  return keyring.seal(kInteractionData.path(hash.data), interaction.version, plain);
}

}  // namespace

Result<Interactions::Begun> Interactions::begin(Interaction wanted, std::string_view browser) {
  Begun begun{std::move(wanted), may_be_token(browser) ? std::string(browser) : crypto::random_token()};
  Interaction& interaction = begun.interaction;
  interaction.id = crypto::random_token();
  if (const std::size_t at = interaction.return_to.find("{flow}"); at != std::string::npos)
    interaction.return_to.replace(at, 6, interaction.id);
  interaction.browser_hash = token_hash(begun.browser).data;
  interaction.version = 1;
  interaction.expires_s = seconds_of(clock_.wall()) + seconds_of(kLifetime);
  const store::Bytes hash = token_hash(interaction.id);
  auto data = sealed(keyring_, hash, interaction);
  if (!data) return tl::unexpected(std::move(data.error()));
  const auto added =
      database_.run("INSERT INTO interactions (token_hash, data_sealed, version, expires_at) VALUES ($1, $2, 1, $3)",
                    {hash, store::Bytes{std::move(*data)}, interaction.expires_s});
  if (!added) return tl::unexpected(added.error());
  return begun;
}

Result<std::optional<Interaction>> Interactions::find(std::string_view id, std::string_view browser) {
  if (!may_be_token(id) || !may_be_token(browser)) return std::nullopt;
  const store::Bytes hash = token_hash(id);
  const auto rows = database_.run(
      "SELECT data_sealed, version, expires_at FROM interactions WHERE token_hash = $1 AND expires_at > $2",
      {hash, seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  const store::Row& row = rows->rows[0];
  Interaction interaction;
  interaction.version = static_cast<std::uint64_t>(row[1].integer());
  const auto plain = keyring_.open(kInteractionData.path(hash.data), interaction.version, row[0].bytes());
  if (!plain) return tl::unexpected(plain.error());
  if (!read_form(plain->expose(), interaction)) return fail(ErrorCode::internal, "a stored interaction does not parse");
  if (!crypto::equal_in_constant_time(interaction.browser_hash, token_hash(browser).data)) return std::nullopt;
  interaction.id = id;
  interaction.expires_s = row[2].integer();
  return interaction;
}

Status Interactions::update(Interaction& interaction) {
  const store::Bytes hash = token_hash(interaction.id);
  const std::uint64_t before = interaction.version++;
  auto data = sealed(keyring_, hash, interaction);
  if (!data) return tl::unexpected(std::move(data.error()));
  const auto rows = database_.run(
      "UPDATE interactions SET data_sealed = $2, version = $3 WHERE token_hash = $1 AND version = $4 AND expires_at > "
      "$5",
      {hash, store::Bytes{std::move(*data)}, interaction.version, before, seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->changed == 0)
    return fail(ErrorCode::conflict, "the interaction went on elsewhere", ErrorSource::downstream);
  return {};
}

Result<bool> Interactions::finish(const Interaction& interaction) {
  const auto rows = database_.run("DELETE FROM interactions WHERE token_hash = $1 AND version = $2 AND expires_at > $3",
                                  {token_hash(interaction.id), interaction.version, seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  return rows->changed > 0;
}

Status Interactions::remove_expired() {
  const auto rows = database_.run(
      "DELETE FROM interactions WHERE token_hash IN (SELECT token_hash FROM interactions WHERE expires_at <= $1 "
      "LIMIT 1000)",
      {seconds_of(clock_.wall())});
  if (!rows) return tl::unexpected(rows.error());
  return {};
}

FormTokens::FormTokens(const secrets::Keyring& keyring) : key_(keyring.derive("form tokens")) {}

std::string FormTokens::make(std::string_view cookie, std::string_view context) const {
  // The cookie's length comes first, so that no two pairs make one text.
  const std::string text = fmt::format("{}:{}{}", cookie.size(), cookie, context);
  return codec::base64url_encode(crypto::as_text(crypto::hmac_sha256(key_.expose(), text)));
}

bool FormTokens::matches(std::string_view token, std::string_view cookie, std::string_view context) const {
  return !cookie.empty() && crypto::equal_in_constant_time(token, make(cookie, context));
}

void start_from_session(Interaction& interaction, const Session& session) {
  interaction.user_id = session.user_id;
  interaction.must_be_user = session.user_id;
  interaction.amr = session.amr;
  interaction.password_at_s = session.auth_s;
  interaction.factor_at_s = interaction.wants_factor ? 0 : session.factor_s;
}

}  // namespace gatehouse::identity
