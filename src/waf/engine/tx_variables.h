#pragma once
// TX variables: those that rules spell out, by slot, and those whose names are made of what a request holds.
//
// The numbers of the first are read once, when they are set: most rules that run for every request compare one of them.
// Thread safety: one owner, a transaction. Invariant of the first: `text` of what is set holds until the same slot
// changes, or for the whole transaction where `lasts` says so.

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

// Names that no rule spells out, such as `tx.counter_%{MATCHED_VAR_NAME}`: thousands, when a client wants it so.
//
// Invariants: (1) never more than kMax; (2) each call costs the same however many there are, but for what `set` puts in
// order now and then; names are found by their keyed hash, so that nobody can choose which share a place.
class TxOthers {
 public:
  static constexpr std::size_t kMax = 4096;
  struct Variable {
    std::string name, value;
    std::uint64_t hash = 0;
    bool set = true;
  };

  std::string_view text(std::string_view name) const noexcept {  // empty when unset
    const std::uint32_t at = find(name, hash_of(name));
    return at != kNowhere ? std::string_view(variables_[at].value) : std::string_view{};
  }
  void set(std::string name, std::string value);  // one too many is left out
  void unset(std::string_view name) noexcept;

  // In the order in which they were set; null where one was unset.
  std::size_t places() const noexcept { return variables_.size(); }
  const Variable* at(std::size_t place) const noexcept { return variables_[place].set ? &variables_[place] : nullptr; }

  std::size_t bytes() const noexcept {  // on the heap
    return text_bytes_ + variables_.capacity() * sizeof(Variable) + index_.capacity() * sizeof(std::uint32_t);
  }
  // Forgets all, and lets go of what a request made large.
  void release() noexcept;

 private:
  static constexpr std::uint32_t kNowhere = UINT32_MAX;
  static constexpr std::size_t kWithoutIndex = 8;  // so few are looked through

  std::uint64_t hash_of(std::string_view name) const noexcept;
  std::uint32_t find(std::string_view name, std::uint64_t hash) const noexcept;
  void enter(std::uint32_t at) noexcept;
  void put_in_order();

  std::vector<Variable> variables_;
  std::vector<std::uint32_t> index_;  // into variables_, by hash, with free places; empty while there are few
  std::size_t set_ = 0, text_bytes_ = 0;
};

}  // namespace gatehouse::waf
