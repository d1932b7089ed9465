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
  for (const Case& c : {
           Case{"text", "attack", true, {1, 3, 6}},
           Case{"empty", "", true, {}},
           Case{"JSON", R"({"chat": [{"text": "\u0061ttack"}]})", true, {2, 3, 4}},
           Case{"a list", R"( ["attack"])", true, {3, 4}},
           Case{"like JSON", "[12:30] chat", true, {1}},
           Case{"JSON that breaks off", R"({"chat": "attack", "x)", true, {1}},
           Case{"JSON of which the beginning is seen", R"({"chat": "attack", "x)", false, {2, 3, 4}},
           Case{"JSON of which the beginning of a value is seen", R"({"a": "attack)", false, {3, 4}},
           Case{"no JSON of which the beginning is seen", R"([attack)", false, {3, 4}},
           Case{"one string", R"("\u0061ttack")", true, {3, 4}},
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

}  // namespace
}  // namespace gatehouse::waf
