#include "waf/cost/slow_cases.h"

namespace gatehouse::waf {

std::vector<SlowCase> slow_cases() {
  return {
      // Each argument is looked at by every rule, also one without a name and a value.
      {"empty arguments of a form", {Place::form, {{"&", 1}}, 1, true}},
      {"empty arguments of a query", {Place::query, {{"&", 1}}, 1, true}},
      {"one-byte arguments", {Place::form, {{"a&", 1}}, 1, true}},
      {"one-byte cookies", {Place::cookies, {{"a;", 1}}, 1, true}},
      {"one-byte values of JSON", {Place::json, {{"\",\"\":\"", 1}}, 1, true}},
      {"elements of a JSON array", {Place::json, {{"\",\"a\":[1", 0}, {",1", 1}, {"],\"b\":\"", 0}}, 1, true}},
      {"attributes of XML", {Place::xml, {{"<a b='1'/>", 1}}, 1, true}},
      {"parts of a multipart body",
       {Place::multipart, {{"\r\n------7d9c1f\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n", 1}}, 1, true}},
      // Names repeat the path to their value: quadratic, were they not bounded.
      {"a long key over a JSON array",
       {Place::json, {{"\",\"", 0}, {"k", 1}, {"\":[1", 0}, {",1", 1}, {"],\"b\":\"", 0}}, 1, true}},
      // libinjection's tokens, folded one at a time.
      {"SQL operators behind words", {Place::form, {{"bl after refused", 0}, {"~", 1}}, 1, false}},
      {"SQL comparisons", {Place::form, {{"=", 1}}, 1, false}},
      {"SQL, bars and letters",
       {Place::xml,
        {{"\xc2\xa0"
          "andC|",
          0},
         {"|B", 1}},
        1,
        false}},
      {"SQL in every value", {Place::form, {{"1'+or+1%3d1--&a=", 1}}, 1, true}},
      // Transformations with something to do at each byte, or to look for up to the end.
      {"entities without an end", {Place::form, {{"&#x4", 1}}, 1, false}},
      {"digits of one entity", {Place::form, {{"&#", 0}, {"0", 1}}, 1, false}},
      {"comments that open", {Place::form, {{"/*", 1}}, 1, false}},
      {"comments that open and close", {Place::form, {{"/**/", 1}}, 1, false}},
      {"HTML comments that open", {Place::form, {{"<!--", 1}}, 1, false}},
      {"backslashes", {Place::form, {{"\\", 1}}, 1, false}},
      {"paths there and back", {Place::form, {{"a/../", 1}}, 1, false}},
      {"paths there, then back", {Place::form, {{"/a", 1}, {"/..", 1}}, 1, false}},
      {"paths up", {Place::query, {{"../", 1}}, 1, true}},
      {"percent signs", {Place::form, {{"%25", 1}}, 1, false}},
      {"overlong UTF-8", {Place::form, {{"\xc0\xaf", 1}}, 1, false}},
      // Beginnings of what patterns look for, which never becomes it.
      {"tags that open", {Place::form, {{"<a b=c ", 1}}, 1, false}},
      {"attributes that open", {Place::form, {{"<a ", 0}, {"on=\"", 1}}, 1, false}},
      {"commands in brackets", {Place::form, {{"$(", 1}}, 1, false}},
      {"quotes", {Place::form, {{"'\"", 1}}, 1, false}},
      {"letters", {Place::form, {{"a", 1}}, 1, false}},
      {"blanks", {Place::form, {{"a", 0}, {" ", 1}}, 1, false}},
      {"JNDI, nested", {Place::form, {{"${", 1}}, 1, false}},
  };
}

}  // namespace gatehouse::waf
