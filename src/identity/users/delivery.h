#pragma once
// Messages to people: what they say, and the interface through which they leave. The app implements it (SMTP, a
// webhook).
//
// Thread safety: `send` from any thread; it puts the message into a bounded queue and returns, so that how long it
// takes says nothing about whether there is somebody to write to.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace gatehouse::identity {

// One e-mail of plain text. No field has control characters (`text` has LF): whoever makes one goes through `compose`,
// and the sender refuses others.
struct Mail {
  std::string to;       // one address, as normal_email makes it
  std::string subject;  // UTF-8
  std::string text;     // UTF-8, lines end in LF
};
struct ShortMessage {
  std::string to;  // E.164
  std::string text;
};

class Delivery {
 public:
  virtual ~Delivery() = default;
  // ErrorCode::exhausted: the queue is full; unavailable: this way is not configured; invalid: not a message.
  virtual Status send(Mail mail) = 0;
  virtual Status send(ShortMessage message) = 0;
  virtual bool has_mail() const noexcept = 0;
  virtual bool has_sms() const noexcept = 0;
};

enum class MessageKind : std::uint8_t {
  invitation,        // link, from
  verify_email,      // link
  reset_password,    // link
  password_changed,  // time
  login_code,        // code; also as a short message
  new_device,        // device, address, time
  factor_added,      // factor, time
  factor_removed,    // factor, time
  recovery_used,     // left, time
};

// What the texts name. Values are shown as they are, without control characters, at most 256 bytes each.
using MessageFields = std::vector<std::pair<std::string_view, std::string>>;

struct Composed {
  std::string subject, text;
};
// In the language of `locale` ("de", "de-AT"; English when there is none). `{name}` in a template is a field; every
// template knows `{site}`, the host of the issuer, and `{name}`, the person's.
Composed compose(MessageKind kind, std::string_view locale, const MessageFields& fields);
std::string compose_sms(MessageKind kind, std::string_view locale, const MessageFields& fields);  // at most 160 bytes

}  // namespace gatehouse::identity
