#include "admin/dashboard/static_pages.h"

#include <brotli/decode.h>

#include "admin/dashboard/dashboard_files.h"

namespace gatehouse::admin {
namespace {

// Nothing but our own files, nothing inline, and no text that becomes code or markup (Trusted Types).
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const DashboardFile* find_file(std::string_view path) noexcept {
  for (const DashboardFile& file : dashboard_files()) {
    if (file.path == path) return &file;
  }
  return nullptr;
}

// "gzip, br;q=0.5": only whether it is named; a browser that refuses it does not name it.
bool takes_brotli(std::string_view accept_encoding) noexcept {
  while (!accept_encoding.empty()) {
    std::string_view one = accept_encoding.substr(0, accept_encoding.find(','));
    accept_encoding.remove_prefix(std::min(one.size() + 1, accept_encoding.size()));
    while (one.starts_with(' ')) one.remove_prefix(1);
    if (one == "br" || one.starts_with("br;")) return true;
  }
  return false;
}

std::string unpacked(const DashboardFile& file) {
  std::string text(file.bytes, '\0');
  std::size_t size = text.size();
  const auto* from = reinterpret_cast<const std::uint8_t*>(file.brotli.data());
  const BrotliDecoderResult done =
      BrotliDecoderDecompress(file.brotli.size(), from, &size, reinterpret_cast<std::uint8_t*>(text.data()));
  return done == BROTLI_DECODER_RESULT_SUCCESS ? text.substr(0, size) : std::string();
}

}  // namespace

bool is_dashboard_path(std::string_view path) noexcept { return path == "/" || find_file(path) != nullptr; }

std::optional<Answer> dashboard_answer(const Call& call) {
  const DashboardFile* file = find_file(call.path);
  if (file == nullptr && call.path == "/")
    return problem(404, "This program was built without the dashboard; docs/dashboard.md says how it is built.");
  if (file == nullptr) return std::nullopt;
  if (call.method != "GET" && call.method != "HEAD") {
    Answer answer = problem(405, "This method does not apply here.");
    answer.allow = "GET, HEAD";
    return answer;
  }
  Answer answer;
  answer.content_type = file->content_type;
  // A browser asks each time whether it is still the same: after an update nobody runs an old page against a new API.
  answer.cache_control = "no-cache";
  answer.fields = {{"content-security-policy", std::string(kPolicy)},
                   {"referrer-policy", "no-referrer"},
                   {"cross-origin-opener-policy", "same-origin"},
                   {"cross-origin-resource-policy", "same-origin"},
                   {"vary", "accept-encoding"},
                   {"etag", "\"" + std::string(file->tag) + "\""}};
  if (call.if_none_match.find("\"" + std::string(file->tag) + "\"") != std::string::npos) {
    answer.status = 304;
  } else if (takes_brotli(call.accept_encoding)) {
    answer.fields.emplace_back("content-encoding", "br");
    answer.body = file->brotli;
  } else {
    answer.body = unpacked(*file);
  }
  return answer;
}

}  // namespace gatehouse::admin
