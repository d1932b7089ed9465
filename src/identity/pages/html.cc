#include "identity/pages/html.h"

#include <algorithm>

#include "codec/json_writer.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string_view reference_of(char c) noexcept {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return {};
  }
}

}  // namespace

void escape_html(std::string& out, std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::size_t bad = 1;
    const std::size_t size = codec::utf8_sequence(at, end, &bad);
    if (size == 0) {
      out += kReplacement;
      at += bad;
      continue;
    }
    const auto byte = static_cast<unsigned char>(*at);
    const auto second = static_cast<unsigned char>(size == 2 ? at[1] : 0);
    const bool control = (byte < 0x20 && *at != '\n' && *at != '\t') || byte == 0x7F || (byte == 0xC2 && second < 0xA0);
    if (control) {
      out += kReplacement;
    } else if (const std::string_view reference = reference_of(*at); !reference.empty()) {
      out += reference;
    } else {
      out.append(at, size);
    }
    at += size;
  }
}

Html& Html::add(std::initializer_list<Part> parts) {
  for (const Part& part : parts) {
    if (part.markup_) {
      text_ += part.text_;
    } else {
      escape_html(text_, part.text_);
    }
  }
  return *this;
}

Html Html::trusted(std::string markup) {
  Html html;
  html.text_ = std::move(markup);
  return html;
}

std::string_view web_url(std::string_view url) noexcept {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme) || host_of(url).empty()) return {};
  const bool clean = std::all_of(url.begin(), url.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F && c != '\\';
  });
  return clean ? url : std::string_view{};
}

std::string_view host_of(std::string_view url) noexcept {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view host = url.substr(scheme + 3);
  host = host.substr(0, host.find_first_of("/?#\\"));
  if (host.find('@') != std::string_view::npos) return {};
  if (host.starts_with('[')) {
    const std::size_t bracket = host.find(']');
    return bracket == std::string_view::npos ? std::string_view{} : host.substr(0, bracket + 1);
  }
  return host.substr(0, host.find(':'));
}

}  // namespace gatehouse::identity
