#include "app/commands/keys.h"

#include <fmt/format.h>

#include "app/commands/printed_table.h"

namespace gatehouse::app {
namespace {

using codec::Json;

void print_data_keys(const Json& answer) {
  PrintedText text(in_colour());
  text.strong("root key").literal("  ").add(text_of(answer, "root_key"));
  if (number_of(answer, "root_keys") > 1)
    text.literal("  ").bad(
        fmt::format("{} open the store: gatehouse keys rotate --root --finish", number_of(answer, "root_keys")));
  text.literal("\n\n").strong("keys that seal what is stored").literal("\n");
  text.print_out();
  PrintedTable table({"ID", "STATE", "CREATED", "RECORDS"});
  std::int64_t waiting = 0;
  for (const Json& key : list_of(answer, "keys")) {
    const std::int64_t records = number_of(key, "records");
    if (text_of(key, "state") != "current") waiting += records;
    table.add({std::to_string(number_of(key, "id")), std::string(text_of(key, "state")), short_time(key, "created"),
               std::to_string(records)});
  }
  table.print_out("none");
  PrintedText rest(in_colour());
  if (waiting > 0) rest.add(waiting).literal(" records wait to be sealed with the current key\n");
  if (const auto unopened = number_of(answer, "unopened"); unopened > 0)
    rest.bad(fmt::format("{} records do not open: they were changed; the log names them", unopened)).literal("\n");
  if (const auto lost = number_of(answer, "lost"); lost > 0)
    rest.bad(fmt::format("{} records are sealed with a key that is not here", lost)).literal("\n");
  rest.print_out();
}

void print_signing_keys(const Json& answer) {
  PrintedTable table({"ID", "ALGORITHM", "STATE", "SIGNS FROM", "SIGNS UNTIL", "PUBLISHED UNTIL"});
  for (const Json& key : list_of(answer, "keys")) {
    table.add({std::string(text_of(key, "id")), std::string(text_of(key, "algorithm")),
               std::string(text_of(key, "state")), short_time(key, "signs_from"), short_time(key, "signs_until"),
               short_time(key, "published_until")});
  }
  table.print_out("none");
}

}  // namespace

int run_keys_status(const AdminTarget& target, bool json) {
  int code = kDone;
  const auto data = admin_call(target, "GET", "/v1/data-keys");
  const auto data_keys = expect_json(target, data, code);
  if (!data_keys) return code;
  const auto signing = admin_call(target, "GET", "/v1/signing-keys");
  const auto signing_keys = expect_json(target, signing, code);
  if (!signing_keys) return code;
  if (json) {
    print(fmt::format("{{\"data_keys\":{},\"signing_keys\":{}}}\n", data->body, signing->body));
    return kDone;
  }
  print_data_keys(*data_keys);
  PrintedText(in_colour()).literal("\n").strong("keys that sign tokens").literal("\n").print_out();
  print_signing_keys(*signing_keys);
  return kDone;
}

int run_keys_rotate(const AdminTarget& target, RotatedKeys which, bool json) {
  int code = kDone;
  const bool data = which == RotatedKeys::data;
  const auto reply = admin_call(target, "POST", data ? "/v1/data-keys/rotate" : "/v1/signing-keys/rotate", "{}");
  const auto answer = expect_json(target, reply, code);
  if (!answer) return code;
  if (json) return print_raw(*reply);
  PrintedText text(in_colour());
  text.good("rotated").literal(data ? ": what is stored is sealed anew in the background; see gatehouse keys status\n"
                                    : ": the new keys sign in a few seconds, once every gateway publishes them; the "
                                      "old ones stay published for two days\n");
  text.print_out();
  return kDone;
}

}  // namespace gatehouse::app
