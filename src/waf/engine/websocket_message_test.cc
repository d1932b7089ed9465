// What rules see of a text message in a WebSocket.

#include <gtest/gtest.h>

#include "waf/differential/engine_under_test.h"

namespace gatehouse::waf {
namespace {

TEST(WebSocketMessage, IsJsonOrOneArgument) {
  const auto program = compile_rules({{"test.conf", R"(
SecRule ARGS:message "@rx ." "id:1,phase:2,pass"
SecRule ARGS_NAMES "@contains chat" "id:2,phase:2,pass"
SecRule ARGS "@streq attack" "id:3,phase:2,pass"
SecRule REQBODY_PROCESSOR "@streq JSON" "id:4,phase:2,pass"
SecRule REQBODY_ERROR "@eq 1" "id:5,phase:2,pass"
SecRule REQUEST_BODY_LENGTH "@eq 6" "id:6,phase:2,pass")"}});
  struct Case {
    const char* name;
    std::string text;
    bool complete;
    std::vector<std::uint64_t> ids;
  };
  FakeClock clock;
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, clock);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "1,";
  for (const Case& c : {
           Case{"text", "attack", true, {1, 3, 6}},
           Case{"empty", "", true, {}},
           Case{"JSON", R"({"chat": [{"text": "\u0061ttack"}]})", true, {2, 3, 4}},
           Case{"a list", R"( ["attack"])", true, {3, 4}},
           Case{"like JSON", "[12:30] chat", true, {1}},
           Case{"JSON that breaks off", R"({"chat": "attack", "x)", true, {1, 2, 3}},
           Case{"JSON of which the beginning is seen", R"({"chat": "attack", "x)", false, {2, 3, 4}},
           Case{"JSON of which the beginning of a value is seen", R"({"a": "attack)", false, {3, 4}},
           Case{"no JSON of which the beginning is seen", R"([attack)", false, {3, 4}},
           Case{"a number that is none",
                R"({"a": NaN, "b": [-Infinity, Infinity], "chat": "\u0061ttack"})",
                true,
                {2, 3, 4}},
           Case{"Socket.IO", R"(42["chat",{"a":"\u0061ttack"}])", true, {3, 4}},
           Case{"with an acknowledgement", R"(4217["chat","\u0061ttack"])", true, {3, 4}},
           Case{"in a namespace", R"(42/admin?x=1,7["\u0061ttack"])", true, {1, 3, 4}},
           Case{"with attachments", R"(452-/a,["\u0061ttack",{"_placeholder":true,"num":0}])", true, {1, 3, 4}},
           Case{"a packet without JSON", "42", true, {1}},
           Case{"a namespace without an end", R"(42/a["\u0061ttack"])", true, {1, 3}},
           Case{"a packet that breaks off", R"(42["chat", "\u0061ttack)", false, {1, 3, 4}},
           Case{"SignalR", "{\"chat\":1}\x1e{\"b\":\"\\u0061ttack\"}\x1e", true, {2, 3, 4}},
           Case{"records that are no JSON", "{\"b\":1}\x1e x\x1e[\"\\u0061ttack\"]", true, {1, 3}},
           Case{"like JSON, read as far as it goes", R"({"chat": "attack", "x": y})", true, {1, 2, 3}},
           Case{"like JSON, with an escape behind", R"({"a": y, "b": "\u0061ttack"})", true, {1, 3}},
           Case{"garbage before", R"(zz " \{"a": "\u0061ttack"})", true, {1, 3}},
           Case{"no string of JSON", R"({"a": undefined, "b\x": "\u0061ttack"})", true, {1, 3}},
           Case{"a control character", "[\"\n\", \"\\u0061ttack\"]", true, {1, 3}},
           Case{"no escapes", R"(he said "attack" twice)", true, {1}},
           Case{"one string", R"("\u0061ttack")", true, {3, 4}},
           Case{"SockJS", R"(["{\"chat\":\"\\u0061ttack\"}"])", true, {2, 3, 4}},
           Case{"SockJS, as a server says it", R"(a["{\"chat\":1}","[\"attack\"]"])", true, {2, 3, 4}},
           Case{"SockJS, no JSON inside", R"(["{\"b\": \"\\u0061ttack\" x}"])", true, {3, 4}},
           Case{"SockJS, an escape behind what is none inside", R"(["{\"b\": x \"\\u0061ttack\"}"])", true, {1, 3, 4}},
           Case{"wrapped twice", R"(["[\"[\\\"\\\\u0061ttack\\\"]\"]"])", true, {4}},
           Case{"too deep inside", "[\"" + std::string(100, '[') + "\\\"\\\\u0061ttack\"]", true, {1, 3, 4}},
           Case{"too many inside", "[\"[" + many + "\\\"\\\\u0061ttack\\\"]\"]", true, {1, 3, 4}},
           Case{"too deep", std::string(100, '[') + std::string(100, ']'), true, {4, 5}},
       }) {
    transaction.begin({});
    transaction.request_line("GET", "/chat", "HTTP/1.1");
    transaction.run(1);
    transaction.websocket_message(c.text, c.complete);
    transaction.run(2);
    std::vector<std::uint64_t> ids;
    for (const FiredRule& fired : transaction.fired()) {
      if (fired.id < 1000) ids.push_back(fired.id);
    }
    EXPECT_EQ(ids, c.ids) << c.name;
  }
}

// Where JSON breaks off, or is none any more, a name that no argument has yet is looked at with its escapes resolved,
// in a message and in a body.
TEST(WebSocketMessage, NamesInFrontOfTheBreak) {
  const auto program = compile_rules({{"test.conf", R"(
SecRule ARGS|ARGS_NAMES "@contains attack" "id:1,phase:2,pass")"}});
  FakeClock clock;
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, clock);
  enum class As { message, message_cut, body_cut };
  const auto fired = [&](std::string_view text, As as) {
    transaction.begin({});
    transaction.request_line("POST", "/", "HTTP/1.1");
    transaction.request_header("content-type", "application/json");
    transaction.run(1);
    if (as == As::body_cut) transaction.request_body(text, false);
    if (as != As::body_cut) transaction.websocket_message(text, as == As::message);
    transaction.run(2);
    return transaction.fired().size() == 1;
  };
  for (const std::string_view text : {
           R"({"\u0061ttack)",
           R"({"\u0061ttack")",
           R"({"\u0061ttack" )",
           R"({"\u0061ttack":)",
           R"({"\u0061ttack": )",
           R"({"\u0061ttack": ")",
           R"({"\u0061ttack": "\u0061)",
           R"({"\u0061ttack": {)",
           R"({"\u0061ttack": [[{"b": [)",
           R"({"\u0061ttack": {"b": )",
           R"({"a": 1, "\u0061ttack": tr)",
           R"([1, {"\u0061ttack": [{"b)",
           R"({"b": "\u0061ttack)",
           R"({"\u0061ttack": y)",
           R"({"\u0061ttack" y)",
           R"({"\u0061ttack": {"b": "\x"}})",
       }) {
    for (const As as : {As::message, As::message_cut, As::body_cut}) {
      EXPECT_TRUE(fired(text, as)) << text << ' ' << static_cast<int>(as);
    }
  }
}

// Pieces are bounded like arguments, and the last holds all the rest.
TEST(WebSocketMessage, ManyEscapes) {
  const auto program = compile_rules({{"test.conf", R"(
SecRule &ARGS "@gt 12" "id:1,phase:2,pass"
SecRule ARGS "@contains <script" "id:2,phase:2,pass")"}});
  FakeClock clock;
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, clock);
  std::string text = "garbage ";
  for (int i = 0; i < 1000; ++i) text += R"("\n")";
  transaction.begin({.arguments_max = 10});
  transaction.request_line("GET", "/chat", "HTTP/1.1");
  transaction.websocket_message(text + R"("\u003cscript")", true);
  transaction.run(2);
  ASSERT_EQ(transaction.fired().size(), 1u);
  EXPECT_EQ(transaction.fired()[0].id, 2u);
}

}  // namespace
}  // namespace gatehouse::waf
