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

}  // namespace
}  // namespace gatehouse::waf
