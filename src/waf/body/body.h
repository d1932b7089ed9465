#pragma once
// Request bodies as the rules see them: what a body processor finds in the bytes. Bytes in, values out.
//
// The values are those of libmodsecurity 3 for everything that it reads correctly, since the rules were written against
// it; where its reading would let something pass unseen, ours is stricter and the test beside each processor says so.
// Invariants: (1) views point into the body or the arena given, and live as long as both; (2) time and memory are
// linear in the body's size for any bytes; (3) what stays unread because of a limit or a malformed byte sets `error`,
// so that nobody takes half a body for the whole.
// Thread safety: one owner; clear and use again, the vectors keep their memory.
// Source: ModSecurity Reference Manual v3, "Variables"; RFC 7578, RFC 8259, WHATWG URL §5.1.

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/arena.h"

namespace gatehouse::waf {

struct NameValue {
  std::string_view name, value;
  friend bool operator==(const NameValue&, const NameValue&) = default;
};

// An uploaded file; its content is not kept.
struct File {
  std::string_view field;     // the part's name: FILES_NAMES
  std::string_view filename;  // FILES, under the field's name
  std::uint64_t bytes = 0;    // of content; their sum is FILES_COMBINED_SIZE
};

// MULTIPART_* of the reference manual.
struct MultipartFlags {
  bool boundary_quoted = false;
  bool boundary_whitespace = false;
  bool crlf_lf_lines = false;  // both kinds of line end
  bool data_after = false;
  bool data_before = false;
  bool file_limit_exceeded = false;
  bool header_folding = false;
  bool invalid_header_folding = false;
  bool invalid_part = false;
  bool invalid_quoting = false;
  bool lf_line = false;
  bool missing_semicolon = false;
  // 1: a line that looks like a boundary is none of ours, or stands where none can; 2: the same, and boundaries of ours
  // came behind it. 0 for a body without such a line, where libmodsecurity says 2 for every body.
  std::uint8_t unmatched_boundary = 0;
  bool strict_error = false;  // any of those that the manual lists under MULTIPART_STRICT_ERROR
  friend bool operator==(const MultipartFlags&, const MultipartFlags&) = default;
};

struct BodyLimits {
  std::size_t arguments_max = 100'000;            // SecArgumentsLimit; names and values together count once
  std::size_t depth_max = 512;                    // SecRequestBodyJsonDepthLimit; elements of XML that are open at once
  std::size_t parts_max = 2'000;                  // of a multipart body
  std::size_t files_max = 100;                    // SecUploadFileLimit; MULTIPART_FILE_LIMIT_EXCEEDED
  std::size_t part_header_bytes_max = 16 * 1024;  // all headers of one part
  std::size_t decoded_bytes_max = 16 << 20;       // names, values and texts made from one body
  bool json_nan = false;                          // NaN and Infinity are numbers, as many write and read them
  std::size_t name_growth_max = 32;               // of JSON: bytes of names per byte of the body, small bodies aside
};

enum class BodyError : std::uint8_t {
  none,
  malformed,           // not of its kind: JSON, XML, multipart
  too_many_arguments,  // the rest is unread
  too_deep,
  too_many_parts,
  too_large,  // part headers or decoded bytes beyond their limit
};

struct Body {
  std::vector<NameValue> arguments;              // ARGS_POST, in the body's order, duplicates kept
  std::vector<File> files;                       // FILES, FILES_NAMES, FILES_COMBINED_SIZE
  std::vector<NameValue> part_headers;           // MULTIPART_PART_HEADERS: the part's name, the whole header line
  std::vector<NameValue> part_names;             // MULTIPART_NAME: name → name
  std::vector<NameValue> part_filenames;         // MULTIPART_FILENAME: name → filename
  std::vector<std::string_view> xml_text;        // `XML:/*`
  std::vector<std::string_view> xml_attributes;  // `XML://@*`
  MultipartFlags multipart;
  bool invalid_escape = false;        // URLENCODED_ERROR: a `%` without two hexadecimal digits
  BodyError error = BodyError::none;  // REQBODY_ERROR, REQBODY_PROCESSOR_ERROR
  const char* message = "";           // REQBODY_ERROR_MSG
  std::size_t error_offset = 0;       // into the body
  std::size_t unread_from = 0;        // of JSON with an error: what begins here is in no argument
  std::string_view unread_name;       // of the value under way there, when no argument has the names in it

  void clear();
  // Keeps the first error: what follows one is its consequence.
  void fail(BodyError what, const char* why, std::size_t offset) noexcept {
    if (error == BodyError::none) error = what, message = why, error_offset = offset;
  }
};

// REQBODY_PROCESSOR.
enum class BodyProcessor : std::uint8_t { none, urlencoded, multipart, json, xml };

// The processor that a media type selects unless a rule names another. ModSecurity leaves JSON and XML to rules of its
// recommended set-up; here they are read in any case.
BodyProcessor default_processor(std::string_view content_type) noexcept;
std::string_view name_of(BodyProcessor processor) noexcept;     // `JSON`; empty for none
BodyProcessor processor_named(std::string_view name) noexcept;  // any case; none when unknown

}  // namespace gatehouse::waf
