#pragma once
// /login and below it: password, passkey, second factor, and what follows once somebody has signed in.
//
// Thread safety: any thread; all calls block for the store.

#include <optional>
#include <string>
#include <string_view>

#include "identity/pages/visit.h"
#include "identity/users/authentication.h"

namespace gatehouse::identity {

std::optional<WebResponse> handle_sign_in(const Visit& visit);

// The interaction that the request's `flow` names, or the answer when there is none (it is over, or of another browser)
// or when a POST was not sent by a page of ours.
tl::expected<Interaction, WebResponse> find_interaction(const Visit& visit);
tl::expected<Interaction, WebResponse> find_interaction(const Visit& visit, std::string_view id);
std::string context_of(const Interaction& interaction);  // of its forms' token

// Begins a visit and sends the browser to its login.
WebResponse begin_login(const Visit& visit, Interaction wanted);
// On to the next step; at the end the session begins and the browser goes to where the visit came from.
WebResponse go_on(const Visit& visit, const Interaction& interaction, LoginStep step, bool remember);
// What an answer leads to where it was not `next`. `show`: the page again, with what is wrong on it.
template <class Show>
WebResponse answer_refused(const Visit& visit, const LoginAnswer& answer, Message wrong, std::string_view field,
                           Show show) {
  using Verdict = LoginAnswer::Verdict;
  switch (answer.verdict) {
    case Verdict::wait: {
      WebResponse response = show(429, Alert{Alert::Tone::error, visit.wait_text(answer.retry_after), {}});
      response.add("retry-after", std::to_string(whole_seconds(answer.retry_after)));
      response.reason = "login.wait";
      return response;
    }
    case Verdict::busy: return visit.busy();
    case Verdict::gone:
      return visit.notice(400, Message::title_expired, Message::flow_gone_text, "/login", Message::to_login);
    case Verdict::unavailable: return visit.unavailable();
    default: break;
  }
  WebResponse response = show(400, visit.wrong(wrong, field));
  response.credentials = WebResponse::Credentials::failed;
  return response;
}

}  // namespace gatehouse::identity
