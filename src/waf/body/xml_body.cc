#include "waf/body/xml_body.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>

#include <climits>
#include <memory>
#include <string>

namespace gatehouse::waf {
namespace {

class XmlReader {
 public:
  XmlReader(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body)
      : bytes_(bytes), limits_(limits), arena_(arena), body_(body) {}

  void read() {
    static const bool initialised = [] { return xmlInitParser(), true; }();
    static_cast<void>(initialised);
    if (bytes_.empty()) return fail(BodyError::malformed, "empty XML");
    if (bytes_.size() > INT_MAX) return fail(BodyError::too_large, "XML too large");
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

  static void refuse(void* reader) {
    self(reader).stop(BodyError::malformed, "declarations inside an XML document are not read");
  }
  static void on_entity(void* reader, const xmlChar*, int, const xmlChar*, const xmlChar*, xmlChar*) { refuse(reader); }
  static void on_element(void* reader, const xmlChar*, int, xmlElementContentPtr) { refuse(reader); }
  static void on_notation(void* reader, const xmlChar*, const xmlChar*, const xmlChar*) { refuse(reader); }
  static void on_attribute(void* reader, const xmlChar*, const xmlChar*, int, int, const xmlChar*,
                           xmlEnumerationPtr list) {
    xmlFreeEnumeration(list);  // ours to free
    refuse(reader);
  }

  // The five of XML itself; any other has been declared by nobody that we read.
  static xmlEntityPtr find_entity(void* reader, const xmlChar* name) {
    const xmlEntityPtr entity = xmlGetPredefinedEntity(name);
    if (!entity) self(reader).stop(BodyError::malformed, "unknown XML entity");
    return entity;
  }
  static xmlEntityPtr find_parameter_entity(void* reader, const xmlChar*) {
    refuse(reader);
    return nullptr;
  }

  static void ignore(void*, xmlErrorPtr) {}

  static xmlSAXHandler handler() {
    xmlSAXHandler sax{};
    sax.initialized = XML_SAX2_MAGIC;
    sax.characters = on_characters;
    sax.ignorableWhitespace = on_characters;
    sax.cdataBlock = on_characters;
    sax.startElementNs = on_start;
    sax.endElementNs = on_end;
    sax.entityDecl = on_entity;
    sax.elementDecl = on_element;
    sax.notationDecl = on_notation;
    sax.attributeDecl = on_attribute;
    sax.getEntity = find_entity;
    sax.getParameterEntity = find_parameter_entity;
    sax.serror = ignore;  // else libxml2 prints
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
