#pragma once
// XML bodies as the two values that rules look at: the text of the document (`XML:/*`, all character data joined, as
// XPath's string value of the root element) and each attribute's value (`XML://@*`).
//
// libxml2's SAX parser without a document tree, network, external subset or entities: a DOCTYPE with declarations is
// refused, so that nothing can expand, and so are an element with more than 256 attributes and more than 64 namespaces
// in force, which libxml2 takes quadratic time for. Values are UTF-8 whatever the body's encoding, which must contain
// ASCII. A document that breaks off keeps the values in front of the error.
// Differences to libmodsecurity 3.0.9, each with its test: (1) it expands entities that the body declares; (2) it
// shows no text of a malformed document; (3) it leaves a CR in CDATA, which is a line end (XML 1.0 §2.11); (4) it
// reads UTF-16 and any number of attributes and namespaces.
// Thread safety: function without state of ours; libxml2 is initialised once. Linear in the body.
// Source: XML 1.0, Namespaces in XML 1.0.

#include "waf/body/body.h"

namespace gatehouse::waf {

void read_xml_body(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body);

}  // namespace gatehouse::waf
