#include "crypto/certificate_names.h"

#include <algorithm>

#include "base/check.h"
#include "base/ip.h"
#include "crypto/digest.h"

namespace gatehouse::crypto {
namespace {

using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>>;

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// The names end up in headers, logs and lists of roles.
bool is_clean(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = to_lower_ascii(c);
  return result;
}

template <class Visit>
bool for_each_name(const X509& certificate, Visit visit) {
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) visit(*sk_GENERAL_NAME_value(names.get(), i));
  return true;
}

std::string address_text(std::string_view bytes) {
  IpAddress ip;
  if (bytes.size() == 4) {
    std::uint32_t host_order = 0;
    for (const char c : bytes) host_order = host_order << 8 | static_cast<std::uint8_t>(c);
    return IpAddress::v4(host_order).to_string();
  }
  if (bytes.size() != ip.bytes.size()) return {};
  std::copy(bytes.begin(), bytes.end(), ip.bytes.begin());
  return ip.to_string();
}

}  // namespace

TlsPeer describe(const X509& certificate) {
  TlsPeer peer;
  const BioPtr bio(BIO_new(BIO_s_mem()));
  GH_CHECK(bio);
  if (X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253) >= 0) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    peer.subject.assign(data, static_cast<std::size_t>(size));
  }
  for_each_name(certificate, [&](const GENERAL_NAME& name) {
    std::string text;
    switch (name.type) {
      case GEN_DNS: text = "dns:" + lower(text_of(name.d.dNSName)); break;
      case GEN_URI: text = fmt::format("uri:{}", text_of(name.d.uniformResourceIdentifier)); break;
      case GEN_EMAIL: text = fmt::format("email:{}", text_of(name.d.rfc822Name)); break;
      case GEN_IPADD: text = "ip:" + address_text(text_of(name.d.iPAddress)); break;
      default: return;
    }
    if (is_clean(text)) peer.sans.push_back(std::move(text));
  });
  Sha256 fingerprint;
  unsigned size = 0;
  if (X509_digest(&certificate, Algorithms::get().sha256, fingerprint.data(), &size) == 1) {
    peer.sha256 = to_hex(as_text(fingerprint));
  }
  return peer;
}

std::vector<std::string> dns_names(const X509& certificate) {
  std::vector<std::string> names;
  const bool has_alternatives = for_each_name(certificate, [&](const GENERAL_NAME& name) {
    if (name.type == GEN_DNS && is_clean(text_of(name.d.dNSName))) names.push_back(lower(text_of(name.d.dNSName)));
  });
  if (!has_alternatives) {
    const X509_NAME* subject = X509_get_subject_name(&certificate);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at >= 0) {
      const std::string_view common_name = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
      if (is_clean(common_name)) names.push_back(lower(common_name));
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace gatehouse::crypto
