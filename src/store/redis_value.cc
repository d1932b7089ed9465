#include "store/redis_value.h"

#include <hiredis/read.h>

namespace gatehouse::store {

// hiredis parses; the values are ours, so that what is allocated is bounded: its own functions take an array's
// announced length at its word.
struct RedisReader::State {
  State() : reader(::redisReaderCreateWithFunctions(&functions)) {
    if (reader != nullptr) reader->privdata = this;
  }
  ~State() {
    if (reader != nullptr) ::redisReaderFree(reader);
  }

  // The place of a value: the root, or its index in the parent's array. Null: too many.
  static RedisValue* place(const ::redisReadTask* task) {
    State& state = *static_cast<State*>(task->privdata);
    if (++state.items > kItemsMax) return nullptr;
    if (task->parent == nullptr) return &state.root;
    return &static_cast<RedisValue*>(task->parent->obj)->items[static_cast<std::size_t>(task->idx)];
  }
  static void* text(const ::redisReadTask* task, char* bytes, std::size_t size) {
    RedisValue* value = place(task);
    if (value == nullptr) return nullptr;
    value->kind = task->type == REDIS_REPLY_ERROR ? RedisValue::Kind::error : RedisValue::Kind::text;
    value->text.assign(bytes, size);
    return value;
  }
  static void* array(const ::redisReadTask* task, int size) {
    RedisValue* value = place(task);
    if (value == nullptr || size < 0 || static_cast<std::size_t>(size) > kItemsMax) return nullptr;
    value->kind = RedisValue::Kind::array;
    value->items.resize(static_cast<std::size_t>(size));
    return value;
  }
  static void* integer(const ::redisReadTask* task, long long number) {
    RedisValue* value = place(task);
    if (value == nullptr) return nullptr;
    value->kind = RedisValue::Kind::integer;
    value->integer = number;
    return value;
  }
  static void* nil(const ::redisReadTask* task) { return place(task); }
  static void keep(void*) {}
  inline static ::redisReplyObjectFunctions functions{text, array, integer, nil, keep};

  RedisValue root;
  std::size_t items = 0;  // of the answer being read
  std::size_t bytes = 0;  // since the last complete one
  ::redisReader* reader;
};

RedisReader::RedisReader() : state_(std::make_unique<State>()) {}
RedisReader::~RedisReader() = default;

Status RedisReader::append(std::string_view bytes) {
  state_->bytes += bytes.size();
  if (state_->reader == nullptr || ::redisReaderFeed(state_->reader, bytes.data(), bytes.size()) != REDIS_OK)
    return fail(ErrorCode::exhausted, "out of memory");
  return {};
}

Result<bool> RedisReader::next(RedisValue& into) {
  State& state = *state_;
  void* complete = nullptr;
  if (::redisReaderGetReply(state.reader, &complete) != REDIS_OK) {
    if (state.items > kItemsMax) return fail(ErrorCode::invalid, "an answer of too many parts", ErrorSource::upstream);
    // hiredis' words quote what was read, which may be anything.
    return fail(ErrorCode::invalid, "what answers is no Redis", ErrorSource::upstream);
  }
  if (complete == nullptr) {
    if (state.bytes > kBytesMax) return fail(ErrorCode::invalid, "an answer of too many bytes", ErrorSource::upstream);
    return false;
  }
  into = std::exchange(state.root, {});
  state.items = 0;
  state.bytes = state.reader->len - state.reader->pos;
  return true;
}

void append_redis_command(std::string& out, const std::vector<std::string_view>& words) {
  out += fmt::format("*{}\r\n", words.size());
  for (const std::string_view word : words) {
    out += fmt::format("${}\r\n", word.size());
    out += word;
    out += "\r\n";
  }
}

}  // namespace gatehouse::store
