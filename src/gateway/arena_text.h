#pragma once
// Puts a short text together in a request's arena: field values of every answer and every upstream request, where
// formatting by a library would cost more than the layer. The caller says how long it can get.

#include <charconv>
#include <cstring>
#include <string_view>

#include "base/arena.h"
#include "base/check.h"
#include "base/ip.h"

namespace gatehouse::gateway {

class ArenaText {
 public:
  static constexpr std::size_t kNumberMax = 20;   // bytes of a 64-bit number
  static constexpr std::size_t kAddressMax = 45;  // bytes of an IPv6 address

  ArenaText(Arena& arena, std::size_t max) : begin_(arena.allocate(max)), at_(begin_), end_(begin_ + max) {}

  ArenaText& add(std::string_view text) {
    GH_CHECK(text.size() <= static_cast<std::size_t>(end_ - at_));
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
    return *this;
  }
  ArenaText& add(std::uint64_t number) {
    const auto [end, error] = std::to_chars(at_, end_, number);
    GH_CHECK(error == std::errc());
    at_ = end;
    return *this;
  }
  ArenaText& add(const IpAddress& address) {
    if (!address.is_v4()) return add(address.to_string());
    for (std::size_t i = 12; i < 16; ++i) {
      if (i > 12) add(".");
      add(std::uint64_t{address.bytes[i]});
    }
    return *this;
  }
  std::string_view view() const noexcept { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

 private:
  char* begin_;
  char* at_;
  char* end_;
};

}  // namespace gatehouse::gateway
