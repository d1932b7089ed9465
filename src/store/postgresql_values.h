#pragma once
// Values in PostgreSQL's binary form: integers in network order, text and bytes as they are.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/database.h"

struct pg_result;

namespace gatehouse::store {

// What a statement's parameters are to libpq. Points into `parameters`, which must outlive it.
struct EncodedParameters {
  explicit EncodedParameters(const Parameters& parameters);
  EncodedParameters(const EncodedParameters&) = delete;
  EncodedParameters& operator=(const EncodedParameters&) = delete;

  // What a prepared statement is known by: its text and the types of its parameters.
  std::string key(std::string_view sql) const;

  std::vector<unsigned> types;  // object ids; 0 for NULL, whose place decides
  std::vector<const char*> values;
  std::vector<int> lengths, formats;

 private:
  std::vector<std::uint64_t> integers_;
};

// The first row of `result`. `bytes` grows by what it takes.
Result<Row> decode_row(const pg_result* result, std::size_t& bytes);

}  // namespace gatehouse::store
