#include "waf/body/body.h"

#include <iterator>

#include "http/message.h"

namespace gatehouse::waf {
namespace {

bool has_prefix(std::string_view text, std::string_view prefix) noexcept {
  return http::equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

}  // namespace

void Body::clear() {
  arguments.clear();
  files.clear();
  part_headers.clear();
  part_names.clear();
  part_filenames.clear();
  xml_text.clear();
  xml_attributes.clear();
  multipart = {};
  invalid_escape = false;
  error = BodyError::none;
  message = "";
  error_offset = 0;
  unread_from = 0;
  unread_name = {};
}

BodyProcessor default_processor(std::string_view content_type) noexcept {
  // By prefix, as the rules' authors know it: `multipart/form-data,…` is still read as multipart and flagged there.
  if (has_prefix(content_type, "multipart/")) return BodyProcessor::multipart;
  if (has_prefix(content_type, "application/x-www-form-urlencoded")) return BodyProcessor::urlencoded;
  if (has_prefix(content_type, "application/json")) return BodyProcessor::json;
  if (has_prefix(content_type, "application/xml") || has_prefix(content_type, "text/xml")) return BodyProcessor::xml;
  std::string_view type = content_type.substr(0, content_type.find_first_of("; \t"));
  if (type.size() > 5 && has_prefix(type.substr(type.size() - 5), "+json")) return BodyProcessor::json;
  if (type.size() > 4 && has_prefix(type.substr(type.size() - 4), "+xml")) return BodyProcessor::xml;
  return BodyProcessor::none;
}

namespace {
constexpr std::string_view kProcessors[] = {"", "URLENCODED", "MULTIPART", "JSON", "XML"};
}

std::string_view name_of(BodyProcessor processor) noexcept { return kProcessors[static_cast<std::size_t>(processor)]; }

BodyProcessor processor_named(std::string_view name) noexcept {
  for (std::size_t i = 1; i < std::size(kProcessors); ++i) {
    if (http::equals_ignoring_case(kProcessors[i], name)) return static_cast<BodyProcessor>(i);
  }
  return BodyProcessor::none;
}

}  // namespace gatehouse::waf
