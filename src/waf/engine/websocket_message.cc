// A WebSocket's text message: JSON where it is some, with what the usual protocols write around it; otherwise text.

#include <algorithm>

#include "waf/body/json_body.h"
#include "waf/engine/transaction.h"

namespace gatehouse::waf {
namespace {

// Ends each message of SignalR's JSON hub protocol. No JSON holds it: control characters are escaped there.
constexpr char kRecordSeparator = '\x1e';

std::size_t skip_digits(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
  return at;
}

// What Socket.IO writes in front of the JSON, 0 when there is nothing of it: the packet types of Engine.IO and its own,
// the number of attachments, the namespace, and the id of the acknowledgement: `42/shop,7["order",{}]`.
// Source: Socket.IO protocol 5, "Packet encoding"; Engine.IO protocol 4.
// Of SockJS the `a` in front of a list of messages.
std::size_t packet_head_bytes(std::string_view text) noexcept {
  if (text.starts_with("a[")) return 1;
  std::size_t at = skip_digits(text, 0);
  if (at == 0) return 0;
  if (at < text.size() && text[at] == '-') ++at;
  if (at < text.size() && text[at] == '/') {
    const std::size_t comma = text.find(',', at);
    if (comma == std::string_view::npos) return 0;
    at = comma + 1;
  }
  return skip_digits(text, at);
}

bool may_be_json(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[' || text[first] == '"');
}

}  // namespace

void Transaction::websocket_message(std::string_view text, bool complete) {
  if (!body_access_) return;
  text = keep(text);
  regexes_.add_bytes(text.size());
  set_number(Variable::request_body_length, text.size());
  const std::string_view head = text.substr(0, packet_head_bytes(text)), json = text.substr(head.size());
  std::size_t unread_from = 0;  // in the JSON
  if (may_be_json(json)) {
    read_json_records(json);
    unwrap_strings();
    const bool malformed = body_.error == BodyError::malformed;
    if (!malformed || !complete) {
      forced_processor_ = BodyProcessor::json;
      tell_processor();
      if (head.find('/') != std::string_view::npos) values_.add(ValueList::args_post, "message", head);
      take_unread(json, "message");
      take_body(BodyProcessor::json, complete);
      return;
    }
    // `[12:30] hello` is no JSON, and no harm; but a lenient service may read what we cannot.
    for (const NameValue& argument : body_.arguments) values_.add(ValueList::args_post, argument.name, argument.value);
    take_unread_name();
    unread_from = body_.unread_from;
  }
  values_.add(ValueList::args_post, "message", text);
  take_escaped(json.substr(std::min(unread_from, json.size())), "message");
}

// Into `body_` comes what could be read.
void Transaction::read_json_records(std::string_view text) {
  body_.clear();
  BodyLimits limits = body_limits();
  limits.json_nan = true;
  for (std::size_t at = 0; at < text.size() && body_.error == BodyError::none;) {
    const std::size_t end = std::min(text.find(kRecordSeparator, at), text.size());
    read_json_body(text.substr(at, end - at), limits, arena_, body_);
    if (body_.error != BodyError::none) body_.unread_from += at;
    at = end + 1;
  }
}

// JSON within strings of JSON, as SockJS wraps its messages (`["{\"say\":…}"]`): its members by their own names,
// besides the strings. One level: what wraps twice is no protocol, and nobody shall fold a message over and over.
void Transaction::unwrap_strings() {
  const std::size_t strings = body_.arguments.size();
  Body inner;
  for (std::size_t i = 0; i < strings; ++i) {
    const std::string_view text = body_.arguments[i].value;
    if (text.size() < 2 || !may_be_json(text)) continue;
    inner.clear();
    BodyLimits limits = body_limits();
    limits.json_nan = true;
    limits.arguments_max -= std::min(limits.arguments_max, body_.arguments.size());
    read_json_body(text, limits, arena_, inner);
    if (inner.error != BodyError::none) {
      // No JSON after all, or more of it than is read: a lenient service may read what we do not. The string stands as
      // it is, too, so that this is no error of the message.
      take_escaped(text.substr(std::min(inner.unread_from, text.size())), "message");
      if (!inner.unread_name.empty()) values_.add(ValueList::args_post, inner.unread_name, "");
    }
    body_.arguments.insert(body_.arguments.end(), inner.arguments.begin(), inner.arguments.end());
  }
}

// Of text that is no JSON to us: what stands between quotes, its escapes resolved. Whether it stands inside a string or
// between two is not asked, so that no quote too many can hide anything; what has no escape is shown by the text
// itself.
void Transaction::take_escaped(std::string_view text, std::string_view name) {
  std::size_t left = std::max<std::size_t>(body_limits().arguments_max, 1);
  std::size_t begin = 0;
  bool escapes = false;
  for (std::size_t at = 0;; ++at) {
    if (at < text.size() && text[at] == '\\') {
      escapes = true;
      ++at;
      continue;
    }
    if (at < text.size() && (text[at] != '"' || left == 1)) continue;
    if (escapes) {
      values_.add(ValueList::args_post, name, unescape_json(text.substr(begin, at - begin), arena_));
      --left;
    }
    if (at >= text.size()) return;
    begin = at + 1;
    escapes = false;
  }
}

}  // namespace gatehouse::waf
