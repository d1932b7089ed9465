#pragma once
// Messages to people on their way out: e-mail by SMTP, short messages by a webhook. libcurl speaks both protocols.
//
// TLS is verified, always: STARTTLS that a server doesn't offer is an error, never plain text. Without TLS only a
// server on the loopback address is spoken to (a local relay). Nothing that a person typed reaches a header: addresses
// and subjects are checked again here, the body travels as base64. The webhook gets one POST of JSON:
// {"id":…,"to":"+49…","text":…}, with
//   Gatehouse-Signature: t=<seconds since 1970>,v1=<hexadecimal HMAC-SHA-256 of "<t>.<body>" under the secret>
// The same id comes again when an answer was lost: the receiver sends each id once. 2xx is success; 408, 429 and 5xx
// are tried again.
//
// Thread safety: any thread; `send` never waits for the network.

#include <memory>
#include <optional>
#include <string>

#include "app/delivery/retry_queue.h"
#include "base/clock.h"
#include "base/secret_bytes.h"
#include "identity/users/delivery.h"

namespace gatehouse::app {

struct MailServer {
  std::string server;  // "mail.example:587"
  std::string from;    // "login@shop.example"
  std::string username;
  SecretBytes password;
  enum class Tls : std::uint8_t { starttls, tls, off } tls = Tls::starttls;
  std::string ca_file;  // empty: the system's
};
struct SmsWebhook {
  std::string url;  // https
  SecretBytes secret;
  std::string ca_file;
};

class OutboundDelivery final : public identity::Delivery {
 public:
  static constexpr std::size_t kWaitingMax = 1000;  // of each kind

  // ErrorCode::invalid: what is wrong with the configuration.
  static Result<std::unique_ptr<OutboundDelivery>> create(std::optional<MailServer> mail, std::optional<SmsWebhook> sms,
                                                          const Clock& clock = SystemClock::instance(),
                                                          RetryQueue::Thread thread = RetryQueue::Thread::own);

  Status send(identity::Mail mail) override;
  Status send(identity::ShortMessage message) override;
  bool has_mail() const noexcept override { return mail_.has_value(); }
  bool has_sms() const noexcept override { return sms_.has_value(); }

  // Does what is due, when there is no thread.
  void run_due();
  std::size_t waiting() const { return mails_.waiting() + messages_.waiting(); }

 private:
  OutboundDelivery(std::optional<MailServer> mail, std::optional<SmsWebhook> sms, const Clock& clock,
                   RetryQueue::Thread thread);

  const std::optional<MailServer> mail_;
  const std::optional<SmsWebhook> sms_;
  const Clock& clock_;
  RetryQueue mails_, messages_;  // the last members: their threads use the ones above
};

// The message as it goes over the wire (RFC 5322, RFC 2045, RFC 2047), lines end in CRLF.
std::string to_wire(const identity::Mail& mail, std::string_view from, std::string_view message_id, WallTime now);

// One delivery, blocking for at most 20 seconds.
Status deliver(const MailServer& server, const identity::Mail& mail, const std::string& wire);
Status deliver(const SmsWebhook& webhook, const std::string& body, std::int64_t now_s);

}  // namespace gatehouse::app
