// SecArgumentsLimit against libmodsecurity 3.0.9.

#include <gtest/gtest.h>

#include <set>

#include "waf/differential/engine_under_test.h"
#include "waf/modsecurity_test_peer.h"

namespace gatehouse::waf {
namespace {

using Ids = std::set<std::uint64_t>;

constexpr std::size_t kLimit = 3;

// 10N: ARGS has N values; 20N, 30N: ARGS_GET, ARGS_POST; 401 to 409: there is an argument a to i.
std::string rules() {
  std::string text =
      "SecRuleEngine On\nSecRequestBodyAccess On\nSecArgumentsLimit 3\n"
      "SecRule REQUEST_HEADERS:Content-Type \"@beginsWith application/json\" "
      "\"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n";
  for (int i = 0; i < 10; ++i) {
    text += fmt::format("SecRule &ARGS \"@eq {0}\" \"id:10{0},phase:2,pass,log\"\n", i);
    text += fmt::format("SecRule &ARGS_GET \"@eq {0}\" \"id:20{0},phase:2,pass,log\"\n", i);
    text += fmt::format("SecRule &ARGS_POST \"@eq {0}\" \"id:30{0},phase:2,pass,log\"\n", i);
    if (i > 0) {
      const char name = static_cast<char>('a' + i - 1);
      text += fmt::format("SecRule ARGS_NAMES \"@rx ^(?:json\\.)?{1}$\" \"id:40{0},phase:2,pass,log\"\n", i, name);
    }
  }
  text += "SecRule REQBODY_ERROR \"!@eq 0\" \"id:500,phase:2,pass,log\"\n";
  text += "SecRule REQBODY_PROCESSOR_ERROR \"!@eq 0\" \"id:501,phase:2,pass,log\"\n";
  text += "SecRule MULTIPART_STRICT_ERROR \"!@eq 0\" \"id:502,phase:2,pass,log\"\n";
  return text;
}

class ArgumentsLimit : public testing::Test {
 protected:
  ArgumentsLimit() {
    EXPECT_TRUE(theirs_.load(rules(), "test.conf")) << theirs_.error();
    ours_ = compile_rules({{"test.conf", rules()}});
  }
  Ids ours(const RawRequest& request) {
    Workspace workspace(*ours_, nullptr);
    Transaction transaction(workspace, SystemClock::instance());
    transaction.begin({.arguments_max = kLimit});
    inspect(transaction, request, nullptr);
    Ids ids;
    for (const FiredRule& fired : transaction.fired()) ids.insert(fired.id);
    ids.erase(1);
    return ids;
  }
  Ids theirs(const RawRequest& request) {
    const auto transaction = theirs_.run(request, nullptr);
    Ids ids;
    for (const auto& message : transaction->m_rulesMessages) ids.insert(static_cast<std::uint64_t>(message.m_ruleId));
    return ids;
  }

  ModSecurityRules theirs_;
  std::unique_ptr<const Program> ours_;
};

enum class Kind { form, json, multipart };

// Arguments are named a, b, c and so on, first those of the query.
RawRequest request(int get, int post, Kind kind) {
  static constexpr const char* kTypes[] = {"application/x-www-form-urlencoded", "application/json",
                                           "multipart/form-data; boundary=x"};
  std::string target = "/", body;
  char name = 'a';
  for (int i = 0; i < get; ++i) target += fmt::format("{}{}=1", i == 0 ? '?' : '&', name++);
  for (int i = 0; i < post; ++i, ++name) {
    switch (kind) {
      case Kind::form: body += fmt::format("{}{}=1", i == 0 ? "" : "&", name); break;
      case Kind::json: body += fmt::format("{}\"{}\":\"1\"", i == 0 ? "{" : ",", name); break;
      case Kind::multipart:
        body += fmt::format("--x\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n1\r\n", name);
        break;
    }
  }
  if (kind == Kind::json) body += "}";
  if (kind == Kind::multipart) body += "--x--\r\n";
  if (post == 0) body.clear();
  std::string text = (post == 0 ? "GET " : "POST ") + target + " HTTP/1.1\r\nHost: shop.example\r\n";
  if (post != 0)
    text += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", kTypes[static_cast<int>(kind)], body.size());
  return *parse_raw_request(text + "\r\n" + body);
}

// The names and the numbers of arguments.
Ids arguments(const Ids& ids) {
  Ids result;
  for (const std::uint64_t id : ids) {
    // To the library, what JSON holds is in ARGS and not in ARGS_POST.
    if (id < 500 && id / 10 != 30) result.insert(id);
  }
  return result;
}

constexpr Ids::value_type kErrors[] = {500, 501};

// The query and the body together have as many as the limit says. What is left out is an error to us wherever it stood;
// the library says so of JSON only, and leaves forms to a rule of its recommended set-up (200007, `&ARGS "@ge 1000"`).
TEST_F(ArgumentsLimit, FormsAndJson) {
  for (const Kind kind : {Kind::form, Kind::json}) {
    for (int get = 0; get <= 4; ++get) {
      for (int post = 0; post <= 5; ++post) {
        SCOPED_TRACE(fmt::format("{} in the query, {} in the body, {}", get, post, static_cast<int>(kind)));
        const Ids ours = this->ours(request(get, post, kind)), theirs = this->theirs(request(get, post, kind));
        EXPECT_EQ(arguments(ours), arguments(theirs));
        const bool over = get + post > static_cast<int>(kLimit);
        for (const std::uint64_t error : kErrors) {
          EXPECT_EQ(ours.contains(error), over);
          EXPECT_EQ(theirs.contains(error), over && kind == Kind::json && post != 0);
        }
        EXPECT_FALSE(ours.contains(502) || theirs.contains(502));
      }
    }
  }
}

// The library has no bound for the parts of a multipart body. To us it is the same as for the others, and what goes
// past it is a strict error, as the manual has it for whatever the processor could not read.
TEST_F(ArgumentsLimit, Multipart) {
  for (int get = 0; get <= 4; ++get) {
    for (int post = 0; post <= 5; ++post) {
      SCOPED_TRACE(fmt::format("{} in the query, {} in the body", get, post));
      const Ids ours = this->ours(request(get, post, Kind::multipart)),
                theirs = this->theirs(request(get, post, Kind::multipart));
      const bool over = get + post > static_cast<int>(kLimit);
      EXPECT_EQ(ours == theirs, !over);
      EXPECT_TRUE(ours.contains(100 + static_cast<std::uint64_t>(std::min(get + post, 3))));
      EXPECT_TRUE(theirs.contains(100 + static_cast<std::uint64_t>(std::min(get, 3) + post)));
      EXPECT_EQ(ours.contains(500), over);
      EXPECT_EQ(ours.contains(502), over && post != 0);
      EXPECT_FALSE(theirs.contains(500) || theirs.contains(502));
    }
  }
}

}  // namespace
}  // namespace gatehouse::waf
