#pragma once
// SecLang's transformations: what a rule does to a value before its operator looks at it.
//
// Pure functions over bytes; a NUL is a byte like any other. Most values are plain and no transformation touches them:
// `transform` finds that out without copying, and `touched_by` lets the caller skip whole chains after one look at a
// value's bytes.
//
// Semantics: libmodsecurity 3.0.9, which the tests compare with; where it loses bytes or is wrong, the difference and
// its reason stand in transform_oracle_test.cc.
// Thread safety: no state.
// Source: ModSecurity Reference Manual v3, "Transformation functions".

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "waf/byte_set.h"
#include "waf/rule.h"

namespace gatehouse::waf {

constexpr std::size_t kTransformations = static_cast<std::size_t>(Transformation::count_);

// True when the result differs from `in`, and then it is in `out`, whose capacity is used again. When false, `out`
// holds nothing of use. `in` must not point into `out`. The work is linear in `in`.
bool transform(Transformation transformation, std::string_view in, std::string& out);

// A value that holds none of these bytes is surely left unchanged.
const ByteSet& touched_by(Transformation transformation) noexcept;
// The bytes that occur in `value`, to ask `touched_by(t).intersects(...)` of many transformations. The empty value has
// none, yet `length`, `md5` and `sha1` change it: they have `changes_empty`.
ByteSet bytes_of(std::string_view value) noexcept;
bool changes_empty(Transformation transformation) noexcept;

// No result of a value of `in_size` bytes is longer.
std::size_t output_bytes_max(Transformation transformation, std::size_t in_size) noexcept;

// `urlDecodeUni`, as the manual spells it; `normalisePath` is read too. Any case. `none` is no transformation.
std::string_view name_of(Transformation transformation) noexcept;
std::optional<Transformation> transformation_of(std::string_view name) noexcept;

}  // namespace gatehouse::waf
