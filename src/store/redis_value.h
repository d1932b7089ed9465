#pragma once
// What a Redis answers (RESP 2), as values of our own: bounded while they are read, so that a server gone mad, or
// something that is no Redis, costs no more than a broken connection.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::store {

struct RedisValue {
  enum class Kind : std::uint8_t { nil, integer, text, error, array };
  Kind kind = Kind::nil;
  std::int64_t integer = 0;
  std::string text;  // of a text, a status or an error
  std::vector<RedisValue> items;

  bool is_error() const noexcept { return kind == Kind::error; }
};

// A command and its arguments, as bytes to send.
void append_redis_command(std::string& out, const std::vector<std::string_view>& words);

// Makes values of bytes, in pieces as they come.
class RedisReader {
 public:
  static constexpr std::size_t kItemsMax = 1 << 16;          // of one answer, all its arrays together
  static constexpr std::size_t kBytesMax = 8 * 1024 * 1024;  // of one answer

  RedisReader();
  RedisReader(const RedisReader&) = delete;
  ~RedisReader();

  // Calls `take(RedisValue&&)` for each answer that is complete; false from it ends the loop. Fails for good when this
  // is no answer of a Redis, or one beyond the bounds.
  template <class Take>
  Status feed(std::string_view bytes, Take&& take) {
    if (auto fed = append(bytes); !fed) return fed;
    for (;;) {
      RedisValue value;
      auto complete = next(value);
      if (!complete) return tl::unexpected(complete.error());
      if (!*complete || !take(std::move(value))) return {};
    }
  }

 private:
  struct State;
  Status append(std::string_view bytes);
  Result<bool> next(RedisValue& into);

  std::unique_ptr<State> state_;
};

}  // namespace gatehouse::store
