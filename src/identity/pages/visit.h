#pragma once
// One request to a page: what it brought, who it comes from, and the ways to answer it.
//
// Lifetime: a Visit is made for one request and refers to it. Thread safety: one thread.

#include <optional>
#include <string>
#include <string_view>

#include "codec/form.h"
#include "identity/pages/page.h"
#include "identity/pages/pages.h"
#include "identity/visitor.h"
#include "identity/web.h"

namespace gatehouse::identity {

struct Visit {
  Visit(const PagesParts& parts, const PagesOptions& options, const Site& site, const WebRequest& request);

  const PagesParts& parts;
  const PagesOptions& options;
  const Site& site;
  const WebRequest& web;
  codec::Form form;          // of a POST its body, else the query; of a malformed one nothing
  bool well_formed = false;  // and no name came twice
  // Values of cookies; empty: there is none.
  std::string_view browser, session_cookie, device_cookie;
  Words words;

  std::string_view value(std::string_view name) const noexcept { return form.get_or(name, ""); }
  Visitor visitor() const;
  // Did a page of ours send this POST? `cookie` and `context`: as the form's token was made.
  bool is_ours(std::string_view cookie, std::string_view context) const;
  std::string csrf(std::string_view cookie, std::string_view context) const {
    return parts.form_tokens.make(cookie, context);
  }

  WebResponse go(std::string_view path) const;  // 303; `path` is below the issuer
  WebResponse page(int status, std::string document) const { return html(status, std::move(document)); }
  WebResponse notice(int status, Message title, Message text, std::string_view path = {},
                     std::optional<Message> link = {}) const;
  WebResponse form_expired() const;  // 403
  WebResponse unavailable() const;   // 503: the store is gone
  WebResponse busy() const;          // 503: too many at once
  // What a message of `Verdict::wait` says.
  std::string wait_text(Duration retry_after) const;

  Alert wrong(Message message, std::string_view field = {}) const {
    return {Alert::Tone::error, std::string(words(message)), field};
  }
  Alert good(Message message) const { return {Alert::Tone::success, std::string(words(message))}; }
};

std::int64_t whole_seconds(Duration duration) noexcept;  // rounded up, at least 1

}  // namespace gatehouse::identity
