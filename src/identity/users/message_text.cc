// What messages say. One table; a language is a column.

#include <array>

#include "identity/users/delivery.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

struct Text {
  std::string_view subject, body;
};
struct Message {
  MessageKind kind;
  Text english, german;
};

// `{name}` and the like are fields.
constexpr std::array<Message, 10> kMessages{{
    {MessageKind::invitation,
     {"You are invited to {site}",
      "Hello {name},\n\nan account was made for you at {site}. Your user name is {username}.\n"
      "Choose how you sign in:\n\n{link}\n\nThe link works once, until {expires}.\n"
      "If you don't expect this, do nothing.\n"},
     {"Einladung zu {site}",
      "Hallo {name},\n\nbei {site} wurde ein Konto für Sie angelegt. Ihr Benutzername ist {username}.\n"
      "Legen Sie hier fest, wie Sie sich anmelden:\n\n{link}\n\nDer Link gilt einmal, bis {expires}.\n"
      "Wenn Sie das nicht erwarten, tun Sie nichts.\n"}},
    {MessageKind::verify_email,
     {"Confirm your address at {site}",
      "Hello {name},\n\nplease confirm that this is your address:\n\n{link}\n\nThe link works once, until {expires}.\n"
      "If you didn't ask for this, do nothing.\n"},
     {"Bestätigen Sie Ihre Adresse bei {site}",
      "Hallo {name},\n\nbitte bestätigen Sie, dass dies Ihre Adresse ist:\n\n{link}\n\n"
      "Der Link gilt einmal, bis {expires}.\nWenn Sie das nicht angefordert haben, tun Sie nichts.\n"}},
    {MessageKind::reset_password,
     {"Choose a new password at {site}",
      "Hello {name},\n\nsomebody, probably you, has asked for a new password for {username}:\n\n{link}\n\n"
      "The link works once, until {expires}.\nIf it wasn't you, do nothing: your password stays as it is.\n"},
     {"Neues Passwort für {site}",
      "Hallo {name},\n\njemand, vermutlich Sie selbst, möchte für {username} ein neues Passwort setzen:\n\n{link}\n\n"
      "Der Link gilt einmal, bis {expires}.\nWaren Sie es nicht, tun Sie nichts: Ihr Passwort bleibt, wie es ist.\n"}},
    {MessageKind::password_changed,
     {"Your password at {site} was changed",
      "Hello {name},\n\nthe password of {username} was changed ({time}). All other sessions have ended.\n"
      "If it wasn't you, ask for a new one at once, and tell whoever runs {site}.\n"},
     {"Ihr Passwort bei {site} wurde geändert",
      "Hallo {name},\n\ndas Passwort von {username} wurde geändert ({time}). Alle anderen Sitzungen sind beendet.\n"
      "Waren Sie es nicht, fordern Sie sofort ein neues an und melden Sie es dem Betreiber von {site}.\n"}},
    {MessageKind::login_code,
     {"{code} is your code for {site}",
      "Hello {name},\n\nyour code for {site} is\n\n    {code}\n\nIt works once, for {minutes} minutes. Type it only at "
      "{site}; nobody who calls or writes to you needs it.\n"},
     {"{code} ist Ihr Code für {site}",
      "Hallo {name},\n\nIhr Code für {site} lautet\n\n    {code}\n\nEr gilt einmal und {minutes} Minuten lang. Geben "
      "Sie "
      "ihn nur bei {site} ein; niemand, der Sie anruft oder Ihnen schreibt, braucht ihn.\n"}},
    {MessageKind::new_device,
     {"New sign-in at {site}",
      "Hello {name},\n\n{username} has signed in from a browser that was not seen before:\n\n"
      "{device}\nAddress: {address}\nTime: {time}\n\nIf it wasn't you, change your password and end that session at "
      "{site}.\n"},
     {"Neue Anmeldung bei {site}",
      "Hallo {name},\n\n{username} hat sich mit einem bisher unbekannten Browser angemeldet:\n\n"
      "{device}\nAdresse: {address}\nZeit: {time}\n\nWaren Sie es nicht, ändern Sie Ihr Passwort und beenden Sie diese "
      "Sitzung bei {site}.\n"}},
    {MessageKind::factor_added,
     {"A second factor was added at {site}",
      "Hello {name},\n\na second factor was added to {username}: {factor} ({time}).\n"
      "If it wasn't you, change your password, remove the factor, and tell whoever runs {site}.\n"},
     {"Zweiter Faktor bei {site} hinzugefügt",
      "Hallo {name},\n\nfür {username} wurde ein zweiter Faktor hinzugefügt: {factor} ({time}).\n"
      "Waren Sie es nicht, ändern Sie Ihr Passwort, entfernen Sie den Faktor und melden Sie es dem Betreiber von "
      "{site}.\n"}},
    {MessageKind::login_linked,
     {"A login was linked with your account at {site}",
      "Hello {name},\n\na login at {provider} was linked with {username} ({time}). Whoever holds it can sign in.\n"
      "If it wasn't you, change your password, unlink the login, and tell whoever runs {site}.\n"},
     {"Eine Anmeldung wurde mit Ihrem Konto bei {site} verknüpft",
      "Hallo {name},\n\neine Anmeldung bei {provider} wurde mit {username} verknüpft ({time}). Wer sie besitzt, kann "
      "sich "
      "anmelden.\nWaren Sie es nicht, ändern Sie Ihr Passwort, lösen Sie die Verknüpfung und melden Sie es dem "
      "Betreiber "
      "von {site}.\n"}},
    {MessageKind::factor_removed,
     {"A second factor was removed at {site}",
      "Hello {name},\n\na second factor was removed from {username}: {factor} ({time}).\n"
      "If it wasn't you, change your password, and tell whoever runs {site}.\n"},
     {"Zweiter Faktor bei {site} entfernt",
      "Hallo {name},\n\nfür {username} wurde ein zweiter Faktor entfernt: {factor} ({time}).\n"
      "Waren Sie es nicht, ändern Sie Ihr Passwort und melden Sie es dem Betreiber von {site}.\n"}},
    {MessageKind::recovery_used,
     {"A recovery code was used at {site}",
      "Hello {name},\n\n{username} has signed in with a recovery code ({time}). Codes that are left: {left}.\n"
      "If it wasn't you, change your password, and make new codes at {site}.\n"},
     {"Ein Wiederherstellungscode für {site} wurde benutzt",
      "Hallo {name},\n\n{username} hat sich mit einem Wiederherstellungscode angemeldet ({time}). Verbleibende Codes: "
      "{left}.\nWaren Sie es nicht, ändern Sie Ihr Passwort und erzeugen Sie bei {site} neue Codes.\n"}},
}};

constexpr std::size_t kFieldBytesMax = 256, kSmsBytesMax = 160;

const Text& text_of(MessageKind kind, std::string_view locale) {
  const bool german = locale == "de" || locale.starts_with("de-") || locale.starts_with("de_");
  for (const Message& message : kMessages) {
    if (message.kind == kind) return german ? message.german : message.english;
  }
  return kMessages[0].english;
}

// A value is put in once: what it holds is text, braces too.
std::string filled(std::string_view pattern, const MessageFields& fields) {
  std::string out;
  while (!pattern.empty()) {
    const std::size_t open = pattern.find('{');
    out += pattern.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = pattern.find('}', open);
    const std::string_view name = pattern.substr(open + 1, close - open - 1);
    for (const auto& [field, value] : fields) {
      if (field == name) out += as_plain_text(value, kFieldBytesMax);
    }
    pattern.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace

Composed compose(MessageKind kind, std::string_view locale, const MessageFields& fields) {
  const Text& text = text_of(kind, locale);
  return {filled(text.subject, fields), filled(text.body, fields)};
}

// The subject says it all, in one message.
std::string compose_sms(MessageKind kind, std::string_view locale, const MessageFields& fields) {
  return as_plain_text(filled(text_of(kind, locale).subject, fields), kSmsBytesMax);
}

}  // namespace gatehouse::identity
