// What a transaction says that it takes: its owner keeps thousands waiting by it.

#include <gtest/gtest.h>

#include "waf/differential/engine_under_test.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {
namespace {

TEST(TransactionBytes, FollowTheRequest) {
  const auto program = compile_rules({{"test.conf", R"(
SecRule ARGS "@contains x" "id:1,phase:2,pass,setvar:'tx.seen_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'")"}});
  FakeClock clock;
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, clock);
  const auto bytes_of = [&](const std::string& body) {
    transaction.begin({});
    inspect(transaction,
            *parse_raw_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n" +
                               body),
            nullptr);
    const std::size_t bytes = transaction.bytes();
    transaction.end();
    return bytes;
  };
  const std::size_t little = bytes_of("a=1");
  EXPECT_GT(little, 16u << 10);
  EXPECT_LT(little, 32u << 10);
  const std::size_t much = bytes_of("a=" + std::string(200'000, 'y'));
  EXPECT_GT(much, 200'000u);
  EXPECT_LT(much, 600'000u);
  std::string many;
  for (int i = 0; i < 900; ++i) many += "a" + std::to_string(i) + "=x&";
  EXPECT_GT(bytes_of(many), 60'000u);
  EXPECT_LT(bytes_of("a=1"), 200'000u) << "what was large is given back, but for the room of lists";
}

// What rules name and set after the request's arguments is as large as the client likes.
TEST(TransactionBytes, CountWhatRulesSet) {
  const auto program = compile_rules({{"test.conf", R"(
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}"
SecRule ARGS "@contains x" "id:2,phase:2,pass,nolog,setvar:'tx.seen_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule ARGS "@contains z" "id:3,phase:2,pass,nolog,setvar:'ip.%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'")"}});
  FakeClock clock;
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, clock);
  MemoryCollections collections(clock);
  // As much of it as comes on top of the same request with arguments that no rule looks for.
  const auto added = [&](char letter) {
    std::size_t bytes[2];
    for (const bool found : {false, true}) {
      std::string query;
      for (int i = 0; i < 500; ++i)
        query += "&a" + std::to_string(i) + "=" + std::string(100, 'y') + (found ? letter : 'y');
      transaction.begin({.collections = &collections});
      transaction.connection("192.0.2.1", "id");
      transaction.request_line("GET", "/?" + query, "HTTP/1.1");
      transaction.run(1);
      transaction.run(2);
      bytes[found] = transaction.bytes();
      transaction.end();
    }
    return bytes[1] - bytes[0];
  };
  EXPECT_GT(added('x'), 500u * 100);
  EXPECT_GT(added('z'), MemoryCollections::kVariablesMax * 100);
}

}  // namespace
}  // namespace gatehouse::waf
