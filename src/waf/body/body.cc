#include "waf/body/body.h"

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
}

BodyProcessor default_processor(std::string_view content_type) noexcept {
  // By prefix, as the rules' authors know it: `multipart/form-data,…` is still read as multipart and flagged there.
  if (has_prefix(content_type, "multipart/form-data")) return BodyProcessor::multipart;
  if (has_prefix(content_type, "application/x-www-form-urlencoded")) return BodyProcessor::urlencoded;
  return BodyProcessor::none;
}

}  // namespace gatehouse::waf
