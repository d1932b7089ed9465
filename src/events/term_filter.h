#pragma once
// Which terms a block of events may hold: a Bloom filter (Bloom, 1970) over terms, which are evenly spread already.
//
// Ten bits for each term, rounded up to a power of two, and seven of them set: of the blocks that do not hold a term at
// most about one in a hundred is opened in vain. Bytes, for the store; pure functions.

#include <span>
#include <string>
#include <string_view>

#include "events/terms.h"

namespace gatehouse::events {

std::string make_term_filter(std::span<const Term> distinct);
// True for what was in `distinct`. A filter of another form holds everything.
bool may_hold(std::string_view filter, Term term) noexcept;

}  // namespace gatehouse::events
