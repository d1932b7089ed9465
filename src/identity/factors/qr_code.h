#pragma once
// QR codes (ISO/IEC 18004) as SVG: one path, sizes as attributes, no styles and no scripts, so that a page under
// `default-src 'none'` may hold it inline.
//
// Thread safety: pure function.

#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse::identity {

inline constexpr std::size_t kQrTextBytesMax = 1024;

// `label` is read to those who don't see it. ErrorCode::invalid: empty, too long, or a byte of zero in it.
Result<std::string> qr_code_svg(std::string_view text, std::string_view label);

}  // namespace gatehouse::identity
