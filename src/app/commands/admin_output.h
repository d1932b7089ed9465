#pragma once
// What the commands that talk to a running gateway read from its answers, and print.
//
// Control thread. Invariant: what came from elsewhere is made printable before it reaches a terminal.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "app/commands/admin_client.h"
#include "codec/json.h"
#include "telemetry/explain.h"

namespace gatehouse::app {

constexpr int kDone = 0, kFailed = 1, kRefused = 2;
constexpr codec::JsonLimits kReplyLimits{.bytes_max = 64 * 1024 * 1024, .depth_max = 16, .values_max = 4'000'000};

bool in_colour();
void print(std::string_view text);
int complain(std::string_view what, int code = kFailed);

std::string_view text_of(const codec::Json& object, std::string_view name);
std::int64_t number_of(const codec::Json& object, std::string_view name);
bool flag_of(const codec::Json& object, std::string_view name);
std::span<const codec::Json> list_of(const codec::Json& object, std::string_view name);

// A successful answer as JSON. Otherwise it has told why, and `code` is what to exit with.
std::optional<codec::Json> expect_json(const AdminTarget& target, const Result<AdminReply>& reply, int& code);
int print_raw(const AdminReply& reply);

// Lines of text.
class PrintedText {
 public:
  explicit PrintedText(bool colour) : colour_(colour) {}
  PrintedText& literal(std::string_view text) {
    out_ += text;
    return *this;
  }
  PrintedText& add(std::string_view text) {
    telemetry::append_printable(text, out_);
    return *this;
  }
  PrintedText& add(std::int64_t number) { return literal(std::to_string(number)); }
  // Filled up to `width`, and set apart from what follows.
  PrintedText& column(std::string_view text, std::size_t width) {
    add(text);
    out_.append(text.size() < width ? width - text.size() + 2 : 2, ' ');
    return *this;
  }
  PrintedText& good(std::string_view text) { return coloured("\x1b[32m", text); }
  PrintedText& bad(std::string_view text) { return coloured("\x1b[31m", text); }
  PrintedText& strong(std::string_view text) { return coloured("\x1b[1m", text); }
  const std::string& text() const noexcept { return out_; }
  void print_out() const { print(out_); }

 private:
  PrintedText& coloured(std::string_view code, std::string_view text) {
    if (colour_) out_ += code;
    add(text);
    if (colour_) out_ += "\x1b[0m";
    return *this;
  }
  const bool colour_;
  std::string out_;
};

}  // namespace gatehouse::app
