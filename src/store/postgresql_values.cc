#include "store/postgresql_values.h"

#include <endian.h>
#include <libpq-fe.h>

#include <cstring>

namespace gatehouse::store {
namespace {

// pg_type.dat
constexpr unsigned kBool = 16, kBytes = 17, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kVarchar = 1043;

template <class Unsigned>
Unsigned raw(const char* data) noexcept {
  Unsigned number;
  std::memcpy(&number, data, sizeof number);
  return number;
}

Result<Value> decode(const pg_result* result, int column) {
  if (::PQgetisnull(result, 0, column)) return Value();
  const char* data = ::PQgetvalue(result, 0, column);
  const auto size = static_cast<std::size_t>(::PQgetlength(result, 0, column));
  switch (::PQftype(result, column)) {
    case kBool: return Value(*data != 0 ? 1 : 0);
    case kInt2: return Value(static_cast<std::int16_t>(be16toh(raw<std::uint16_t>(data))));
    case kInt4: return Value(static_cast<std::int32_t>(be32toh(raw<std::uint32_t>(data))));
    case kInt8: return Value(static_cast<std::int64_t>(be64toh(raw<std::uint64_t>(data))));
    case kText:
    case kVarchar:
    case kName: return Value(std::string(data, size));
    case kBytes: return Value(Bytes{std::string(data, size)});
    default:
      return fail(ErrorCode::invalid, fmt::format("column {} is no integer, text or bytes", ::PQfname(result, column)));
  }
}

}  // namespace

EncodedParameters::EncodedParameters(const Parameters& parameters) {
  integers_.reserve(parameters.size());  // pointers into it must last
  for (const Value& value : parameters) {
    const auto add = [&](unsigned type, const char* data, std::size_t size) {
      types.push_back(type);
      values.push_back(data);
      lengths.push_back(static_cast<int>(size));
      formats.push_back(1);
    };
    if (const auto* number = std::get_if<std::int64_t>(&value.variant())) {
      integers_.push_back(htobe64(static_cast<std::uint64_t>(*number)));
      add(kInt8, reinterpret_cast<const char*>(&integers_.back()), sizeof(std::uint64_t));
    } else if (const auto* text = std::get_if<std::string>(&value.variant())) {
      add(kText, text->data(), text->size());
    } else if (const auto* bytes = std::get_if<Bytes>(&value.variant())) {
      add(kBytes, bytes->data.data(), bytes->data.size());
    } else {
      add(0, nullptr, 0);
    }
  }
}

std::string EncodedParameters::key(std::string_view sql) const {
  std::string key(sql);
  key += '\0';
  for (const unsigned type : types) key += static_cast<char>(type);
  return key;
}

Result<Row> decode_row(const pg_result* result, std::size_t& bytes) {
  Row row;
  const int columns = ::PQnfields(result);
  row.reserve(static_cast<std::size_t>(columns));
  for (int i = 0; i < columns; ++i) {
    auto value = decode(result, i);
    if (!value) return tl::unexpected(std::move(value.error()));
    bytes += sizeof(Value) + static_cast<std::size_t>(::PQgetlength(result, 0, i));
    row.push_back(std::move(*value));
  }
  return row;
}

}  // namespace gatehouse::store
