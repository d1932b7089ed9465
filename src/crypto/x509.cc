#include "crypto/x509.h"

#include <openssl/err.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/file.h"
#include "base/ip.h"
#include "crypto/certificate_names.h"
#include "crypto/openssl.h"
#include "crypto/random.h"

namespace gatehouse::crypto {
namespace {

using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;

// Certificates start an hour ago, for clocks that are late.
constexpr Duration kBackdate = std::chrono::hours(1);
constexpr std::size_t kNamesMax = 1000;

std::time_t seconds_of(WallTime time) {
  return static_cast<std::time_t>(std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

Status make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(path);
  return {};
}

bool add_extension(X509& certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, &certificate, nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&context);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

bool set_name(X509& certificate, const std::string& organization, const std::string& common_name) {
  X509_NAME* name = X509_get_subject_name(&certificate);
  const auto add = [&](const char* field, const std::string& value) {
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(std::min<std::size_t>(value.size(), 64)), -1, 0) == 1;
  };
  return add("O", organization) && add("CN", common_name);
}

bool set_serial(X509& certificate) {
  std::array<std::uint8_t, 16> bytes;
  random_bytes(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);  // positive, and of one length
  const BignumPtr number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(&certificate)) != nullptr;
}

X509Ptr begin_certificate(EVP_PKEY& key, WallTime from, WallTime to) {
  X509Ptr certificate(X509_new());
  GH_CHECK(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1 && set_serial(*certificate) &&
           ASN1_TIME_set(X509_getm_notBefore(certificate.get()), seconds_of(from)) &&
           ASN1_TIME_set(X509_getm_notAfter(certificate.get()), seconds_of(to)) &&
           X509_set_pubkey(certificate.get(), &key) == 1);
  return certificate;
}

WallTime expiry_of(const X509& certificate) {
  std::tm broken{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &broken) != 1) return {};
  return WallTime(std::chrono::seconds(::timegm(&broken)));
}

// The names as we would write them, to compare a certificate on disk with what is asked now.
std::vector<std::string> comparable(const std::vector<std::string>& alternative_names) {
  std::vector<std::string> names;
  for (const std::string& name : alternative_names) {
    const std::size_t colon = name.find(':');
    std::string lower = name.substr(0, colon);
    for (char& c : lower) c = to_lower_ascii(c);
    names.push_back(lower + name.substr(colon));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_dns_name(std::string_view name) {
  if (name.starts_with("*.")) name.remove_prefix(2);
  return !name.empty() && name.size() <= 253 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

}  // namespace

LocalAuthority::LocalAuthority(std::string folder, std::string organization, const Clock& clock)
    : folder_(std::move(folder)),
      organization_(std::move(organization)),
      certificate_file_(folder_ + "/ca.pem"),
      key_file_(folder_ + "/ca.key"),
      clock_(&clock) {}

Result<LocalAuthority> LocalAuthority::open(const std::string& folder, const std::string& organization,
                                            const Clock& clock) {
  LocalAuthority authority(folder, organization.empty() ? "Gatehouse" : organization, clock);
  if (Status made = make_folder(folder); !made) return tl::unexpected(std::move(made.error()));
  if (Status made = make_folder(folder + "/issued"); !made) return tl::unexpected(std::move(made.error()));
  const auto expiry = certificate_expiry(authority.certificate_file_);
  if (!expiry && expiry.error().code != ErrorCode::not_found) return tl::unexpected(expiry.error());
  if (!expiry || *expiry - clock.wall() < kRenewBefore) {
    if (Status created = authority.create_authority(); !created) return tl::unexpected(std::move(created.error()));
  }
  return authority;
}

Status LocalAuthority::create_authority() {
  const PkeyPtr key = generate_p256();
  const X509Ptr certificate = begin_certificate(*key, clock_->wall() - kBackdate, clock_->wall() + kAuthorityLifetime);
  X509* c = certificate.get();
  if (!set_name(*c, organization_, "Gatehouse local authority") ||
      X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 ||
      !add_extension(*c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !add_extension(*c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !add_extension(*c, c, NID_subject_key_identifier, "hash") ||
      X509_sign(c, key.get(), Algorithms::get().sha256) == 0) {
    return fail_openssl("creating the local authority");
  }
  // The key first: a certificate whose key is missing would be taken for an authority that works.
  if (Status wrote = write_file_atomically(key_file_, to_pem(*key), 0600); !wrote) return wrote;
  return write_file_atomically(certificate_file_, to_pem(*c), 0644);
}

Result<IssuedCertificate> LocalAuthority::issue_server(const std::vector<std::string>& names) {
  if (names.empty() || names.size() > kNamesMax) {
    return fail(ErrorCode::invalid, fmt::format("a certificate has 1 to {} names", kNamesMax));
  }
  Profile profile{.file_name = {}, .common_name = names.front(), .alternative_names = {}, .server = true};
  for (const std::string& name : names) {
    std::string lower = name;
    for (char& c : lower) c = to_lower_ascii(c);
    if (const auto ip = IpAddress::parse(lower)) {
      profile.alternative_names.push_back("IP:" + ip->to_string());
    } else if (is_dns_name(lower)) {
      profile.alternative_names.push_back("DNS:" + lower);
    } else {
      return fail(ErrorCode::invalid, fmt::format("\"{}\" is neither a DNS name nor an IP address", name));
    }
    if (profile.file_name.empty()) profile.file_name = lower;
  }
  for (char& c : profile.file_name) {
    if (c == '*' || c == ':') c = '_';
  }
  return issue(profile);
}

Result<IssuedCertificate> LocalAuthority::issue_client(const std::string& name, const std::string& uri) {
  const bool clean = is_dns_name(name) && std::all_of(uri.begin(), uri.end(), [](char c) {
                       return c > 0x20 && c < 0x7f && c != ',';  // a comma ends a name in OpenSSL's notation
                     });
  if (!clean || uri.find("://") == std::string::npos) {
    return fail(ErrorCode::invalid, fmt::format("\"{}\" is not a URI, or \"{}\" not a name", uri, name));
  }
  return issue(
      {.file_name = name + "-client", .common_name = name, .alternative_names = {"URI:" + uri}, .server = false});
}

Result<IssuedCertificate> LocalAuthority::issue(const Profile& profile) {
  const std::string base = folder_ + "/issued/" + profile.file_name;
  IssuedCertificate issued{base + ".pem", base + ".key", {}, false};
  auto authority = load_certificate(certificate_file_);
  if (!authority) return tl::unexpected(std::move(authority.error()));
  auto authority_key = load_private_key(key_file_);
  if (!authority_key) return tl::unexpected(std::move(authority_key.error()));

  if (const auto existing = load_certificate(issued.certificate_file)) {
    std::vector<std::string> names = describe(**existing).sans;
    std::sort(names.begin(), names.end());
    issued.not_after = expiry_of(**existing);
    const auto key = load_private_key(issued.key_file);
    const bool fits = names == comparable(profile.alternative_names) &&
                      issued.not_after - clock_->wall() >= kRenewBefore && key &&
                      X509_check_private_key(existing->get(), key->get()) == 1 &&
                      X509_verify(existing->get(), X509_get0_pubkey(authority->get())) == 1;
    ERR_clear_error();
    if (fits) return issued;
  }

  const PkeyPtr key = generate_p256();
  const WallTime end = std::min(clock_->wall() + kLeafLifetime, expiry_of(**authority));
  const X509Ptr leaf = begin_certificate(*key, clock_->wall() - kBackdate, end);
  X509* c = leaf.get();
  std::string alternative_names;
  for (const std::string& name : profile.alternative_names) {
    alternative_names += (alternative_names.empty() ? "" : ",") + name;
  }
  if (!set_name(*c, organization_, profile.common_name) ||
      X509_set_issuer_name(c, X509_get_subject_name(authority->get())) != 1 ||
      !add_extension(*c, authority->get(), NID_basic_constraints, "critical,CA:FALSE") ||
      !add_extension(*c, authority->get(), NID_key_usage, "critical,digitalSignature") ||
      !add_extension(*c, authority->get(), NID_ext_key_usage, profile.server ? "serverAuth" : "clientAuth") ||
      !add_extension(*c, authority->get(), NID_subject_alt_name, alternative_names) ||
      !add_extension(*c, authority->get(), NID_subject_key_identifier, "hash") ||
      !add_extension(*c, authority->get(), NID_authority_key_identifier, "keyid:always") ||
      X509_sign(c, authority_key->get(), Algorithms::get().sha256) == 0) {
    return fail_openssl("issuing a certificate");
  }
  if (Status wrote = write_file_atomically(issued.key_file, to_pem(*key), 0600); !wrote) {
    return tl::unexpected(std::move(wrote.error()));
  }
  if (Status wrote = write_file_atomically(issued.certificate_file, to_pem(*c), 0644); !wrote) {
    return tl::unexpected(std::move(wrote.error()));
  }
  issued.not_after = end;
  issued.reissued = true;
  return issued;
}

Result<WallTime> certificate_expiry(const std::string& certificate_file) {
  auto certificate = load_certificate(certificate_file);
  if (!certificate) return tl::unexpected(std::move(certificate.error()));
  return expiry_of(**certificate);
}

}  // namespace gatehouse::crypto
