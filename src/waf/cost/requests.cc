#include "waf/cost/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "waf/engine/transaction.h"
#include "waf/names.h"
#include "waf/regression/suite.h"

namespace gatehouse::waf {
namespace {

// Differs from variant to variant and is one digit more in none: sizes stay.
std::string digits(std::uint32_t variant, std::uint64_t salt) {
  std::uint64_t state = (variant + 1ull) * 0x9e3779b97f4a7c15ull + salt * 0xbf58476d1ce4e5b9ull;
  state ^= state >> 31;
  return fmt::format("{:06}", state % 1'000'000);
}

RawRequest trivial(std::uint32_t variant) {
  if (variant == 0) {
    return {"GET", "/", "HTTP/1.1", {{"Host", "shop.example"}, {"User-Agent", "curl/8.5.0"}, {"Accept", "*/*"}}, {}};
  }
  return {"GET",
          "/" + digits(variant, 1),
          "HTTP/1.1",
          {{"Host", fmt::format("shop{}.example", digits(variant, 2))},
           {"User-Agent", "curl/8.5." + digits(variant, 3)},
           {"Accept", "*/*;q=0." + digits(variant, 4)}},
          {}};
}

RawRequest browser(std::uint32_t variant) {
  RawRequest request{
      "GET",
      "/catalogue/products?page=2&sort=price&category=books",
      "HTTP/1.1",
      {{"Host", "shop.example"},
       {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"},
       {"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
       {"Accept-Language", "en-US,en;q=0.5"},
       {"Accept-Encoding", "gzip, deflate, br, zstd"},
       {"Referer", "https://shop.example/catalogue"},
       {"Connection", "keep-alive"},
       {"Cookie", "session=6f1c2a9be0d94b7f8f3a; theme=dark; consent=all; cart=p-1001.p-1002"},
       {"Upgrade-Insecure-Requests", "1"},
       {"Sec-Fetch-Dest", "document"},
       {"Sec-Fetch-Mode", "navigate"},
       {"Sec-Fetch-Site", "same-origin"},
       {"Sec-Fetch-User", "?1"},
       {"DNT", "1"},
       {"Priority", "u=0, i"}},
      {}};
  if (variant == 0) return request;
  request.uri = fmt::format("/catalogue/products?page={}&sort=price{}&category=books{}", digits(variant, 1),
                            digits(variant, 2), digits(variant, 3));
  std::uint64_t salt = 4;
  for (auto& [name, value] : request.headers) {
    if (name == "Cookie") {
      value = fmt::format("session=6f1c2a9be0d94b{}; theme=dark{}; consent=all{}; cart=p-{}", digits(variant, 100),
                          digits(variant, 101), digits(variant, 102), digits(variant, 103));
    } else if (name == "Host") {
      value = fmt::format("shop{}.example", digits(variant, salt++));
    } else if (name != "Connection") {
      value += digits(variant, salt++);
    }
  }
  return request;
}

RawRequest post(std::string_view type, std::string body) {
  return {"POST",
          "/orders",
          "HTTP/1.1",
          {{"Host", "shop.example"},
           {"User-Agent", "curl/8.5.0"},
           {"Accept", "*/*"},
           {"Content-Type", std::string(type)},
           {"Content-Length", std::to_string(body.size())}},
          std::move(body)};
}

RawRequest form(std::uint32_t variant) {
  std::string body;
  for (std::uint64_t i = 0; i < 50; ++i) {
    body += fmt::format("{}field{}=some+ordinary+value+{}", i == 0 ? "" : "&", i, digits(variant, i));
  }
  return post("application/x-www-form-urlencoded", std::move(body));
}

RawRequest json_texts(std::uint32_t variant, std::uint64_t values) {
  std::string body = "{";
  for (std::uint64_t i = 0; i < values; ++i) {
    body += fmt::format(R"({}"key{}":"an ordinary value, number {}")", i == 0 ? "" : ",", i, digits(variant, i));
  }
  return post("application/json", body + "}");
}

RawRequest json_numbers(std::uint32_t variant) {
  std::string body = "[";
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    if (i > 0) body += ',';
    body += '1';  // a number has no leading zero
    body += digits(variant, i);
  }
  return post("application/json", body + "]");
}

RawRequest upload(std::uint32_t variant) {
  constexpr std::string_view kBoundary = "------------------------5f3a1c9e7b2d";
  std::string body = fmt::format(
      "--{0}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA photograph {1}\r\n--{0}\r\n"
      "Content-Disposition: form-data; name=\"file\"; filename=\"photo{1}.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n",
      kBoundary, digits(variant, 1));
  std::uint64_t state = 0x2545f4914f6cdd1dull + variant;
  for (std::size_t i = 0; i < (1u << 20); ++i) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    body += static_cast<char>(state >> 32);
  }
  body += fmt::format("\r\n--{}--\r\n", kBoundary);
  return post(fmt::format("multipart/form-data; boundary={}", kBoundary), std::move(body));
}

// What any proxy passes on to its rules.
bool is_well_formed(const RawRequest& request) {
  const auto is_printable = [](std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  };
  if (request.method != "GET" && request.method != "POST") return false;
  if (!request.uri.starts_with('/') || !is_printable(request.uri) || request.uri.find(' ') != std::string::npos) {
    return false;
  }
  if (request.protocol != "HTTP/1.1" || !request.header("host") || request.header("transfer-encoding")) return false;
  std::size_t lengths = 0;
  for (const auto& [name, value] : request.headers) {
    if (!is_printable(value) || name.empty() || name.find_first_of(" \t_") != std::string::npos) return false;
    if (same_name(name, "expect") || same_name(name, "upgrade")) return false;
    lengths += same_name(name, "content-length");
  }
  const std::string* length = request.header("content-length");
  return lengths <= 1 && (length ? *length == std::to_string(request.body.size()) : request.body.empty());
}

bool is_blocked(Transaction& transaction, const RawRequest& request) {
  transaction.begin({});
  inspect(transaction, request, nullptr);
  return transaction.interruption() != nullptr;
}

}  // namespace

std::vector<CostInput> ordinary_inputs() {
  return {
      {"trivial", "a GET with three headers", trivial},
      {"browser", "a browser's GET, 15 headers and four cookies", browser},
      {"form", "a form of 50 fields, 2 KB", form},
      {"json-10k", "JSON of 200 values, 10 KB", [](std::uint32_t variant) { return json_texts(variant, 200); }},
      {"json-100k", "JSON of 2,000 values, 100 KB", [](std::uint32_t variant) { return json_texts(variant, 2000); }},
      {"json-800k", "JSON of 100,000 values, 800 KB", json_numbers},
      {"upload", "a multipart upload of 1 MiB", upload}};
}

std::vector<RawRequest> hostile_requests(const RuleEngine& engine, const std::string& folder, std::size_t count) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Workspace workspace(engine);
  Transaction transaction(workspace, SystemClock::instance());
  std::vector<RawRequest> blocked;
  for (const std::string& file : files) {
    const auto tests = read_regression_tests(file);
    if (!tests) continue;
    for (const RegressionTest& test : *tests) {
      if (test.stages.size() != 1 || test.stages[0].encoded || test.stages[0].log.ids.empty()) continue;
      RawRequest request = test.stages[0].request;
      std::erase_if(request.headers, [](const auto& header) { return same_name(header.first, "connection"); });
      if (!is_well_formed(request) || !is_blocked(transaction, request)) continue;
      blocked.push_back(std::move(request));
      break;
    }
  }
  std::vector<RawRequest> spread;
  for (std::size_t i = 0; i < std::min(count, blocked.size()); ++i) {
    spread.push_back(blocked[i * blocked.size() / std::min(count, blocked.size())]);
  }
  return spread;
}

}  // namespace gatehouse::waf
