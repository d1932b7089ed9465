#include "waf/cost/payload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "waf/characters.h"

namespace gatehouse::waf {
namespace {

constexpr std::array<std::string_view, kPlaces> kNames{"path", "query", "header",    "cookies",
                                                       "form", "json",  "multipart", "xml"};
constexpr std::string_view kBoundary = "----7d9c1f";

// What stands before each value, `{}` being its number, and after the last.
struct Frame {
  std::string_view begin, before, after, end;
};

Frame frame_of(Place place) {
  switch (place) {
    case Place::path: return {"", "/p{}", "", ""};
    case Place::query: return {"/q?", "a{}=", "&", ""};
    case Place::header: return {"", "{}", "", ""};
    case Place::cookies: return {"", "c{}=", "; ", ""};
    case Place::form: return {"", "a{}=", "&", ""};
    case Place::json: return {"{", "\"k{}\":\"", "\",", "\"z\":1}"};
    case Place::multipart:
      return {"", "------7d9c1f\r\nContent-Disposition: form-data; name=\"f{}\"\r\n\r\n", "\r\n", "------7d9c1f--\r\n"};
    case Place::xml:
    case Place::count_: break;
  }
  return {"<r>", "<v a=\"{}\">", "</v>", "</r>"};
}

bool stands_for_itself(Place place, char c) noexcept {
  const auto byte = static_cast<std::uint8_t>(c);
  switch (place) {
    case Place::path: return byte > 0x20 && byte < 0x7f && c != '?' && c != '#' && c != '%';
    case Place::query:
    case Place::form: return byte > 0x20 && byte < 0x7f && c != '&' && c != '#' && c != '%' && c != '+';
    case Place::cookies: return byte >= 0x20 && byte != 0x7f && c != ';';
    case Place::header: return byte >= 0x20 && byte != 0x7f;
    case Place::json: return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
    case Place::multipart: return true;
    case Place::xml:
    case Place::count_: break;
  }
  return byte >= 0x20 && byte < 0x80 && c != '<' && c != '&';
}

// As a client would write this byte so that the service reads it, or as near as the place allows.
std::string escaped(Place place, std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (stands_for_itself(place, c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    switch (place) {
      case Place::path:
      case Place::query:
      case Place::form: out += c == ' ' && place != Place::path ? "+" : fmt::format("%{:02x}", byte); break;
      case Place::json: out += c == '"' || c == '\\' ? fmt::format("\\{}", c) : fmt::format("\\u{:04x}", byte); break;
      case Place::xml:
        out += byte == '\t' || byte == '\n' ? " " : fmt::format("&#{};", std::max<int>(byte, 0x20));
        break;
      default: out += ' ';
    }
  }
  return out;
}

// Unescaped, but for what would end the place itself.
std::string fitting(Place place, std::string_view text) {
  std::string out(text);
  const auto replace = [&](auto ends, char by) { std::replace_if(out.begin(), out.end(), ends, by); };
  if (place == Place::path || place == Place::query) {
    replace([](char c) { return static_cast<std::uint8_t>(c) <= 0x20 || static_cast<std::uint8_t>(c) >= 0x7f; }, '_');
  } else if (place == Place::header || place == Place::cookies) {
    replace([](char c) { return static_cast<std::uint8_t>(c) < 0x20 || c == 0x7f; }, ' ');
  }
  return out;
}

std::string fill(const std::vector<Piece>& pieces, std::size_t bytes) {
  std::size_t fixed = 0, weights = 0;
  for (const Piece& piece : pieces) {
    fixed += piece.weight == 0 ? piece.text.size() : 0;
    weights += piece.weight;
  }
  const std::size_t rest = bytes > fixed ? bytes - fixed : 0;
  std::string out;
  out.reserve(bytes);
  for (const Piece& piece : pieces) {
    if (piece.weight == 0) {
      out += piece.text;
    } else if (!piece.text.empty()) {
      for (std::size_t times = rest * piece.weight / weights / piece.text.size(); times > 0; --times) out += piece.text;
    }
  }
  out.resize(std::min(out.size(), bytes));
  return out;
}

RawRequest request_with(Place place, std::string content) {
  RawRequest request{
      "GET", "/", "HTTP/1.1", {{"Host", "shop.example"}, {"User-Agent", "Mozilla/5.0"}, {"Accept", "*/*"}}, {}};
  switch (place) {
    case Place::path:
    case Place::query: request.uri = std::move(content); return request;
    case Place::header: request.headers.emplace_back("Referer", std::move(content)); return request;
    case Place::cookies: request.headers.emplace_back("Cookie", std::move(content)); return request;
    default: break;
  }
  request.method = "POST";
  request.uri = "/orders";
  std::string type = "application/x-www-form-urlencoded";
  if (place == Place::json) type = "application/json";
  if (place == Place::multipart) type = fmt::format("multipart/form-data; boundary={}", kBoundary);
  if (place == Place::xml) type = "application/xml";
  request.headers.emplace_back("Content-Type", std::move(type));
  request.headers.emplace_back("Content-Length", std::to_string(content.size()));
  request.body = std::move(content);
  return request;
}

}  // namespace

std::string_view name_of(Place place) noexcept { return kNames[static_cast<std::size_t>(place)]; }

RawRequest render(const Payload& payload, std::size_t bytes) {
  const Frame frame = frame_of(payload.place);
  const std::uint32_t values = payload.place == Place::header ? 1 : std::max(1u, payload.values);
  std::vector<Piece> pieces = payload.pieces;
  for (Piece& piece : pieces) {
    piece.text = payload.raw ? fitting(payload.place, piece.text) : escaped(payload.place, piece.text);
  }
  const std::size_t framed = frame.begin.size() + frame.end.size();
  std::string content(frame.begin);
  for (std::uint32_t i = 0; i < values; ++i) {
    const std::string before = fmt::format(fmt::runtime(frame.before), i);
    const std::size_t share = (bytes > framed ? bytes - framed : 0) / values;
    const std::size_t around = before.size() + frame.after.size() + 6;
    if (content.size() + frame.end.size() + around > bytes) break;
    content += before;
    content += fill(pieces, share > around ? share - around : 0);
    if (values > 1) content += fmt::format("{:06}", i);  // no value is another's
    content += frame.after;
  }
  content += frame.end;
  return request_with(payload.place, std::move(content));
}

RawRequest ordinary(Place place, std::size_t bytes) {
  Payload payload{place, {{"an ordinary text of some words", 1}}, 1, false};
  payload.values = static_cast<std::uint32_t>(std::max<std::size_t>(1, bytes / 44));
  if (place == Place::path) payload.pieces.front().text = "catalogue/products-of-the-house";
  if (place == Place::multipart) payload.values = static_cast<std::uint32_t>(std::max<std::size_t>(1, bytes / 120));
  return render(payload, bytes);
}

std::string describe(const Payload& payload) {
  std::string out =
      fmt::format("{} value{}{}:", payload.values, payload.values == 1 ? "" : "s", payload.raw ? ", raw" : "");
  for (const Piece& piece : payload.pieces) {
    out += " \"";
    for (const char c : piece.text) {
      const auto byte = static_cast<std::uint8_t>(c);
      if (c == '"' || c == '\\') {
        out += fmt::format("\\{}", c);
      } else if (byte < 0x20 || byte > 0x7e) {
        out += fmt::format("\\x{:02x}", byte);
      } else {
        out += c;
      }
    }
    out += '"';
    if (piece.weight > 0) out += fmt::format("*{}", piece.weight);
  }
  return out;
}

}  // namespace gatehouse::waf
