#include "http/h2_field_list.h"

namespace gatehouse::http {
namespace {

bool is_credential(std::string_view name) noexcept {
  return name == "authorization" || name == "cookie" || name == "proxy-authorization" || name == "x-api-key" ||
         name.starts_with("x-gatehouse-");
}

// Different in every message. In the table they would push out what repeats, and the encoder compares each new value
// with all the old ones of that name: a tenth of a whole request's cost when x-request-id was among them.
bool is_unique(std::string_view name) noexcept {
  return name == "x-request-id" || name == "traceparent" || name == "tracestate" || name == "x-forwarded-for" ||
         name == "forwarded" || name.starts_with("ratelimit");
}

}  // namespace

void OwnedFields::add(std::string_view name, std::string_view value) {
  text_.append(name).append(value);
  lengths_.emplace_back(name.size(), value.size());
}

NvList& NvList::scratch() {
  thread_local NvList list;
  list.list_.clear();
  return list;
}

void NvList::add(std::string_view name, std::string_view value, std::uint8_t flags) {
  // nghttp2 copies both when the list is submitted.
  list_.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                   reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(), flags});
}

void NvList::add_status(int status) {
  status_[0] = static_cast<char>('0' + status / 100 % 10);
  status_[1] = static_cast<char>('0' + status / 10 % 10);
  status_[2] = static_cast<char>('0' + status % 10);
  add(":status", {status_, sizeof status_});
}

void NvList::add_length(std::uint64_t length) {
  char* at = length_ + sizeof length_;
  do {
    *--at = static_cast<char>('0' + length % 10);
    length /= 10;
  } while (length > 0);
  add("content-length", {at, static_cast<std::size_t>(length_ + sizeof length_ - at)});
}

void NvList::add_fields(const Fields& fields, bool shared) {
  for (const Field& field : fields) {
    switch (field.name.size()) {
      case 2:
        if (field.name == "te" && !equals_ignoring_case(field.value, "trailers")) continue;
        break;
      case 4:
        if (field.name == "host") continue;
        break;
      case 7:
        if (field.name == "upgrade") continue;
        break;
      case 10:
        if (field.name == "connection" || field.name == "keep-alive") continue;
        break;
      case 14:
        if (field.name == "content-length") continue;
        break;
      case 16:
        if (field.name == "proxy-connection") continue;
        break;
      case 17:
        if (field.name == "transfer-encoding") continue;
        break;
      default: break;
    }
    const bool index = !is_unique(field.name) && !(shared && is_credential(field.name));
    add(field.name, field.value, index ? NGHTTP2_NV_FLAG_NONE : NGHTTP2_NV_FLAG_NO_INDEX);
  }
}

}  // namespace gatehouse::http
