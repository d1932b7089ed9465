#include "waf/variable.h"

#include <array>

namespace gatehouse::waf {
namespace {

struct Entry {
  std::string_view name;
  bool collection;
};

// In the order of the enumeration.
constexpr std::array<Entry, kVariables> kEntries{{
    {"ARGS", true},
    {"ARGS_COMBINED_SIZE", false},
    {"ARGS_GET", true},
    {"ARGS_GET_NAMES", true},
    {"ARGS_NAMES", true},
    {"ARGS_POST", true},
    {"ARGS_POST_NAMES", true},
    {"DURATION", false},
    {"FILES", true},
    {"FILES_COMBINED_SIZE", false},
    {"FILES_NAMES", true},
    {"GEO", true},
    {"IP", true},
    {"MATCHED_VAR", false},
    {"MATCHED_VAR_NAME", false},
    {"MATCHED_VARS", true},
    {"MATCHED_VARS_NAMES", true},
    {"MULTIPART_BOUNDARY_QUOTED", false},
    {"MULTIPART_BOUNDARY_WHITESPACE", false},
    {"MULTIPART_CRLF_LF_LINES", false},
    {"MULTIPART_DATA_AFTER", false},
    {"MULTIPART_DATA_BEFORE", false},
    {"MULTIPART_FILE_LIMIT_EXCEEDED", false},
    {"MULTIPART_FILENAME", true},
    {"MULTIPART_HEADER_FOLDING", false},
    {"MULTIPART_INVALID_HEADER_FOLDING", false},
    {"MULTIPART_INVALID_PART", false},
    {"MULTIPART_INVALID_QUOTING", false},
    {"MULTIPART_LF_LINE", false},
    {"MULTIPART_MISSING_SEMICOLON", false},
    {"MULTIPART_NAME", true},
    {"MULTIPART_PART_HEADERS", true},
    {"MULTIPART_STRICT_ERROR", false},
    {"MULTIPART_UNMATCHED_BOUNDARY", false},
    {"QUERY_STRING", false},
    {"REMOTE_ADDR", false},
    {"REQBODY_ERROR", false},
    {"REQBODY_ERROR_MSG", false},
    {"REQBODY_PROCESSOR", false},
    {"REQBODY_PROCESSOR_ERROR", false},
    {"REQBODY_PROCESSOR_ERROR_MSG", false},
    {"REQUEST_BASENAME", false},
    {"REQUEST_BODY", false},
    {"REQUEST_BODY_LENGTH", false},
    {"REQUEST_COOKIES", true},
    {"REQUEST_COOKIES_NAMES", true},
    {"REQUEST_FILENAME", false},
    {"REQUEST_HEADERS", true},
    {"REQUEST_HEADERS_NAMES", true},
    {"REQUEST_LINE", false},
    {"REQUEST_METHOD", false},
    {"REQUEST_PROTOCOL", false},
    {"REQUEST_URI", false},
    {"REQUEST_URI_RAW", false},
    {"RESPONSE_BODY", false},
    {"RESPONSE_CONTENT_LENGTH", false},
    {"RESPONSE_CONTENT_TYPE", false},
    {"RESPONSE_HEADERS", true},
    {"RESPONSE_HEADERS_NAMES", true},
    {"RESPONSE_PROTOCOL", false},
    {"RESPONSE_STATUS", false},
    {"RULE", true},
    {"TX", true},
    {"UNIQUE_ID", false},
    {"XML", true},
}};

constexpr char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

}  // namespace

std::string_view name_of(Variable variable) noexcept { return kEntries[static_cast<std::size_t>(variable)].name; }

std::optional<Variable> variable_of(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kVariables; ++i) {
    const std::string_view known = kEntries[i].name;
    if (known.size() != name.size()) continue;
    std::size_t same = 0;
    while (same < name.size() && upper(name[same]) == known[same]) ++same;
    if (same == name.size()) return static_cast<Variable>(i);
  }
  return std::nullopt;
}

bool is_collection(Variable variable) noexcept { return kEntries[static_cast<std::size_t>(variable)].collection; }

}  // namespace gatehouse::waf
