#pragma once
// The shop's document and requests to it, for tests and benchmarks.

#include "base/check.h"
#include "base/file.h"
#include "schema/openapi_model.h"

#ifndef GATEHOUSE_SOURCE_DIR
#define GATEHOUSE_SOURCE_DIR "."  // tests define it; this is for compiling the header alone
#endif

namespace gatehouse::schema {

inline std::shared_ptr<const OpenApiModel> shop_model() {
  const auto text = read_file(GATEHOUSE_SOURCE_DIR "/tests/data/openapi/shop.yaml", 1 << 20);
  GH_CHECK(text.has_value());
  std::vector<Problem> problems;
  auto model = OpenApiModel::read(*text, {}, problems);
  GH_CHECK(model != nullptr && problems.empty());
  return model;
}

// An order of about a kilobyte.
inline constexpr std::string_view kOrder = R"({
  "email": "mira.lindqvist@shop.example", "placed_at": "2026-11-28T16:04:05.123+01:00",
  "items": [
    {"product": "p-1001", "quantity": 2, "note": "Please wrap it, it is a present for my sister", "gift": true, "price": 249.99},
    {"product": "p-1002", "quantity": 1, "note": null, "gift": false, "price": 19.5},
    {"product": "p-1003", "quantity": 12, "note": "The green ones", "gift": false, "price": 3.25},
    {"product": "p-1004", "quantity": 4, "note": "Kellerregal, bitte mit Schrauben für Gipskarton", "gift": false, "price": 59},
    {"product": "p-1005", "quantity": 1, "note": "A replacement for the one that came broken last week", "gift": false, "price": 129.9}
  ],
  "address": {"street": "Långgatan 17, second floor, the door on the left behind the bakery", "city": "Göteborg",
              "postcode": "413 03", "country": "SE"},
  "payment": {"kind": "card", "token": "123e4567-e89b-12d3-a456-426614174000"}
})";

}  // namespace gatehouse::schema
