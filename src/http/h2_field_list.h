#pragma once
// Header fields on their way out: as the list that nghttp2 takes, and kept aside until they may be sent.

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"

namespace gatehouse::http {

// Header fields that must outlive the call that brought them.
class OwnedFields {
 public:
  void add(std::string_view name, std::string_view value);
  template <class Visitor>
  void each(Visitor visit) const {
    std::size_t at = 0;
    for (const auto& [name, value] : lengths_) {
      visit(std::string_view(text_).substr(at, name), std::string_view(text_).substr(at + name, value));
      at += name + value;
    }
  }

 private:
  std::string text_;
  std::vector<std::pair<std::size_t, std::size_t>> lengths_;
};

// A list of header fields as nghttp2 wants them; one per shard, filled and used within one call.
class NvList {
 public:
  static NvList& scratch();
  void add(std::string_view name, std::string_view value, std::uint8_t flags = NGHTTP2_NV_FLAG_NONE);
  void add_status(int status);
  void add_length(std::uint64_t length);
  // All but what speaks of the connection or of framing, which is the codec's business.
  // `shared`: a connection that many principals' requests travel on. What proves who they are stays out of the
  // compression table then, where another's guess could be compared with it (RFC 7541 §7.1).
  void add_fields(const Fields& fields, bool shared = false);
  const nghttp2_nv* data() const noexcept { return list_.data(); }
  std::size_t size() const noexcept { return list_.size(); }

 private:
  std::vector<nghttp2_nv> list_;
  char status_[3] = {};
  char length_[20] = {};
};

}  // namespace gatehouse::http
