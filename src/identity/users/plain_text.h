#pragma once
// Text that people typed and that others will read: in pages, messages and logs.

#include <cstddef>
#include <string>
#include <string_view>

namespace gatehouse::identity {

// UTF-8, at most `bytes_max`, without control characters (C0, C1, line and paragraph separators) and without those that
// turn the direction of what follows (U+202A…202E, U+2066…2069), by which one text can be made to look like another.
enum class LineFeeds : bool { refused, allowed };
bool is_plain_text(std::string_view text, std::size_t bytes_max, LineFeeds line_feeds = LineFeeds::refused) noexcept;

// `text` as such a text: what is not allowed becomes a space, what is too long is cut.
std::string as_plain_text(std::string_view text, std::size_t bytes_max);

std::size_t characters_of(std::string_view utf8) noexcept;  // code points
std::string ascii_lower(std::string_view text);

}  // namespace gatehouse::identity
