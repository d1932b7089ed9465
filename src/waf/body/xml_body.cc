#include "waf/body/xml_body.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <algorithm>
#include <climits>
#include <memory>
#include <string>

#include "http/message.h"
#include "waf/body/text.h"

namespace gatehouse::waf {
namespace {

// libxml2 compares the name of each attribute with all others of its element, which makes one element of 64,000
// attributes cost a second.
constexpr std::size_t kAttributesPerElementMax = 256;

// It also searches all namespace declarations in force for each prefix.
constexpr int kNamespacesInForceMax = 64;

// What is wrong with a document before libxml2 may see it, or null. Follows well-formed XML in an encoding that
// contains ASCII; at what is not well-formed libxml2 stops.
const char* refusal_of(std::string_view bytes) noexcept {
  // Encodings without ASCII in them have NULs (UTF-16, UTF-32) or another `<` (EBCDIC).
  if (bytes.find('\0') != std::string_view::npos) return "NUL in XML";
  std::size_t at = bytes.starts_with("\xef\xbb\xbf") ? 3 : 0;
  while (at < bytes.size() && is_space(bytes[at])) ++at;
  if (at == bytes.size() || bytes[at] != '<') return "malformed XML";
  const auto skip_past = [&](std::string_view end, std::size_t from) {
    at = bytes.find(end, from);
    if (at != std::string_view::npos) at += end.size();
  };
  while ((at = bytes.find('<', at)) != std::string_view::npos) {
    const std::string_view rest = bytes.substr(at, 9);
    if (rest.starts_with("<!--")) {
      skip_past("-->", at + 4);
    } else if (rest.starts_with("<![CDATA[")) {
      skip_past("]]>", at + 9);
    } else if (rest.starts_with("<?")) {
      skip_past("?>", at + 2);
    } else {
      std::size_t signs = 0;
      for (++at; at < bytes.size() && bytes[at] != '>'; ++at) {
        const char c = bytes[at];
        if (c == '=' && ++signs > kAttributesPerElementMax) return "too many attributes in an XML element";
        if (c == '[' && rest.starts_with("<!")) return "declarations inside an XML document are not read";
        if (c == '"' || c == '\'') at = std::min(bytes.find(c, at + 1), bytes.size() - 1);
      }
    }
  }
  return nullptr;
}

bool contains_ascii(std::string_view encoding) noexcept {
  for (const std::string_view prefix : {"UTF-8", "US-ASCII", "ASCII", "ISO-8859-", "windows-125"}) {
    if (http::equals_ignoring_case(encoding.substr(0, prefix.size()), prefix)) return true;
  }
  return false;
}

class XmlReader {
 public:
  XmlReader(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body)
      : bytes_(bytes), limits_(limits), arena_(arena), body_(body) {}

  void read() {
    static const bool initialised = [] { return xmlInitParser(), true; }();
    static_cast<void>(initialised);
    if (bytes_.empty()) return fail(BodyError::malformed, "empty XML");
    if (bytes_.size() > INT_MAX) return fail(BodyError::too_large, "XML too large");
    if (const char* why = refusal_of(bytes_)) return fail(BodyError::malformed, why);
    const std::unique_ptr<xmlParserCtxt, void (*)(xmlParserCtxtPtr)> context(
        xmlCreateMemoryParserCtxt(bytes_.data(), static_cast<int>(bytes_.size())), xmlFreeParserCtxt);
    if (!context) return fail(BodyError::malformed, "XML cannot be read");
    context_ = context.get();
    *context_->sax = handler();
    context_->userData = this;
    // NOENT makes `&amp;` in attributes a `&`; find_entity keeps it from anything else.
    xmlCtxtUseOptions(context_, XML_PARSE_NONET | XML_PARSE_NOENT | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlParseDocument(context_);
    if (!context_->wellFormed) fail(BodyError::malformed, "malformed XML");
    if (root_seen_) body_.xml_text.push_back(arena_.copy(text_));
  }

 private:
  void fail(BodyError what, const char* why) {
    const long at = context_ ? xmlByteConsumed(context_) : 0;
    body_.fail(what, why, at > 0 ? static_cast<std::size_t>(at) : 0);
  }
  void stop(BodyError what, const char* why) {
    fail(what, why);
    xmlStopParser(context_);
  }
  bool fits(std::size_t bytes) {
    if (bytes > limits_.decoded_bytes_max - decoded_bytes_) {
      stop(BodyError::too_large, "XML too large");
      return false;
    }
    decoded_bytes_ += bytes;
    return true;
  }

  static XmlReader& self(void* reader) { return *static_cast<XmlReader*>(reader); }

  static void on_characters(void* reader, const xmlChar* text, int length) {
    XmlReader& me = self(reader);
    if (me.fits(static_cast<std::size_t>(length))) {
      me.text_.append(reinterpret_cast<const char*>(text), static_cast<std::size_t>(length));
    }
  }

  // Of each attribute libxml2 gives local name, prefix, namespace and the two ends of the value.
  static void on_start(void* reader, const xmlChar*, const xmlChar*, const xmlChar*, int, const xmlChar**, int count,
                       int, const xmlChar** attributes) {
    XmlReader& me = self(reader);
    me.root_seen_ = true;
    if (++me.depth_ > me.limits_.depth_max) return me.stop(BodyError::too_deep, "nested too deep");
    // nsNr counts prefixes and names of those in force.
    if (me.context_->nsNr > 2 * kNamespacesInForceMax) return me.stop(BodyError::malformed, "too many XML namespaces");
    for (int i = 0; i < count; ++i) {
      const xmlChar* const begin = attributes[5 * i + 3];
      const auto length = static_cast<std::size_t>(attributes[5 * i + 4] - begin);
      if (me.body_.xml_attributes.size() == me.limits_.arguments_max) {
        return me.stop(BodyError::too_many_arguments, "too many attributes");
      }
      if (!me.fits(length)) return;
      me.body_.xml_attributes.push_back(me.arena_.copy({reinterpret_cast<const char*>(begin), length}));
    }
  }
  static void on_end(void* reader, const xmlChar*, const xmlChar*, const xmlChar*) { --self(reader).depth_; }

  static void on_declaration(void* reader) {
    const xmlParserCtxtPtr context = self(reader).context_;
    const xmlChar* const encoding = context->encoding ? context->encoding : context->input->encoding;
    if (encoding && !contains_ascii(reinterpret_cast<const char*>(encoding))) {
      self(reader).stop(BodyError::malformed, "unknown encoding of XML");
    }
  }

  // The five of XML itself; any other has been declared by nobody that we read.
  static xmlEntityPtr find_entity(void* reader, const xmlChar* name) {
    const xmlEntityPtr entity = xmlGetPredefinedEntity(name);
    if (!entity) self(reader).stop(BodyError::malformed, "unknown XML entity");
    return entity;
  }
  // libxml2 would go on behind an error, where the attributes are no longer counted.
  static void on_error(void* reader, xmlErrorPtr error) {
    if (error->level == XML_ERR_FATAL) self(reader).stop(BodyError::malformed, "malformed XML");
  }

  static xmlSAXHandler handler() {
    xmlSAXHandler sax{};
    sax.initialized = XML_SAX2_MAGIC;
    sax.characters = on_characters;
    sax.ignorableWhitespace = on_characters;
    sax.cdataBlock = on_characters;
    sax.startElementNs = on_start;
    sax.endElementNs = on_end;
    sax.startDocument = on_declaration;
    sax.getEntity = find_entity;
    sax.serror = on_error;
    return sax;
  }

  std::string_view bytes_;
  const BodyLimits& limits_;
  Arena& arena_;
  Body& body_;
  xmlParserCtxtPtr context_ = nullptr;
  std::string text_;
  std::size_t depth_ = 0;
  std::size_t decoded_bytes_ = 0;
  bool root_seen_ = false;
};

}  // namespace

void read_xml_body(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body) {
  XmlReader(bytes, limits, arena, body).read();
}

}  // namespace gatehouse::waf
