#include "identity/pages/visit.h"

#include <fmt/format.h>

#include <algorithm>

#include "identity/pages/account_views.h"

namespace gatehouse::identity {

Visit::Visit(const PagesParts& its_parts, const PagesOptions& its_options, const Site& its_site,
             const WebRequest& request)
    : parts(its_parts),
      options(its_options),
      site(its_site),
      web(request),
      browser(host_cookie_of(request, kBrowserCookie).value_or(std::string_view{})),
      session_cookie(host_cookie_of(request, kSessionCookie).value_or(std::string_view{})),
      device_cookie(host_cookie_of(request, kDeviceCookie).value_or(std::string_view{})),
      words(choose_language({}, request.accept_language)) {
  auto parsed = codec::Form::parse(request.is_post() ? request.body : request.query);
  well_formed = parsed && !parsed->repeated();
  if (well_formed) form = std::move(*parsed);
  words = Words(choose_language(value("ui_locales"), request.accept_language));
}

Visitor Visit::visitor() const {
  return {web.client_ip, web.user_agent, web.request_id, device_cookie, session_cookie};
}

bool Visit::is_ours(std::string_view cookie, std::string_view context) const {
  return is_from_our_page(web, options.issuer) && parts.form_tokens.matches(value("csrf"), cookie, context);
}

WebResponse Visit::go(std::string_view path) const { return redirect(fmt::format("{}{}", options.issuer, path)); }

WebResponse Visit::notice(int status, Message title, Message text, std::string_view path,
                          std::optional<Message> link) const {
  NoticeView view{.title = title, .text = std::string(words(text)), .path = path, .link = link};
  if (status >= 400) view.request_id = web.request_id;
  return page(status, render_notice(site, words, view));
}

WebResponse Visit::form_expired() const {
  return notice(403, Message::title_expired, Message::form_expired_text, "/account", Message::to_account);
}

WebResponse Visit::unavailable() const {
  WebResponse response = notice(503, Message::title_unavailable, Message::unavailable_text);
  response.add("retry-after", "10");
  return response;
}

WebResponse Visit::busy() const {
  WebResponse response = notice(503, Message::title_busy, Message::busy_text);
  response.add("retry-after", "2");
  return response;
}

std::string Visit::wait_text(Duration retry_after) const {
  return words(Message::login_wait, {{"duration", words.duration(whole_seconds(retry_after))}});
}

std::int64_t whole_seconds(Duration duration) noexcept {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return std::max<std::int64_t>(seconds, 1);
}

}  // namespace gatehouse::identity
