#pragma once
// The calls of one command to the admin API, in their order: the first that fails tells why, and the rest is not done.
//
// Control thread.

#include <optional>
#include <string>
#include <string_view>

#include "app/commands/admin_output.h"

namespace gatehouse::app {

class IdentityCalls {
 public:
  IdentityCalls(const AdminTarget& target, bool json) : target_(target), json_(json) {}

  // `path` as it goes on the wire; see `piece`. Null: it was told, and `code` is what to exit with.
  std::optional<codec::Json> call(std::string_view method, const std::string& path, std::string_view body = {}) {
    last_ = admin_call(target_, method, path, body);
    return expect_json(target_, last_, code_);
  }
  // The same, for who needs no answer.
  bool made(std::string_view method, const std::string& path, std::string_view body = {}) {
    return call(method, path, body).has_value();
  }

  int code() const noexcept { return code_; }
  bool json() const noexcept { return json_; }
  // With --json the last answer, else these words.
  int end(const PrintedText& words) const {
    if (json_) return print_raw(*last_);
    words.print_out();
    return kDone;
  }

 private:
  const AdminTarget& target_;
  const bool json_;
  int code_ = kDone;
  Result<AdminReply> last_;
};

// A name as a piece of a path.
std::string piece(std::string_view name);
// "?after=a&limit=2"
std::string query_of(std::initializer_list<std::pair<std::string_view, std::string_view>> parameters);
// More than this page may follow, which a table does not show.
void tell_of_more(std::size_t shown, std::size_t limit, std::string_view last);

}  // namespace gatehouse::app
