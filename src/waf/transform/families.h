#pragma once
// The transformations, a file for each family. Each has the contract of `transform`; only transform.cc calls them.

#include <string>
#include <string_view>

namespace gatehouse::waf {

// urls.cc
bool url_decode(std::string_view in, std::string& out);
bool url_decode_uni(std::string_view in, std::string& out);
bool url_encode(std::string_view in, std::string& out);
bool utf8_to_unicode(std::string_view in, std::string& out);

// escapes.cc
bool css_decode(std::string_view in, std::string& out);
bool escape_seq_decode(std::string_view in, std::string& out);
bool html_entity_decode(std::string_view in, std::string& out);
bool js_decode(std::string_view in, std::string& out);

// text.cc
bool lowercase(std::string_view in, std::string& out);
bool uppercase(std::string_view in, std::string& out);
bool remove_nulls(std::string_view in, std::string& out);
bool replace_nulls(std::string_view in, std::string& out);
bool compress_whitespace(std::string_view in, std::string& out);
bool remove_whitespace(std::string_view in, std::string& out);
bool trim(std::string_view in, std::string& out);
bool trim_left(std::string_view in, std::string& out);
bool trim_right(std::string_view in, std::string& out);

// syntax.cc: comments and command lines
bool cmd_line(std::string_view in, std::string& out);
bool remove_comments(std::string_view in, std::string& out);
bool remove_comments_char(std::string_view in, std::string& out);
bool replace_comments(std::string_view in, std::string& out);

// paths.cc
bool normalize_path(std::string_view in, std::string& out);
bool normalize_path_win(std::string_view in, std::string& out);

// digests.cc: digests and encodings
bool base64_decode(std::string_view in, std::string& out);
bool base64_decode_ext(std::string_view in, std::string& out);
bool hex_decode(std::string_view in, std::string& out);
bool hex_encode(std::string_view in, std::string& out);
bool length(std::string_view in, std::string& out);
bool md5(std::string_view in, std::string& out);
bool sha1(std::string_view in, std::string& out);

}  // namespace gatehouse::waf
