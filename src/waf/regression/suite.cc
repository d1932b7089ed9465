#include "waf/regression/suite.h"

#include <fmt/format.h>

#include "base/file.h"
#include "codec/base64.h"
#include "codec/yaml.h"

namespace gatehouse::waf {
namespace {

using codec::YamlNode;

constexpr std::size_t kFileBytesMax = 16 * 1024 * 1024;

std::string text_of(const YamlNode& node, std::string_view key, std::string_view otherwise) {
  const codec::YamlEntry* entry = node.is(YamlNode::Kind::map) ? node.find(key) : nullptr;
  return std::string(entry && entry->value.is_scalar() ? std::string_view(entry->value.text()) : otherwise);
}

bool is_true(const YamlNode& node, std::string_view key, bool otherwise) {
  const codec::YamlEntry* entry = node.find(key);
  return entry && entry->value.is(YamlNode::Kind::boolean) ? entry->value.boolean() : otherwise;
}

std::vector<std::uint64_t> ids_of(const YamlNode& node, std::string_view key) {
  std::vector<std::uint64_t> ids;
  const codec::YamlEntry* entry = node.is(YamlNode::Kind::map) ? node.find(key) : nullptr;
  if (!entry) return ids;
  for (const YamlNode& item : entry->value.items()) {
    if (const auto id = item.integer()) ids.push_back(static_cast<std::uint64_t>(*id));
  }
  return ids;
}

// What the suite's runner adds unless told not to: a body's length and type, and the end of the connection.
void complete_headers(RawRequest& request) {
  if (!request.header("connection")) request.headers.emplace_back("Connection", "close");
  if (request.body.empty()) return;
  if (!request.header("content-type"))
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  if (!request.header("content-length") && !request.header("transfer-encoding")) {
    request.headers.emplace_back("Content-Length", std::to_string(request.body.size()));
  }
}

bool read_input(const YamlNode& input, RegressionStage& stage, std::string& unsupported) {
  if (const std::string encoded = text_of(input, "encoded_request", ""); !encoded.empty()) {
    const auto bytes = codec::base64_decode(encoded);
    auto request = bytes ? parse_raw_request(*bytes) : std::nullopt;
    stage.encoded = true;
    if (request) stage.request = std::move(*request);
    if (!bytes) unsupported = "encoded_request is not base64";
    return bytes.has_value();
  }
  RawRequest& request = stage.request;
  request.method = text_of(input, "method", "GET");
  request.uri = text_of(input, "uri", "/");
  request.protocol = text_of(input, "version", "HTTP/1.1");
  request.body = text_of(input, "data", "");
  if (const codec::YamlEntry* headers = input.find("headers")) {
    for (const codec::YamlEntry& header : headers->value.entries()) {
      request.headers.emplace_back(header.key, header.value.is_scalar() ? header.value.text() : "");
    }
  }
  if (is_true(input, "autocomplete_headers", true)) complete_headers(request);
  return true;
}

RegressionStage read_stage(const YamlNode& node, std::string& unsupported) {
  RegressionStage stage;
  const codec::YamlEntry* input = node.find("input");
  const codec::YamlEntry* output = node.find("output");
  if (!input || !output || !read_input(input->value, stage, unsupported)) {
    if (unsupported.empty()) unsupported = "a stage needs input and output";
    return stage;
  }
  const YamlNode& expected = output->value;
  if (const codec::YamlEntry* status = expected.find("status"); status && status->value.integer()) {
    stage.status = static_cast<std::uint16_t>(*status->value.integer());
  }
  stage.expect_error = is_true(expected, "expect_error", false);
  if (const codec::YamlEntry* log = expected.find("log"); log && log->value.is(YamlNode::Kind::map)) {
    stage.log.ids = ids_of(log->value, "expect_ids");
    stage.log.no_ids = ids_of(log->value, "no_expect_ids");
    stage.log.match = text_of(log->value, "match_regex", "");
    stage.log.no_match = text_of(log->value, "no_match_regex", "");
  }
  for (const char* key : {"response_contains", "log_contains", "no_log_contains"}) {
    if (expected.find(key)) unsupported = fmt::format("output.{}", key);
  }
  return stage;
}

}  // namespace

Result<std::vector<RegressionTest>> parse_regression_tests(std::string_view text, std::string_view file) {
  const codec::YamlDocument document = codec::parse_yaml(text);
  if (!document.errors.empty()) {
    const codec::YamlError& error = document.errors.front();
    return fail(ErrorCode::invalid,
                fmt::format("{}:{}:{}: {}", file, error.position.line, error.position.column, error.message));
  }
  const codec::YamlEntry* tests = document.root.is(YamlNode::Kind::map) ? document.root.find("tests") : nullptr;
  if (!tests) return fail(ErrorCode::invalid, fmt::format("{}: holds no `tests`", file));
  const std::string rule = text_of(document.root, "rule_id", "");
  std::vector<RegressionTest> result;
  for (const YamlNode& node : tests->value.items()) {
    RegressionTest test;
    test.file = file;
    test.name = fmt::format("{}-{}", rule, text_of(node, "test_id", text_of(node, "test_title", "?")));
    test.description = text_of(node, "desc", "");
    if (const codec::YamlEntry* stages = node.find("stages")) {
      for (const YamlNode& stage : stages->value.items()) {
        const codec::YamlEntry* output = stage.find("output");
        test.isolated |= output && is_true(output->value, "isolated", false);
        test.stages.push_back(read_stage(stage, test.unsupported));
      }
    }
    if (test.stages.empty() && test.unsupported.empty()) test.unsupported = "no stages";
    result.push_back(std::move(test));
  }
  return result;
}

Result<std::vector<RegressionTest>> read_regression_tests(const std::string& path) {
  auto text = read_file(path, kFileBytesMax);
  if (!text) return tl::unexpected(std::move(text.error()));
  return parse_regression_tests(*text, path);
}

}  // namespace gatehouse::waf
