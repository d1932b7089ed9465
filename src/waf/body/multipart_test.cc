#include "waf/body/multipart.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <regex>
#include <set>

#include "waf/body/multipart_strictness_for_tests.h"
#include "waf/modsecurity_test_peer.h"

namespace gatehouse::waf {
namespace {

using namespace std::literals;

std::string flags_of(const MultipartFlags& flags) {
  std::string out;
  const auto add = [&](bool set, const char* name) {
    if (set) out += ' ', out += name;
  };
  add(flags.boundary_quoted, "quoted");
  add(flags.boundary_whitespace, "white");
  add(flags.crlf_lf_lines, "mixed");
  add(flags.data_after, "after");
  add(flags.data_before, "before");
  add(flags.file_limit_exceeded, "many-files");
  add(flags.header_folding, "folded");
  add(flags.invalid_header_folding, "bad-fold");
  add(flags.invalid_part, "bad-part");
  add(flags.invalid_quoting, "bad-quote");
  add(flags.lf_line, "lf");
  add(flags.missing_semicolon, "no-semicolon");
  add(flags.strict_error, "strict");
  return out;
}

// `a=1` for an argument, `a@f.txt:7` for a file, then the flags, the kind of unmatched boundary, and the error.
std::string describe(const Body& body) {
  std::string out;
  for (const NameValue& a : body.arguments) out += std::string(a.name) + "=" + std::string(a.value) + " ";
  for (const File& f : body.files) {
    out += std::string(f.field) + "@" + std::string(f.filename) + ":" + std::to_string(f.bytes) + " ";
  }
  out += "|" + flags_of(body.multipart);
  if (body.multipart.unmatched_boundary) out += " unmatched" + std::to_string(body.multipart.unmatched_boundary);
  if (body.error != BodyError::none) out += " ! "s + body.message;
  return out;
}

const std::string kType = "multipart/form-data; boundary=b";
const std::string kField = "Content-Disposition: form-data; name=\"a\"";

std::string part(std::string_view headers, std::string_view value) {
  return "--b\r\n" + std::string(headers) + "\r\n\r\n" + std::string(value) + "\r\n";
}
std::string one(std::string_view headers, std::string_view value = "1") { return part(headers, value) + "--b--\r\n"; }
std::string named(std::string_view parameters) {
  return one("Content-Disposition: form-data; " + std::string(parameters));
}

struct Case {
  const char* name;
  std::string type, body, expected;
};

const Case kBodies[] = {
    {"a field", kType, one(kField), "a=1 |"},
    {"two of the same name", kType, part(kField, "1") + one(kField, "2"), "a=1 a=2 |"},
    {"no line end at the end", kType, part(kField, "1") + "--b--", "a=1 |"},
    {"line ends in a value stay", kType, one(kField, "1\r\n2\n3\n\r\n"), "a=1\r\n2\n3\n\r\n |"},
    {"an empty value", kType, one(kField, ""), "a= |"},
    {"a lone CR is data", kType, one(kField, "1\r2\r"), "a=1\r2\r |"},
    {"NUL in a value", kType, one(kField, "1\0002"sv), "a=1\0002 |"s},
    {"nothing at all", kType, "", "|"},
    {"no part", kType, "--b--\r\n", "|"},
    {"no part and no line end", kType, "--b--", "|"},
    {"data before, no part and no line end", kType, "x\r\n--b--", "| before strict"},
    {"a file", kType, one(kField + "; filename=\"f.txt\"\r\nContent-Type: text/plain", "12\r\n345"), "a@f.txt:7 |"},
    {"no file chosen in a form", kType, one(kField + "; filename=\"\"", ""), "a= |"},
    {"both kinds of file name", kType, one(kField + "; filename=x; filename*=UTF-8''%C3%A9.php"),
     "a@x:1 a@\xc3\xa9.php:0 |"},
    {"filename* alone", kType, one(kField + "; filename*=UTF-8''a%20b"),
     "a@a b:1 | bad-part strict ! filename* without filename"},
    {"malformed filename*", kType, one(kField + "; filename=x; filename*=abc"),
     "a@x:1 a@abc:0 | bad-part strict ! malformed filename*"},
    {"LF lines", kType, "--b\n" + kField + "\n\n1\n--b--\n", "a=1 | lf strict"},
    {"mixed lines", kType, "--b\r\n" + kField + "\n\n1\r\n--b--\r\n", "a=1 | mixed lf strict"},
    {"LF before a boundary", kType, "--b\r\n" + kField + "\r\n\r\n1\n--b--\r\n", "a=1 | mixed lf strict"},
    {"data before", kType, "x\r\n" + one(kField), "a=1 | before strict"},
    {"an empty line before", kType, "\r\n" + one(kField), "a=1 | before strict"},
    {"data after", kType, one(kField) + "x", "a=1 | after strict"},
    {"an empty line after", kType, one(kField) + "\r\n", "a=1 | after strict"},
    {"a second end", kType, one(kField) + "--b--\r\n", "a=1 | after strict"},
    {"no final boundary", kType, part(kField, "1"), "a=1\r\n | strict ! final boundary missing"},
    {"an open boundary at the end", kType, part(kField, "1") + "--b",
     "a=1\r\n--b | bad-part strict unmatched1 ! boundary followed by other bytes"},
    {"no boundary", kType, "a=1&b=2\r\n", "| before strict ! no boundary in the body"},
    {"a line like a boundary", kType, one(kField, "--x"), "a=--x | unmatched2"},
    {"a line like a boundary, never closed", kType, part(kField, "--x"),
     "a=--x\r\n | strict unmatched1 ! final boundary missing"},
    {"a boundary inside a line", kType, one(kField, "x--b--"), "a=x--b-- | unmatched2"},
    {"a boundary with a tail", kType, one(kField, "--bx"),
     "a=--bx | bad-part strict unmatched2 ! boundary followed by other bytes"},
    {"a final boundary with a tail", kType, part(kField, "1") + "--b-- \r\n",
     "a=1\r\n--b-- \r\n | bad-part strict unmatched1 ! boundary followed by other bytes"},
    {"white space in front of a boundary", kType, part(kField, "1") + "-- b\r\n--b--\r\n",
     "a=1\r\n-- b | strict unmatched2 ! white space or quote in front of a boundary"},
    {"a quote in front of a boundary", kType, part(kField, "1") + "--\"b\r\n--b--\r\n",
     "a=1\r\n--\"b | strict unmatched2 ! white space or quote in front of a boundary"},
    {"a quoted boundary in the body", "multipart/form-data; boundary=\"b\"", part(kField, "1") + "--\"b\"\r\n--b--\r\n",
     "a=1\r\n--\"b\" | quoted strict unmatched2 ! white space or quote in front of a boundary"},
    {"folding", kType, one("Content-Disposition: form-data;\r\n\t name=\"a\""), "a=1 | folded strict"},
    {"folding by other white space", kType, one("Content-Disposition: form-data;\r\n \vname=\"a\""),
     "a=1 | folded bad-fold strict"},
    {"folding of nothing", kType, one(" " + kField), "=1 | folded bad-part strict ! folded line without a part header"},
    {"no colon", kType, one(kField + "\r\nfoo"), "a=1 | strict ! part header without colon"},
    {"no header name", kType, one(kField + "\r\n: x"), "a=1 | strict ! invalid name of a part header"},
    {"a space before the colon", kType, one("Content-Disposition : form-data; name=a"),
     "=1 | bad-part strict ! invalid name of a part header"},
    {"a control in a header name", kType, one("\x0eX: y\r\n" + kField), "a=1 | strict ! invalid name of a part header"},
    {"a header twice", kType, one(kField + "\r\nContent-Type: a\r\ncontent-type: b"),
     "a=1 | strict ! part header repeated"},
    {"Content-Disposition twice", kType, one(kField + "\r\nContent-Disposition: form-data; name=z"),
     "a=1 | strict ! part header repeated"},
    {"another header twice", kType, one(kField + "\r\nX: a\r\nX: b"), "a=1 |"},
    {"NUL in a header", kType, one(kField + "\r\nX: a\0b"s), "a=1 | strict ! NUL in part headers"},
    {"CR in a header", kType, one(kField + "\r\nX: a\rb"), "a=1 | strict ! bare CR in part headers"},
    {"no Content-Disposition", kType, one("Content-Type: a"),
     "=1 | bad-part strict ! part without Content-Disposition"},
    {"no headers", kType, "--b\r\n\r\n1\r\n--b--\r\n", "=1 | bad-part strict ! part without Content-Disposition"},
    {"a boundary among the headers", kType, "--b\r\n" + kField + "\r\n--b--\r\n",
     "a= | bad-part strict ! part without data"},
    {"a boundary right behind the headers", kType, "--b\r\n" + kField + "\r\n\r\n--b--\r\n",
     "a= | bad-part strict ! part without data"},
    {"header names have no case", kType, one("content-disposition: form-data; name=\"a\""), "a=1 |"},
    {"no name", kType, one("Content-Disposition: form-data"), "=1 | bad-part strict ! part without a name"},
    {"an empty name", kType, named("name=\"\""), "=1 | bad-part strict ! part without a name"},
    {"an unquoted name", kType, named("name=abc"), "abc=1 |"},
    {"single quotes", kType, named("name='a b'"), "a b=1 | bad-quote strict"},
    {"an apostrophe", kType, named("name=\"a'c\""), "a'c=1 |"},
    {"escapes", kType, named("name=\"a\\\"b\\\\c\\d\""), "a\"b\\c\\d=1 |"},
    {"an unclosed quote", kType, named("name=\"abc"),
     "abc=1 | bad-part bad-quote strict ! unclosed quote in Content-Disposition"},
    {"an unclosed quote behind an escape", kType, named("name=\"abc\\\""),
     "abc\"=1 | bad-part bad-quote strict ! unclosed quote in Content-Disposition"},
    {"bytes behind a quote", kType, named("name=\"abc\"x"),
     "abc=1 | bad-part bad-quote strict ! no semicolon between the parameters of Content-Disposition"},
    {"no semicolon", kType, named("name=\"abc\" filename=x"),
     "abc=1 | bad-part strict ! no semicolon between the parameters of Content-Disposition"},
    {"a closing semicolon", kType, named("name=\"abc\";"), "abc=1 |"},
    {"space around the sign", kType, named("name = \"abc\""), "abc=1 |"},
    {"space in front of the sign of filename", kType, named("name=a; filename =b"),
     "a=1 | bad-part strict ! Content-Disposition filename without its sign"},
    {"a name twice", kType, named("name=a; name=b"),
     "a=1 | bad-part strict ! parameter of Content-Disposition repeated"},
    {"a file name twice", kType, named("name=a; filename=b; filename=c"),
     "a@b:1 | bad-part strict ! parameter of Content-Disposition repeated"},
    {"a file name behind an empty one", kType, named("name=a; filename=\"\"; filename=c"),
     "a=1 | bad-part strict ! parameter of Content-Disposition repeated"},
    {"an unknown parameter", kType, named("name=a; x=1"),
     "a=1 | bad-part strict ! unknown parameter of Content-Disposition"},
    {"parameters are in lower case", kType, named("NAME=a"),
     "=1 | bad-part strict ! unknown parameter of Content-Disposition"},
    {"another disposition", kType, one("Content-Disposition: attachment; name=a"),
     "=1 | bad-part strict ! Content-Disposition is not form-data"},
    {"bytes beyond ASCII, quoted", kType, named("name=\"\xc3\xa9\xff\""), "\xc3\xa9\xff=1 |"},
    {"bytes beyond ASCII, unquoted", kType, named("name=\xc3\xa9"),
     "=1 | bad-part strict ! no semicolon between the parameters of Content-Disposition"},
};

const std::string kOne = one(kField);

const Case kTypes[] = {
    {"any case", "Multipart/Form-DATA; boundary=b", kOne, "a=1 |"},
    {"quoted", "multipart/form-data; boundary=\"b\"", kOne, "a=1 | quoted strict"},
    {"white space before the sign", "multipart/form-data; boundary =b", kOne, "a=1 | white strict"},
    {"white space behind the sign", "multipart/form-data; boundary= b", kOne,
     "| white strict ! white space before a parameter's value"},
    {"no semicolon", "multipart/form-data boundary=b", kOne, "a=1 | no-semicolon strict"},
    {"no space", "multipart/form-data;boundary=b", kOne, "a=1 |"},
    {"a comma", "multipart/form-data, boundary=b", kOne, "| strict ! not multipart/form-data"},
    {"a parameter behind", "multipart/form-data; boundary=b; charset=utf-8", kOne, "a=1 |"},
    {"a parameter behind a quoted one", "multipart/form-data; boundary=\"b\"; charset=utf-8", kOne,
     "a=1 | quoted strict"},
    {"a parameter before", "multipart/form-data; charset=utf-8; boundary=b", kOne, "a=1 |"},
    {"a quoted parameter before", "multipart/form-data; charset=\"utf-8;\"; boundary=b", kOne, "a=1 |"},
    {"a comma behind", "multipart/form-data; boundary=b, charset=utf-8", kOne,
     "| strict ! invalid characters in boundary"},
    {"a closing semicolon", "multipart/form-data; boundary=b;", kOne, "a=1 |"},
    {"two semicolons", "multipart/form-data;; boundary=b", kOne, "| strict ! parameter without value"},
    {"an opening quote", "multipart/form-data; boundary=\"b", kOne, "| strict ! unclosed quote"},
    {"a closing quote", "multipart/form-data; boundary=b\"", kOne, "| strict ! quote inside a parameter's value"},
    {"bytes behind the quote", "multipart/form-data; boundary=\"b\"c", kOne, "| quoted strict ! malformed parameters"},
    {"an empty one", "multipart/form-data; boundary=", kOne, "| strict ! empty boundary"},
    {"an empty quoted one", "multipart/form-data; boundary=\"\"", kOne, "| quoted strict ! empty boundary"},
    {"none", "multipart/form-data", kOne, "| strict ! no boundary parameter"},
    {"another case", "multipart/form-data; Boundary=b", kOne, "| strict ! boundary parameter not in lower case"},
    {"two", "multipart/form-data; boundary=b; boundary=c", kOne, "| strict ! more than one boundary parameter"},
    {"two in disguise", "multipart/form-data; x=\"boundary=c\"; boundary=b", kOne,
     "| strict ! more than one boundary parameter"},
    {"a space", "multipart/form-data; boundary=\"a b\"", "--a b--\r\n",
     "| quoted strict ! invalid characters in boundary"},
    {"70 bytes", "multipart/form-data; boundary=" + std::string(70, 'x'), "--" + std::string(70, 'x') + "--\r\n", "|"},
    {"71 bytes", "multipart/form-data; boundary=" + std::string(71, 'x'), "--" + std::string(71, 'x') + "--\r\n",
     "| strict ! boundary longer than 70 bytes"},
    {"a megabyte", "multipart/form-data; boundary=" + std::string(1 << 20, 'x'), kOne,
     "| strict ! Content-Type too long"},
    {"another type", "multipart/form-datax; boundary=b", kOne, "| strict ! not multipart/form-data"},
};

TEST(Multipart, NamedCases) {
  for (const Case& c : kBodies) {
    Arena arena;
    Body body;
    read_multipart_body(c.type, c.body, {}, arena, body);
    EXPECT_EQ(describe(body), c.expected) << c.name;
  }
  for (const Case& c : kTypes) {
    Arena arena;
    Body body;
    read_multipart_body(c.type, c.body, {}, arena, body);
    EXPECT_EQ(describe(body), c.expected) << c.name;
  }
}

std::string headers_of(const std::string& bytes) {
  Arena arena;
  Body body;
  read_multipart_body(kType, bytes, {}, arena, body);
  std::string out;
  for (const NameValue& header : body.part_headers) {
    out += "[" + std::string(header.name) + "|" + std::string(header.value) + "]";
  }
  return out;
}

// What MULTIPART_PART_HEADERS holds: every line, folded ones joined, under the part's name.
TEST(Multipart, PartHeaders) {
  EXPECT_EQ(headers_of(one(kField + "\r\nContent-Type: text/plain")), "[a|" + kField + "][a|Content-Type: text/plain]");
  EXPECT_EQ(headers_of(one("X:\r\n \t1\r\n 2\r\n" + kField)), "[a|X: 1 2][a|" + kField + "]");
  EXPECT_EQ(headers_of(one("\x0eX: 1\r\n" + kField + "\r\nfoo")), "[a|\x0eX: 1][a|" + kField + "][a|foo]");
  EXPECT_EQ(headers_of(one("X: 1")), "[|X: 1]") << "of a part without a name";
  EXPECT_EQ(headers_of(part(kField, "1") + one("Content-Disposition: form-data; name=\"_charset_\"", "utf-7")),
            "[a|" + kField + "][_charset_|Content-Disposition: form-data; name=\"_charset_\"]");
  EXPECT_EQ(headers_of("--b\r\nX: 1\r\n--b--"), "[|X: 1]") << "headers that a boundary ends";
  EXPECT_EQ(headers_of("--b\r\nX: 1"), "[|X: 1]") << "headers that the body's end cuts off";
}

TEST(Multipart, LimitsAreFlagged) {
  struct LimitCase {
    const char* name;
    BodyLimits limits;
    std::string body, expected;
  };
  const std::string two = part(kField, "1") + one(kField, "2");
  const std::string files = part(kField + "; filename=x", "1") + one(kField + "; filename=y", "2");
  const LimitCase cases[] = {
      {"parts", {.parts_max = 2}, two, "a=1 a=2 |"},
      {"too many parts", {.parts_max = 1}, two, "a=1 | strict ! too many parts"},
      {"arguments", {.arguments_max = 2}, two, "a=1 a=2 |"},
      {"too many arguments", {.arguments_max = 1}, two, "a=1 | strict ! too many arguments"},
      {"files", {.files_max = 2}, files, "a@x:1 a@y:1 |"},
      {"too many files", {.files_max = 1}, files, "a@x:1 a@y:1 | many-files strict"},
      {"header bytes", {.part_header_bytes_max = kField.size() + 4}, one(kField), "a=1 |"},
      {"too many header bytes",
       {.part_header_bytes_max = kField.size() + 3},
       one(kField),
       "| strict ! part headers too long"},
  };
  for (const LimitCase& c : cases) {
    Arena arena;
    Body body;
    read_multipart_body(kType, c.body, c.limits, arena, body);
    EXPECT_EQ(describe(body), c.expected) << c.name;
  }
}

// What libmodsecurity drops from the values of fields.
std::string without_line_ends(std::string_view text) {
  static const std::regex line_end("\r?\n");
  return std::regex_replace(std::string(text), line_end, "");
}

void compare_unmatched(int ours, int theirs) {
  ASSERT_TRUE(ours == 0 ? theirs != 1 : ours == 1 ? theirs == 1 : theirs != 0) << ours << ' ' << theirs;
}

void compare_flags(const MultipartFlags& ours, const modsecurity::Transaction& theirs) {
  MultipartFlags flags;
  const auto is_set = [](const modsecurity::AnchoredVariable& variable) { return variable.m_value == "1"; };
  flags.boundary_quoted = is_set(theirs.m_variableMultipartBoundaryQuoted);
  flags.boundary_whitespace = is_set(theirs.m_variableMultipartBoundaryWhiteSpace);
  flags.crlf_lf_lines = is_set(theirs.m_variableMultipartCrlfLFLines);
  flags.data_after = is_set(theirs.m_variableMultipartDataAfter);
  flags.data_before = is_set(theirs.m_variableMultipartDataBefore);
  flags.header_folding = is_set(theirs.m_variableMultipartHeaderFolding);
  flags.invalid_header_folding = is_set(theirs.m_variableMultipartInvalidHeaderFolding);
  flags.invalid_part = is_set(theirs.m_variableMultipartInvalidPart);
  flags.invalid_quoting = is_set(theirs.m_variableMultipartInvalidQuoting);
  flags.lf_line = is_set(theirs.m_variableMultipartLFLine);
  flags.missing_semicolon = is_set(theirs.m_variableMultipartMissingSemicolon);
  flags.strict_error = is_set(theirs.m_variableMultipartStrictError);
  ASSERT_EQ(flags_of(ours), flags_of(flags));
}

void compare_with_modsecurity(const std::string& type, const std::string& bytes, std::map<std::string, int>& seen) {
  SCOPED_TRACE(type + "\n" + ::testing::PrintToString(bytes));
  Arena arena;
  Body body;
  read_multipart_body(type, bytes, {}, arena, body);
  const auto theirs = modsecurity_bodies().read({.content_type = type, .body = bytes});
  const std::string their_message = theirs->m_variableReqbodyErrorMsg.m_value;
  const bool their_error = theirs->m_variableReqbodyError.m_value == "1";
  SCOPED_TRACE(describe(body) + "\n" + their_message);
  if (body.error != BodyError::none) {
    if (their_error) return;
    ASSERT_TRUE(is_stricter_about_parts(body.message));
    ++seen[body.message];
    return;
  }
  if (their_error) {
    ASSERT_NE(why_error_of_theirs_alone(their_message, bytes), "");
    return;
  }
  ++seen["agreed"];
  Pairs arguments;
  for (const NameValue& a : body.arguments) arguments.emplace_back(a.name, without_line_ends(a.value));
  std::sort(arguments.begin(), arguments.end());
  ASSERT_EQ(arguments, pairs_of(theirs->m_variableArgsPost));
  Pairs files;
  std::uint64_t bytes_of_files = 0;
  for (const File& f : body.files) {
    // (6): the entry of a filename* beside a filename
    if (&f != body.files.data() && f.bytes == 0 && (&f)[-1].field == f.field && bytes.find("*=") != std::string::npos)
      continue;
    files.emplace_back(f.field, f.filename);
    bytes_of_files += f.bytes;
  }
  std::sort(files.begin(), files.end());
  ASSERT_EQ(files, pairs_of(theirs->m_variableFiles));
  ASSERT_EQ(files.empty() ? "" : std::to_string(bytes_of_files), theirs->m_variableFilesCombinedSize.m_value);
  ASSERT_EQ(pairs_of(body.part_names), pairs_of(theirs->m_variableMultipartName));
  Pairs their_headers;
  for (const auto& [name, line] : pairs_of(theirs->m_variableMultipartPartHeaders)) {
    const std::string joined = std::regex_replace(line, std::regex(": \r?\n "), ": ");  // folded behind the colon
    their_headers.emplace_back(name, joined.substr(0, joined.find_last_not_of("\r\n") + 1));
  }
  std::sort(their_headers.begin(), their_headers.end());
  const Pairs our_headers = pairs_of(body.part_headers);  // it leaves out lines whose name it has seen
  ASSERT_TRUE(std::includes(our_headers.begin(), our_headers.end(), their_headers.begin(), their_headers.end()))
      << ::testing::PrintToString(our_headers) << ::testing::PrintToString(their_headers);
  compare_flags(body.multipart, *theirs);
  if (bytes.find("--\n") != std::string::npos) return;  // it does not take a line of two dashes and LF for one
  compare_unmatched(body.multipart.unmatched_boundary, std::stoi(theirs->m_variableMultipartUnmatchedBoundary.m_value));
}

TEST(Multipart, AgreesWithModSecurityOnTheNamedCases) {
  std::map<std::string, int> seen;
  for (const Case& c : kBodies) compare_with_modsecurity(c.type, c.body, seen);
  for (const Case& c : kTypes) compare_with_modsecurity(c.type, c.body, seen);
  compare_with_modsecurity(kType, "--b\r\n" + kField + "\r\n\r\n" + one(kField), seen);
  for (const std::string& message : errors_of_ours_alone())
    EXPECT_GT(seen[message], 0) << message << ": no longer a difference";
}

TEST(Multipart, AgreesWithModSecurityOnGeneratedBodies) {
  std::mt19937 random(20261122);
  const std::string_view pieces[] = {
      "--b",
      "--b",
      "--b",
      "\r\n",
      "\r\n",
      "\r\n",
      "\r\n",
      "\n",
      "\r",
      "--",
      "-",
      "b",
      " ",
      "\t",
      "\v",
      ":",
      ";",
      "=",
      "\"",
      "'",
      "\\",
      "x",
      "1",
      "form-data",
      "Content-Disposition: form-data; name=\"a\"",
      "Content-Disposition: form-data; name=",
      "; filename=\"f\"",
      "; filename=",
      "; filename*=UTF-8''x%41",
      "; name=",
      "Content-Type: text/plain",
      "X: y",
      "\xc3\xa9",
  };
  const std::string_view types[] = {"multipart/form-data; boundary=b", "multipart/form-data; boundary=b",
                                    "multipart/form-data; boundary=\"b\"", "multipart/form-data boundary=b"};
  std::map<std::string, int> seen;
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = part(kField, "1") + part(kField + "; filename=\"f\"\r\nX: y", "2") + "--b--\r\n";
    for (std::size_t edits = random() % 4; edits > 0; --edits) {
      const std::string_view piece = pieces[random() % std::size(pieces)];
      bytes.replace(random() % bytes.size(), random() % 3 == 0 ? random() % 8 : 0, piece);
    }
    ASSERT_NO_FATAL_FAILURE(compare_with_modsecurity(std::string(types[random() % std::size(types)]), bytes, seen));
  }
  EXPECT_GT(seen["agreed"], 5000);
}

}  // namespace
}  // namespace gatehouse::waf
