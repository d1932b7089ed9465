// Any bytes as a form: what is read holds to the header's promises, and is the same again when it was written and read.
#include "codec/form.h"

#include <algorithm>

#include "base/check.h"
#include "codec/json_writer.h"

namespace {

using gatehouse::codec::Form;

bool is_forbidden(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\r' && c != '\n') || byte == 0x7f;
}

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0, bad_bytes = 0; i < text.size();) {
    const std::size_t length = gatehouse::codec::utf8_sequence(text.data() + i, text.data() + text.size(), &bad_bytes);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

void check(const std::string& text) {
  GH_CHECK(is_utf8(text));
  GH_CHECK(std::none_of(text.begin(), text.end(), is_forbidden));
  const std::string escaped = gatehouse::codec::percent_encode(text);
  GH_CHECK(escaped.find_first_of("&=+; \r\n") == std::string::npos);
}

void check(const Form& form, std::size_t size) {
  GH_CHECK(form.entries().size() <= Form::kParametersMax);
  gatehouse::codec::FormWriter writer;
  std::size_t bytes = 0;
  bool twice = false;
  for (const auto& [name, value] : form.entries()) {
    check(name);
    check(value);
    bytes += name.size() + value.size();
    const auto all = form.all(name);
    GH_CHECK(all.size() == form.count(name));
    GH_CHECK((all.size() == 1) == form.get(name).has_value());
    if (all.size() == 1) GH_CHECK(*form.get(name) == value);
    twice = twice || all.size() > 1;
    writer.add(name, value);
  }
  GH_CHECK(bytes <= size);
  GH_CHECK(twice == form.repeated().has_value());
  const auto again = Form::parse(writer.text());
  GH_CHECK(again && again->entries() == form.entries());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto form = Form::parse(text);
  if (!form) return 0;
  check(*form, size);
  form->omit_empty();
  for (const auto& [name, value] : form->entries()) GH_CHECK(!value.empty() && form->count(name) > 0);
  return 0;
}
