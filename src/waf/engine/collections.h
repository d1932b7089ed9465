#pragma once
// What rules look at: the values of one request and its response, by SecLang's variables.
//
// Thread safety: one owner, a transaction. Invariant: every view points into the transaction's arena or into bytes that
// its owner keeps until the transaction ends. Source: ModSecurity Reference Manual v3, "Variables".

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "waf/body/body.h"
#include "waf/variable.h"

namespace gatehouse::waf {

// Where values stand; ARGS and ARGS_NAMES look at two of them.
enum class ValueList : std::uint8_t {
  args_get,
  args_post,
  cookies,
  request_headers,
  response_headers,
  files,         // name: the field's; value: the file's name
  part_headers,  // name: the part's; value: the whole line
  xml_texts,
  xml_attributes,
  count_,
};
constexpr std::size_t kValueLists = static_cast<std::size_t>(ValueList::count_);

// What a variable stands for: one or two lists, their values or their names. No list: a single value, or what only the
// engine knows (TX, MATCHED_VARS …).
struct ValueSource {
  std::array<ValueList, 2> lists{};
  std::uint8_t count = 0;
  bool names = false;
};
ValueSource source_of(Variable variable, std::string_view key = {}) noexcept;  // `XML://@*` by its key

class Collections {
 public:
  void add(ValueList list, std::string_view name, std::string_view value) { of(list).push_back({name, value}); }
  const std::vector<NameValue>& list(ValueList list) const noexcept { return lists_[static_cast<std::size_t>(list)]; }

  void set(Variable variable, std::string_view value) noexcept {
    single_[static_cast<std::size_t>(variable)] = value;
    times_[static_cast<std::size_t>(variable)] = ++time_;
  }
  const std::optional<std::string_view>& single(Variable variable) const noexcept {
    return single_[static_cast<std::size_t>(variable)];
  }
  void clear() noexcept;
  std::size_t bytes() const noexcept;  // on the heap, the texts aside

  // When a single value was set, counted in values set since `clear`; 0: never. Lists only grow.
  std::uint32_t time_of(Variable variable) const noexcept { return times_[static_cast<std::size_t>(variable)]; }
  std::uint32_t time() const noexcept { return time_; }

 private:
  std::vector<NameValue>& of(ValueList list) noexcept { return lists_[static_cast<std::size_t>(list)]; }

  std::array<std::vector<NameValue>, kValueLists> lists_;
  std::array<std::optional<std::string_view>, kVariables> single_{};
  std::array<std::uint32_t, kVariables> times_{};
  std::uint32_t time_ = 0;
};

}  // namespace gatehouse::waf
