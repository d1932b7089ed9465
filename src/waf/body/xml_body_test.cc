#include "waf/body/xml_body.h"

#include <gtest/gtest.h>

#include <random>

#include "waf/modsecurity_test_peer.h"

namespace gatehouse::waf {
namespace {

using namespace std::literals;

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string namespaces(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += " xmlns:n" + std::to_string(i) + "='u'";
  return out;
}

std::string attributes(int count, std::string_view value = "") {
  std::string out;
  for (int i = 0; i < count; ++i) out += " x" + std::to_string(i) + "='" + std::string(value) + "'";
  return out;
}

// The text in brackets, then the attributes, then the error.
std::string describe(const Body& body) {
  std::string out;
  for (const std::string_view text : body.xml_text) out += "[" + std::string(text) + "]";
  for (const std::string_view value : body.xml_attributes) out += " " + std::string(value);
  if (body.error != BodyError::none) out += " ! "s + body.message;
  return out;
}

struct Case {
  const char* name;
  std::string text, expected;
};

const Case kCases[] = {
    {"an empty element", "<a/>", "[]"},
    {"text", "<a>x</a>", "[x]"},
    {"text of all levels", "<a>t<b>u</b>v</a>", "[tuv]"},
    {"white space stays", "<?xml version=\"1.0\"?><a> x\n <b>  </b> </a>", "[ x\n    ]"},
    {"attributes", "<a x=\"1\" y='2'><b z=\"3\"/></a>", "[] 1 2 3"},
    {"namespaces are no attributes", "<a xmlns:n=\"urn:x\" xmlns=\"urn:d\" n:y=\"1\"><n:b/></a>", "[] 1"},
    {"an unknown prefix", "<n:a m:y=\"1\">x</n:a>", "[x] 1"},
    {"CDATA", "<a><![CDATA[<x>]]>y</a>", "[<x>y]"},
    {"comments are no text", "<a>x<!-- c -->y</a><!-- d -->", "[xy]"},
    {"nor are instructions", "<a><?pi data?>x</a>", "[x]"},
    {"entities of XML", "<a x=\"&lt;&amp;&quot;\">&lt;&amp;&gt;&apos;&#65;&#x42;</a>", "[<&>'AB] <&\""},
    {"line ends", "<a x='a&#10;b  c\nd'>x\r\ny</a>", "[x\ny] a\nb  c d"},
    {"Latin 1", "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a x=\"\xe9\">\xe9</a>", "[\xc3\xa9] \xc3\xa9"},
    {"line ends in CDATA", "<a><![CDATA[x\ry]]></a>", "[x\ny]"},
    {"a byte order mark", "\xef\xbb\xbf<a>x</a>", "[x]"},
    {"64 namespaces in force, again and again", "<a>" + repeated("<b" + namespaces(64) + "/>", 2) + "</a>", "[]"},
    {"256 attributes", "<a>" + repeated("<b" + attributes(256, "--") + "/>", 2) + "<!-- ' --></a>",
     "[]" + repeated(" --", 512)},
    {"signs that are no attributes",
     "<a>" + repeated("=", 300) + "<![CDATA[<" + repeated("=", 300) + "]]><?p " + repeated("=", 300) + "?></a>",
     "[" + repeated("=", 300) + "<" + repeated("=", 300) + "]"},
    {"space in front", " <a>x</a>", "[x]"},
    {"a document type", "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a>x</a>", "[x]"},
    {"nothing", "", " ! empty XML"},
    {"no XML", "x", " ! malformed XML"},
    {"space in front of the declaration", " <?xml version=\"1.0\"?><a>x</a>", " ! malformed XML"},
    {"an unknown version", "<?xml version=\"9.0\"?><a>x</a>", " ! malformed XML"},
};

// An error for both; ours keeps what it has read. (2) in the header.
const Case kMalformed[] = {
    {"the wrong end", "<a>x</b>", "[x] ! malformed XML"},
    {"no end", "<a>x", "[x] ! malformed XML"},
    {"two roots", "<a>x</a><b/>", "[x] ! malformed XML"},
    {"text behind", "<a>x</a>y", "[x] ! malformed XML"},
    {"an attribute twice", "<a>x<b x=\"1\" x=\"2\"/></a>", "[x] ! malformed XML"},
    {"an unknown entity", "<a>x&foo;y</a>", "[x] ! unknown XML entity"},
    {"an unknown entity in an attribute", "<a>x<b c=\"&foo;\"/></a>", "[x] ! unknown XML entity"},
    {"invalid UTF-8", "<a>x\xe9</a>", "[x] ! malformed XML"},
    {"NUL", "<a>x\0y</a>"s, " ! NUL in XML"},
    {"300 deep", repeated("<a>", 300) + "x" + repeated("</a>", 300), "[] ! malformed XML"},
    {"10,000 deep", repeated("<a>", 10'000) + "x" + repeated("</a>", 10'000), "[] ! malformed XML"},
};

// Where it reads what ours refuses: (1) and (4) in the header.
const Case kRefused[] = {
    {"UTF-16", "\xff\xfe<\0a\0>\0x\0<\0/\0a\0>\0"s, " ! NUL in XML"},
    {"EBCDIC", "\x4c\x6f\xa7\x94\x93", " ! malformed XML"},
    {"an encoding that hides ASCII", "<?xml version='1.0' encoding='UTF-7'?><a>x</a>", " ! unknown encoding of XML"},
    {"65 namespaces in force", "<a" + namespaces(64) + ">x<b xmlns='v'/></a>", "[x] ! too many XML namespaces"},
    {"257 attributes", "<a" + attributes(257) + "/>", " ! too many attributes in an XML element"},
    {"257 attributes, one with a bracket", "<a y='>'" + attributes(256) + "/>",
     " ! too many attributes in an XML element"},
    {"an entity", "<!DOCTYPE a [<!ENTITY e \"ent\">]><a>&e;</a>",
     " ! declarations inside an XML document are not read"},
    {"an external entity", "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>",
     " ! declarations inside an XML document are not read"},
    {"a parameter entity", "<!DOCTYPE a [<!ENTITY % p \"x\">%p;]><a/>",
     " ! declarations inside an XML document are not read"},
    {"an attribute's default", "<!DOCTYPE a [<!ATTLIST a d (x|y) \"x\">]><a>x</a>",
     " ! declarations inside an XML document are not read"},
    {"an element", "<!DOCTYPE a [<!ELEMENT a (#PCDATA)>]><a>x</a>",
     " ! declarations inside an XML document are not read"},
    {"a thousand million laughs",
     "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c "
     "\"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;</a>",
     " ! declarations inside an XML document are not read"},
};

std::string read(const std::string& text, const BodyLimits& limits = {}) {
  Arena arena;
  Body body;
  read_xml_body(text, limits, arena, body);
  return describe(body);
}

TEST(XmlBody, NamedCases) {
  for (const Case& c : kCases) EXPECT_EQ(read(c.text), c.expected) << c.name;
  for (const Case& c : kMalformed) EXPECT_EQ(read(c.text), c.expected) << c.name;
  for (const Case& c : kRefused) EXPECT_EQ(read(c.text), c.expected) << c.name;
}

// Its rules log one attribute of many, the last.
// No lone CR here: (3) in the header.
void compare_with_modsecurity(const std::string& text) {
  SCOPED_TRACE(::testing::PrintToString(text));
  Arena arena;
  Body body;
  read_xml_body(text, {}, arena, body);
  const auto theirs = modsecurity_bodies().read({.content_type = "text/xml", .body = text, .processor = "XML"});
  ASSERT_EQ(body.error != BodyError::none, theirs->m_variableReqbodyError.m_value == "1");
  if (body.error != BodyError::none) return;
  const std::vector<std::string> text_of_ours(body.xml_text.begin(), body.xml_text.end());
  ASSERT_EQ(text_of_ours, ModSecurityBodies::xml_text(*theirs));
  ASSERT_EQ(body.xml_attributes.empty(), ModSecurityBodies::xml_attributes(*theirs).empty());
  if (body.xml_attributes.empty()) return;
  ASSERT_EQ(body.xml_attributes.back(), ModSecurityBodies::xml_attributes(*theirs).back());
}

TEST(XmlBody, AgreesWithModSecurity) {
  for (const Case& c : kCases) {
    if (c.name == "line ends in CDATA"sv) continue;
    ASSERT_NO_FATAL_FAILURE(compare_with_modsecurity(c.text)) << c.name;
  }
  for (const Case& c : kMalformed) ASSERT_NO_FATAL_FAILURE(compare_with_modsecurity(c.text)) << c.name;
  std::mt19937 random(20261122);
  const std::string_view pieces[] = {
      "<a>", "</a>", "<b/>", "<b x='y'>", "</b>",      "x",      "&lt;",         "&#65;",     "&foo;", "<",
      ">",   "/",    "<!--", "-->",       "<![CDATA[", "]]>",    "<?p ",         "?>",        "\"",    "'",
      "=",   " ",    "\n",   "\xc3\xa9",  "\xff",      " z='1'", "<!DOCTYPE a>", "xmlns='u'", "&",     "]]"};
  for (int round = 0; round < 10000; ++round) {
    std::string text = "<a x='1'>t<b y=\"2\">u &amp; v</b><![CDATA[w]]><!-- c --></a>";
    for (std::size_t edits = random() % 4; edits > 0; --edits) {
      const std::string_view piece = pieces[random() % std::size(pieces)];
      text.replace(random() % text.size(), random() % 3 == 0 ? random() % 6 : 0, piece);
    }
    ASSERT_NO_FATAL_FAILURE(compare_with_modsecurity(text));
  }
}

TEST(XmlBody, LimitsAreFlagged) {
  EXPECT_EQ(read("<a><b>x</b></a>", {.depth_max = 2}), "[x]");
  EXPECT_EQ(read("<a>x<b><c/></b></a>", {.depth_max = 2}), "[x] ! nested too deep");
  EXPECT_EQ(read("<a x='1' y='2'/>", {.arguments_max = 2}), "[] 1 2");
  EXPECT_EQ(read("<a x='1' y='2' z='3'/>", {.arguments_max = 2}), "[] 1 2 ! too many attributes");
  EXPECT_EQ(read("<a x='12'>34</a>", {.decoded_bytes_max = 4}), "[34] 12");
  EXPECT_EQ(read("<a x='12'>345</a>", {.decoded_bytes_max = 4}), "[] 12 ! XML too large");
}

}  // namespace
}  // namespace gatehouse::waf
