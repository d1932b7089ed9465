#include "identity/factors/qr_code.h"

#include <qrencode.h>

#include <memory>

namespace gatehouse::identity {
namespace {

constexpr int kQuietZone = 4;  // modules of white around (ISO/IEC 18004 §6.3.8)
constexpr int kPixelsPerModule = 4;

struct QrFree {
  void operator()(QRcode* code) const noexcept { QRcode_free(code); }
};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

// Each row's runs of dark modules as rectangles of one path.
std::string path_of(const QRcode& code) {
  std::string path;
  for (int y = 0; y < code.width; ++y) {
    for (int x = 0; x < code.width;) {
      const auto dark = [&](int at) { return (code.data[y * code.width + at] & 1) != 0; };
      int end = x;
      while (end < code.width && dark(end)) ++end;
      if (end > x) path += fmt::format("M{} {}h{}v1h-{}z", x + kQuietZone, y + kQuietZone, end - x, end - x);
      x = end > x ? end : x + 1;
    }
  }
  return path;
}

}  // namespace

Result<std::string> qr_code_svg(std::string_view text, std::string_view label) {
  if (text.empty() || text.size() > kQrTextBytesMax || text.find('\0') != std::string_view::npos) {
    return fail(ErrorCode::invalid, "a QR code holds 1 to 1024 bytes of text");
  }
  const std::unique_ptr<QRcode, QrFree> code(
      QRcode_encodeString(std::string(text).c_str(), 0, QR_ECLEVEL_M, QR_MODE_8, 1));
  if (!code) return fail(ErrorCode::exhausted, "no memory for a QR code");
  const int modules = code->width + 2 * kQuietZone;
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{0}" viewBox="0 0 {1} {1}" )"
      R"(role="img" aria-label="{2}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{1}v{1}H0z"/>)"
      R"(<path fill="#000" d="{3}"/></svg>)",
      modules * kPixelsPerModule, modules, escaped(label), path_of(*code));
}

}  // namespace gatehouse::identity
