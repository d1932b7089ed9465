#include "app/delivery/outbound_delivery.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "app/curl_handle.h"
#include "base/ip.h"
#include "codec/base64.h"
#include "codec/json_writer.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "identity/seconds.h"
#include "identity/users/plain_text.h"
#include "identity/users/profile.h"

namespace gatehouse::app {
namespace {

constexpr std::size_t kSubjectBytesMax = 512, kTextBytesMax = 64 * 1024;

bool is_loopback_host(std::string_view host) noexcept {
  if (host == "localhost") return true;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address) return false;
  return address->is_v4() ? address->bytes[12] == 127 : *address == IpAddress::parse("::1");
}

std::string_view host_of(std::string_view server) noexcept {
  const std::size_t colon = server.rfind(':');
  return colon == std::string_view::npos || server.find(']', colon) != std::string_view::npos ? server
                                                                                              : server.substr(0, colon);
}

tl::unexpected<Error> wrong(std::string message) {
  return fail(ErrorCode::invalid, std::move(message), ErrorSource::configuration);
}

Status check(const MailServer& mail) {
  if (mail.server.empty() || mail.server.find_first_of("/@ ?#\r\n") != std::string::npos) {
    return wrong("mail.server: host:port");
  }
  if (!identity::normal_email(mail.from)) return wrong("mail.from: not an e-mail address");
  if (mail.tls == MailServer::Tls::off && !is_loopback_host(host_of(mail.server))) {
    return wrong("mail.tls: off is for a server on the loopback address only");
  }
  return {};
}

Status check(const SmsWebhook& sms) {
  constexpr std::string_view kHttp = "http://";
  std::string_view rest(sms.url);
  if (rest.starts_with(kHttp)) {
    rest.remove_prefix(kHttp.size());
    if (!is_loopback_host(host_of(rest.substr(0, rest.find('/'))))) return wrong("sms.webhook: https");
  } else if (!rest.starts_with("https://")) {
    return wrong("sms.webhook: https");
  }
  if (sms.secret.size() < 16) return wrong("sms.secret: at least 16 bytes");
  return {};
}

// RFC 2047 §2: words of at most 75 characters, none of which cuts a character.
std::string encoded_words(std::string_view text) {
  constexpr std::size_t kBytesMax = 45;
  std::string words;
  while (!text.empty()) {
    const std::string_view part = codec::utf8_prefix(text, kBytesMax);
    text.remove_prefix(part.size());
    if (!words.empty()) words += "\r\n ";
    words += "=?UTF-8?B?" + codec::base64_encode(part) + "?=";
  }
  return words;
}

bool is_printable_ascii(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

struct Upload {
  std::string_view rest;
};
std::size_t on_read(char* into, std::size_t size, std::size_t count, void* upload) {
  std::string_view& rest = static_cast<Upload*>(upload)->rest;
  const std::size_t bytes = std::min(size * count, rest.size());
  if (bytes > 0) std::memcpy(into, rest.data(), bytes);
  rest.remove_prefix(bytes);
  return bytes;
}
std::size_t drop(char*, std::size_t size, std::size_t count, void*) { return size * count; }

void set_bounds(CURL* c, const std::string& ca_file, char* reason) {
  curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 20'000L);
  curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 10'000L);
  curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(c, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!ca_file.empty()) curl_easy_setopt(c, CURLOPT_CAINFO, ca_file.c_str());
  curl_easy_setopt(c, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
}

tl::unexpected<Error> not_sent(CURLcode code, const char* reason, Retry retry) {
  Error error{ErrorCode::unavailable, ErrorSource::upstream, retry, reason};
  if (error.message.empty()) error.message = curl_easy_strerror(code);
  return tl::unexpected(std::move(error));
}

}  // namespace

std::string to_wire(const identity::Mail& mail, std::string_view from, std::string_view message_id, WallTime now) {
  const auto at = static_cast<std::time_t>(identity::seconds_of(now));
  const std::string subject =
      is_printable_ascii(mail.subject) && mail.subject.size() <= 60 ? mail.subject : encoded_words(mail.subject);
  std::string wire = fmt::format(
      "Date: {:%a, %d %b %Y %H:%M:%S} +0000\r\nFrom: <{}>\r\nTo: <{}>\r\nSubject: {}\r\nMessage-ID: <{}@{}>\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n"
      "Auto-Submitted: auto-generated\r\n\r\n",
      fmt::gmtime(at), from, mail.to, subject, message_id, from.substr(from.rfind('@') + 1));
  std::string text;
  for (const char c : mail.text) {
    if (c == '\n') text += '\r';
    text += c;
  }
  const std::string body = codec::base64_encode(text);
  for (std::size_t line = 0; line < body.size(); line += 76) {
    wire += std::string_view(body).substr(line, 76);
    wire += "\r\n";
  }
  return wire;
}

Status deliver(const MailServer& server, const identity::Mail& mail, const std::string& wire) {
  const CurlPtr curl = new_curl();
  const CurlListPtr recipients(curl_slist_append(nullptr, ("<" + mail.to + ">").c_str()));
  if (!curl || !recipients) return fail(ErrorCode::internal, "libcurl does not start");
  CURL* c = curl.get();
  char reason[CURL_ERROR_SIZE] = "";
  Upload upload{wire};
  const bool implicit = server.tls == MailServer::Tls::tls;
  set_bounds(c, server.ca_file, reason);
  curl_easy_setopt(c, CURLOPT_URL, fmt::format("{}://{}", implicit ? "smtps" : "smtp", server.server).c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
  const bool plain = server.tls == MailServer::Tls::off;
  curl_easy_setopt(c, CURLOPT_USE_SSL, static_cast<long>(plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  if (!server.username.empty()) {
    curl_easy_setopt(c, CURLOPT_USERNAME, server.username.c_str());
    curl_easy_setopt(c, CURLOPT_PASSWORD, std::string(server.password.expose()).c_str());
  }
  curl_easy_setopt(c, CURLOPT_MAIL_FROM, ("<" + server.from + ">").c_str());
  curl_easy_setopt(c, CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
  curl_easy_setopt(c, CURLOPT_READDATA, &upload);
  const CURLcode code = curl_easy_perform(c);
  if (code == CURLE_OK) return {};
  long status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  // RFC 5321 §4.2.1: 5yz is for good. Everything else may pass.
  return not_sent(code, reason, status >= 500 && status < 600 ? Retry::no : Retry::safe);
}

Status deliver(const SmsWebhook& webhook, const std::string& body, std::int64_t now_s) {
  const CurlPtr curl = new_curl();
  const std::string signed_text = fmt::format("{}.{}", now_s, body);
  const std::string signature =
      crypto::to_hex(crypto::as_text(crypto::hmac_sha256(webhook.secret.expose(), signed_text)));
  CurlListPtr fields(curl_slist_append(nullptr, "Content-Type: application/json"));
  if (!curl || !fields) return fail(ErrorCode::internal, "libcurl does not start");
  curl_slist_append(fields.get(), fmt::format("Gatehouse-Signature: t={},v1={}", now_s, signature).c_str());
  CURL* c = curl.get();
  char reason[CURL_ERROR_SIZE] = "";
  set_bounds(c, webhook.ca_file, reason);
  curl_easy_setopt(c, CURLOPT_URL, webhook.url.c_str());
  curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, webhook.url.starts_with("https://") ? "https" : "http");
  curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(c, CURLOPT_USERAGENT, "gatehouse/" GATEHOUSE_VERSION);
  curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields.get());
  curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
  curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.c_str());
  const CURLcode code = curl_easy_perform(c);
  if (code != CURLE_OK) return not_sent(code, reason, Retry::safe);
  long status = 0;
  curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
  if (status >= 200 && status < 300) return {};
  const bool again = status == 408 || status == 429 || status >= 500;
  return tl::unexpected(Error{ErrorCode::unavailable, ErrorSource::upstream, again ? Retry::safe : Retry::no,
                              fmt::format("the webhook answered {}", status)});
}

Result<std::unique_ptr<OutboundDelivery>> OutboundDelivery::create(std::optional<MailServer> mail,
                                                                   std::optional<SmsWebhook> sms, const Clock& clock,
                                                                   RetryQueue::Thread thread) {
  if (mail) {
    if (auto good = check(*mail); !good) return tl::unexpected(std::move(good.error()));
  }
  if (sms) {
    if (auto good = check(*sms); !good) return tl::unexpected(std::move(good.error()));
  }
  return std::unique_ptr<OutboundDelivery>(new OutboundDelivery(std::move(mail), std::move(sms), clock, thread));
}

OutboundDelivery::OutboundDelivery(std::optional<MailServer> mail, std::optional<SmsWebhook> sms, const Clock& clock,
                                   RetryQueue::Thread thread)
    : mail_(std::move(mail)),
      sms_(std::move(sms)),
      clock_(clock),
      mails_("mail", kWaitingMax, clock, mail_ ? thread : RetryQueue::Thread::none),
      messages_("sms", kWaitingMax, clock, sms_ ? thread : RetryQueue::Thread::none) {}

Status OutboundDelivery::send(identity::Mail mail) {
  if (!mail_) return fail(ErrorCode::unavailable, "no mail server is configured");
  if (identity::normal_email(mail.to) != mail.to || !identity::is_plain_text(mail.subject, kSubjectBytesMax) ||
      !identity::is_plain_text(mail.text, kTextBytesMax, identity::LineFeeds::allowed)) {
    return fail(ErrorCode::invalid, "not a message that may be sent");
  }
  // Made once: when a try is repeated, the server may see that it is the same message.
  std::string wire = to_wire(mail, mail_->from, crypto::random_token(), clock_.wall());
  return mails_.push([this, mail = std::move(mail), wire = std::move(wire)] { return deliver(*mail_, mail, wire); });
}

Status OutboundDelivery::send(identity::ShortMessage message) {
  if (!sms_) return fail(ErrorCode::unavailable, "no webhook for short messages is configured");
  if (identity::normal_phone_number(message.to) != message.to || !identity::is_plain_text(message.text, 1000)) {
    return fail(ErrorCode::invalid, "not a message that may be sent");
  }
  std::string body;
  {
    codec::JsonWriter json(body);
    json.raw(R"({"id":)");
    json.string(crypto::random_token());
    json.raw(R"(,"to":)");
    json.string(message.to);
    json.raw(R"(,"text":)");
    json.string(message.text);
    json.raw("}");
  }
  return messages_.push(
      [this, body = std::move(body)] { return deliver(*sms_, body, identity::seconds_of(clock_.wall())); });
}

void OutboundDelivery::run_due() {
  mails_.run_due();
  messages_.run_due();
}

}  // namespace gatehouse::app
