#pragma once
// The variables of SecLang that rules may look at, with the properties that compiler and engine need.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gatehouse::waf {

enum class Variable : std::uint8_t {
  args,
  args_combined_size,
  args_get,
  args_get_names,
  args_names,
  args_post,
  args_post_names,
  duration,
  files,
  files_combined_size,
  files_names,
  geo,
  ip,
  matched_var,
  matched_var_name,
  matched_vars,
  matched_vars_names,
  multipart_boundary_quoted,
  multipart_boundary_whitespace,
  multipart_crlf_lf_lines,
  multipart_data_after,
  multipart_data_before,
  multipart_file_limit_exceeded,
  multipart_filename,
  multipart_header_folding,
  multipart_invalid_header_folding,
  multipart_invalid_part,
  multipart_invalid_quoting,
  multipart_lf_line,
  multipart_missing_semicolon,
  multipart_name,
  multipart_part_headers,
  multipart_strict_error,
  multipart_unmatched_boundary,
  query_string,
  remote_addr,
  reqbody_error,
  reqbody_error_msg,
  reqbody_processor,
  reqbody_processor_error,
  reqbody_processor_error_msg,
  request_basename,
  request_body,
  request_body_length,
  request_cookies,
  request_cookies_names,
  request_filename,
  request_headers,
  request_headers_names,
  request_line,
  request_method,
  request_protocol,
  request_uri,
  request_uri_raw,
  response_body,
  response_content_length,
  response_content_type,
  response_headers,
  response_headers_names,
  response_protocol,
  response_status,
  rule,  // the rule being evaluated: `%{rule.msg}`
  tx,
  unique_id,
  xml,
  count_,
};

constexpr std::size_t kVariables = static_cast<std::size_t>(Variable::count_);

// `REQUEST_HEADERS` for Variable::request_headers; what SecLang calls it.
std::string_view name_of(Variable variable) noexcept;
std::optional<Variable> variable_of(std::string_view name) noexcept;  // any case

// A collection has keys (`ARGS:user`); the others have one value.
bool is_collection(Variable variable) noexcept;

}  // namespace gatehouse::waf
