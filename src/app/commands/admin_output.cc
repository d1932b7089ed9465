#include "app/commands/admin_output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "app/config/diagnostic.h"

namespace gatehouse::app {
namespace {

using codec::Json;

constexpr std::string_view kNoToken = " Give it in GATEHOUSE_ADMIN_TOKEN.";
// A token that has just been changed in the file isn't the running gateway's yet.
constexpr std::string_view kOtherToken =
    " If admin.token has changed in the file, the running gateway still has the one before: give it in "
    "GATEHOUSE_ADMIN_TOKEN, or reload by SIGHUP.";

}  // namespace

bool in_colour() { return wants_colour(STDOUT_FILENO); }

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int complain(std::string_view what, int code) {
  std::string text = "gatehouse: ";
  telemetry::append_printable(what, text);
  text += '\n';
  std::fwrite(text.data(), 1, text.size(), stderr);
  return code;
}

std::string_view text_of(const Json& object, std::string_view name) {
  return object.find_string(name).value_or(std::string_view());
}
std::int64_t number_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member == nullptr ? 0 : member->integer().value_or(0);
}
bool flag_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member != nullptr && member->boolean().value_or(false);
}
std::span<const Json> list_of(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  return member == nullptr ? std::span<const Json>() : member->items();
}

std::optional<Json> expect_json(const AdminTarget& target, const Result<AdminReply>& reply, int& code) {
  if (!reply) {
    code = complain(reply.error().message);
    return std::nullopt;
  }
  auto value = Json::parse(reply->body, kReplyLimits);
  if (!value || !value->is_object()) {
    code = complain(fmt::format("the answer (status {}) is not from a gatehouse admin API", reply->status));
    return std::nullopt;
  }
  if (reply->status < 300) return value;
  std::string why(text_of(*value, "detail"));
  if (why.empty()) why = fmt::format("status {}", reply->status);
  if (reply->status == 401 && !target.is_local()) why += target.token.empty() ? kNoToken : kOtherToken;
  code = complain(why, reply->status == 400 ? kRefused : kFailed);
  return std::nullopt;
}

int print_raw(const AdminReply& reply) {
  print(reply.body);
  print("\n");
  return kDone;
}

}  // namespace gatehouse::app
