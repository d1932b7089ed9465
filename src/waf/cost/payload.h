#pragma once
// Requests of a given size made for their cost: text built from pieces that repeat, laid where a client may lay it.
//
// Values; pure functions of their arguments. What makes matchers slow is repetition: a prefix that starts a pattern,
// something that it can go on with for ever, and an end at which it fails. So a payload is a list of pieces, each
// written once or over and over, and not just bytes.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "waf/regression/raw_request.h"

namespace gatehouse::waf {

// Where the payload stands. A path, a query, a header and cookies have the same limits as a whole head has.
enum class Place : std::uint8_t { path, query, header, cookies, form, json, multipart, xml, count_ };
constexpr std::size_t kPlaces = static_cast<std::size_t>(Place::count_);
std::string_view name_of(Place place) noexcept;

struct Piece {
  std::string text;
  std::uint8_t weight = 0;  // 0: written once; else its share of what the pieces written once leave over
  friend bool operator==(const Piece&, const Piece&) = default;
};

struct Payload {
  Place place = Place::form;
  std::vector<Piece> pieces;
  std::uint32_t values = 1;  // among which the bytes are divided; no two are equal
  bool raw = false;          // not escaped for where it stands: it can end its value and begin others
  friend bool operator==(const Payload&, const Payload&) = default;
};

// The request whose path, query, header, cookies or body has at most `bytes` bytes, and hardly less.
RawRequest render(const Payload& payload, std::size_t bytes);
// Of the same place and size, and nothing special: 32 bytes of text a value.
RawRequest ordinary(Place place, std::size_t bytes);
// For a report: pieces as they would stand in source code, with their weights.
std::string describe(const Payload& payload);

}  // namespace gatehouse::waf
