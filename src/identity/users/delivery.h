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

enum class MessageKind : std::uint8_t {  // with the fields that each names, beside `site`, `name` and `username`
  invitation,                            // link, expires
  verify_email,                          // link, expires
  reset_password,                        // link, expires
  password_changed,                      // time
  login_code,                            // code, minutes; also as a short message
  new_device,                            // device, address, time
  factor_added,                          // factor, time
  factor_removed,                        // factor, time
  recovery_used,                         // left, time
  login_linked,                          // provider, time
};

// What the texts name. Values are shown as they are, without control characters, at most 256 bytes each.
using MessageFields = std::vector<std::pair<std::string_view, std::string>>;

struct Composed {
  std::string subject, text;
};
// In the language of `locale` ("de", "de-AT"; English when there is none). `site` is the issuer's host, `name` the
// person's name or username.
Composed compose(MessageKind kind, std::string_view locale, const MessageFields& fields);
std::string compose_sms(MessageKind kind, std::string_view locale, const MessageFields& fields);  // at most 160 bytes

}  // namespace gatehouse::identity
