#pragma once
// The TX variables that rules spell out, by slot. Their numbers are read once, when they are set: most rules that run
// for every request compare one of them.
//
// Thread safety: one owner, a transaction. Invariant: `text` of what is set holds until the same slot changes, or for
// the whole transaction where `lasts` says so.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "waf/engine/program.h"
#include "waf/operator/operator.h"

namespace gatehouse::waf {

class TxVariables {
 public:
  void reset(std::size_t slots) {
    values_.assign(slots, {});
    owned_.resize(slots);
  }
  // Lets go of what a request may have made large.
  void release() noexcept {
    values_.assign(values_.size(), {});
    for (std::string& text : owned_) {
      if (text.capacity() > kKeptBytesMax) std::string().swap(text);
    }
  }

  std::size_t size() const noexcept { return values_.size(); }
  std::size_t bytes() const noexcept {  // on the heap
    std::size_t sum = values_.capacity() * sizeof(Value) + owned_.capacity() * sizeof(std::string);
    for (const std::string& text : owned_) sum += text.capacity();
    return sum;
  }
  bool is_set(TxSlot slot) const noexcept { return values_[slot].set; }
  bool lasts(TxSlot slot) const noexcept { return values_[slot].lasts; }
  std::string_view text(TxSlot slot) const noexcept { return values_[slot].text; }  // empty when unset
  std::int64_t number(TxSlot slot) const noexcept { return values_[slot].number; }

  // `text` outlives the transaction, and reads as `number`.
  void set_lasting(TxSlot slot, std::string_view text, std::int64_t number) noexcept {
    values_[slot] = {text.empty() ? std::string_view("") : text, number, true, true};
  }
  // `text` may be a part of what the slot holds.
  void set(TxSlot slot, std::string_view text) {
    std::string& own = owned_[slot];
    own.assign(text);
    values_[slot] = {own, number_of(own), true, false};
  }
  void unset(TxSlot slot) noexcept { values_[slot] = {}; }

 private:
  static constexpr std::size_t kKeptBytesMax = 1024;  // of a slot, from one transaction to the next
  struct Value {
    std::string_view text;
    std::int64_t number = 0;
    bool set = false, lasts = false;
  };

  std::vector<Value> values_;
  std::vector<std::string> owned_;
};

}  // namespace gatehouse::waf
