#pragma once
// Requests to compare two engines on: those of the Core Rule Set's regression tests, as go-ftw would send them.

#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "waf/regression/runner.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {

struct Exchange {
  std::string name;  // how to find it again: `942100-3`, `generated 17 of seed 1`
  RawRequest request;
  RawResponse response;
};

// The same numbers on every machine and library: a seed that is printed must lead back to its input.
class Random {
 public:
  explicit Random(std::uint64_t seed) : bits_(seed) {}
  std::size_t below(std::size_t count) { return count == 0 ? 0 : bits_() % count; }
  bool one_in(std::size_t count) { return below(count) == 0; }
  char byte() { return static_cast<char>(below(256)); }
  template <class List>
  const auto& of(const List& list) {
    return list[below(std::size(list))];
  }

 private:
  std::mt19937_64 bits_;
};

inline std::vector<Exchange> suite_exchanges(const std::filesystem::path& folder) {
  std::vector<Exchange> result;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto tests = read_regression_tests(entry.path());
    if (!tests) continue;  // crs_test tells of it
    for (const RegressionTest& test : *tests) {
      for (const RegressionStage& stage : test.stages) {
        Exchange exchange{test.name, framed(stage.request), {}};
        exchange.response = played_back_end(exchange.request);
        result.push_back(std::move(exchange));
      }
    }
  }
  return result;
}

// Content-Length says what the body is, as a client's would.
inline void set_length(RawRequest& request) {
  for (auto& [name, value] : request.headers) {
    if (name == "Content-Length") value = std::to_string(request.body.size());
  }
}

inline std::string percent_encoded(std::string_view text, std::string_view plain = {}) {
  std::string out;
  for (const char c : text) {
    const bool keep = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      plain.find(c) != std::string_view::npos;
    if (keep) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// What can stand in a request's head: an HTTP parser passes nothing else on.
inline std::string head_text(std::string_view text, bool blanks = true) {
  std::string out;
  for (const char c : text) {
    if (c == '\0' || c == '\r' || c == '\n' || (!blanks && (c == ' ' || c == '\t'))) continue;
    out += c;
  }
  return out;
}

}  // namespace gatehouse::waf
