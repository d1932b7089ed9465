#include "waf/regression/runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/base64.h"
#include "codec/json.h"

namespace gatehouse::waf {
namespace {

bool has_fired(const Transaction& transaction, std::uint64_t id) {
  return std::any_of(transaction.fired().begin(), transaction.fired().end(),
                     [id](const FiredRule& fired) { return fired.id == id; });
}

// Bytes that are no printable ASCII as `\x0d`, so that a line is one line.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte > 0x7e) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string ids_text(const Transaction& transaction) {
  std::string text;
  for (const FiredRule& fired : transaction.fired()) {
    if (fired.logged) text += fmt::format("{}{}", text.empty() ? "" : " ", fired.id);
  }
  return text.empty() ? "none" : text;
}

}  // namespace

const std::string_view kRegressionSetUp = R"(SecAction "id:900005,\
  phase:1,\
  nolog,\
  pass,\
  ctl:ruleEngine=DetectionOnly,\
  ctl:ruleRemoveById=910000,\
  setvar:tx.blocking_paranoia_level=4,\
  setvar:tx.crs_validate_utf8_encoding=1,\
  setvar:tx.arg_name_length=100,\
  setvar:tx.arg_length=400,\
  setvar:tx.total_arg_length=64000,\
  setvar:tx.max_num_args=255,\
  setvar:tx.max_file_size=64100,\
  setvar:tx.combined_file_sizes=65535"
)";

std::string log_line(const Program& program, const FiredRule& fired) {
  const Rule& rule = *program.rule(fired.index).source;
  static constexpr std::string_view kSeverities[] = {"0", "1", "2", "3", "4", "5", "6", "7", ""};
  std::string line = fmt::format("[file \"{}\"] [line \"{}\"] [id \"{}\"] [msg \"{}\"] [data \"{}\"] [severity \"{}\"]",
                                 program.source().files.empty() ? "" : program.source().files[rule.position.file],
                                 rule.position.line, fired.id, escaped(fired.message), escaped(fired.data),
                                 kSeverities[static_cast<std::size_t>(rule.actions.severity)]);
  for (const std::string& tag : rule.actions.tags) line += fmt::format(" [tag \"{}\"]", tag);
  return line;
}

RawResponse played_back_end(const RawRequest& request) {
  RawResponse response;
  const std::string_view path = std::string_view(request.uri).substr(0, request.uri.find('?'));
  if (!path.ends_with("/reflect")) return response;
  const auto wanted = codec::Json::parse(request.body, {.bytes_max = 1 << 20, .depth_max = 16, .values_max = 10'000});
  if (!wanted || !wanted->is_object()) return response;
  if (const codec::Json* status = wanted->find("status"); status && status->integer()) {
    response.status = static_cast<std::uint16_t>(*status->integer());
  }
  if (const codec::Json* headers = wanted->find("headers"); headers && headers->is_object()) {
    for (std::size_t i = 0; i < headers->size(); ++i) {
      response.headers.emplace_back(headers->name(i), headers->value(i).string().value_or(""));
    }
  }
  if (const auto body = wanted->find_string("body")) response.body = *body;
  if (const auto encoded = wanted->find_string("encodedBody")) {
    response.body = codec::base64_decode(*encoded).value_or("");
  }
  return response;
}

RawRequest framed(RawRequest request) {
  const std::string* length = request.header("content-length");
  if (!length && !request.header("transfer-encoding")) request.body.clear();
  if (length) {
    const std::int64_t bytes = number_of(*length);
    if (bytes >= 0 && static_cast<std::uint64_t>(bytes) < request.body.size())
      request.body.resize(static_cast<std::size_t>(bytes));
  }
  return request;
}

RegressionRunner::RegressionRunner(const Program& program, const MatchPlan* plan, Transaction::Settings settings,
                                   RefusedByParser refused)
    : program_(program),
      workspace_(program, plan),
      transaction_(workspace_, SystemClock::instance()),
      settings_(settings),
      refused_(std::move(refused)) {}

std::string RegressionRunner::failure_of(const RegressionTest& test, const RegressionStage& stage) {
  const ExpectedLog& expected = stage.log;
  for (const std::uint64_t id : expected.ids) {
    if (!has_fired(transaction_, id)) return fmt::format("{} did not fire; fired: {}", id, ids_text(transaction_));
  }
  for (const std::uint64_t id : expected.no_ids) {
    if (has_fired(transaction_, id)) return fmt::format("{} fired and should not", id);
  }
  if (test.isolated) {
    for (const FiredRule& fired : transaction_.fired()) {
      const bool known = std::find(expected.ids.begin(), expected.ids.end(), fired.id) != expected.ids.end();
      if (fired.logged && !known) return fmt::format("{} fired too", fired.id);
    }
  }
  if (expected.match.empty() && expected.no_match.empty()) return {};
  std::string log;
  for (const FiredRule& fired : transaction_.fired()) {
    if (fired.logged) log += log_line(program_, fired) + "\n";
  }
  for (const bool wanted : {true, false}) {
    const std::string& pattern = wanted ? expected.match : expected.no_match;
    if (pattern.empty()) continue;
    const auto regex = Regex::compile("(?-s)" + pattern);
    if (!regex) return "pattern: " + regex.error().message;
    if ((regex->match(log) == Regex::Outcome::match) != wanted) {
      return fmt::format("the log {} /{}/", wanted ? "has no" : "has", pattern);
    }
  }
  return {};
}

TestVerdict RegressionRunner::run(const RegressionTest& test) {
  using Kind = TestVerdict::Kind;
  if (!test.unsupported.empty()) return {Kind::skipped, test.unsupported, {}};
  TestVerdict verdict;
  for (const RegressionStage& stage : test.stages) {
    transaction_.begin(settings_);
    const RawRequest request = framed(stage.request);
    const RawResponse response = played_back_end(request);
    inspect(transaction_, request, &response);
    verdict.fired.clear();
    for (const FiredRule& fired : transaction_.fired()) verdict.fired.push_back(fired.id);
    std::string failure = failure_of(test, stage);
    const bool refused = refused_ && refused_(stage.request);
    if (stage.status && *stage.status == 400 && !refused)
      failure = "the gateway's parser lets it pass, where 400 is expected";
    if (stage.expect_error && !refused && stage.log.ids.empty()) failure = "the gateway's parser lets it pass";
    // What the parser refuses, no rule needs to see.
    if (!failure.empty() && refused && (stage.status || stage.expect_error)) failure.clear();
    if (!failure.empty()) return {Kind::failed, std::move(failure), std::move(verdict.fired)};
  }
  return verdict;
}

}  // namespace gatehouse::waf
