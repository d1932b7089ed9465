// TX variables with names of the request's: a table of open addressing beside the list of them.

#include <algorithm>
#include <utility>

#include "crypto/keyed_hash.h"
#include "waf/engine/tx_variables.h"

namespace gatehouse::waf {

// What is looked through needs no hash: 0 until there is an index.
std::uint64_t TxOthers::hash_of(std::string_view name) const noexcept {
  return index_.empty() ? 0 : crypto::keyed_hash(name);
}

std::uint32_t TxOthers::find(std::string_view name, std::uint64_t hash) const noexcept {
  if (index_.empty()) {
    for (std::size_t i = 0; i < variables_.size(); ++i) {
      if (variables_[i].set && variables_[i].name == name) return static_cast<std::uint32_t>(i);
    }
    return kNowhere;
  }
  const std::size_t mask = index_.size() - 1;
  for (std::size_t at = hash & mask; index_[at] != kNowhere; at = (at + 1) & mask) {
    const Variable& variable = variables_[index_[at]];
    if (variable.set && variable.hash == hash && variable.name == name) return index_[at];
  }
  return kNowhere;
}

void TxOthers::set(std::string name, std::string value) {
  std::uint64_t hash = hash_of(name);
  if (const std::uint32_t at = find(name, hash); at != kNowhere) {
    text_bytes_ -= variables_[at].value.capacity();
    variables_[at].value = std::move(value);
    text_bytes_ += variables_[at].value.capacity();
    return;
  }
  if (set_ == kMax) return;
  if (2 * (variables_.size() + 1) > index_.size() && variables_.size() >= kWithoutIndex) {
    put_in_order();
    hash = hash_of(name);
  }
  Variable& added = variables_.emplace_back(Variable{std::move(name), std::move(value), hash, true});
  text_bytes_ += added.name.capacity() + added.value.capacity();
  ++set_;
  if (!index_.empty()) enter(static_cast<std::uint32_t>(variables_.size() - 1));
}

// Its place stays taken until the list is put in order: who goes through the list is not led astray.
void TxOthers::unset(std::string_view name) noexcept {
  const std::uint32_t at = find(name, hash_of(name));
  if (at == kNowhere) return;
  Variable& variable = variables_[at];
  text_bytes_ -= variable.name.capacity() + variable.value.capacity();
  std::string().swap(variable.name);
  std::string().swap(variable.value);
  variable.set = false;
  --set_;
}

void TxOthers::enter(std::uint32_t at) noexcept {
  const std::size_t mask = index_.size() - 1;
  std::size_t place = variables_[at].hash & mask;
  while (index_[place] != kNowhere) place = (place + 1) & mask;
  index_[place] = at;
}

// Without what was unset, in an index with room for as many again.
void TxOthers::put_in_order() {
  std::erase_if(variables_, [](const Variable& variable) { return !variable.set; });
  const bool hashed = !index_.empty();
  std::size_t size = 4 * kWithoutIndex;
  while (size < 4 * (variables_.size() + 1)) size *= 2;
  index_.assign(size, kNowhere);
  for (std::uint32_t i = 0; i < variables_.size(); ++i) {
    if (!hashed) variables_[i].hash = crypto::keyed_hash(variables_[i].name);
    enter(i);
  }
}

void TxOthers::release() noexcept {
  if (variables_.capacity() > 8 * kWithoutIndex) {
    std::vector<Variable>().swap(variables_);
    std::vector<std::uint32_t>().swap(index_);
  }
  variables_.clear();
  index_.clear();
  set_ = text_bytes_ = 0;
}

}  // namespace gatehouse::waf
