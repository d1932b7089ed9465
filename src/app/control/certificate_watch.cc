#include "app/control/certificate_watch.h"

#include <algorithm>

#include "crypto/x509.h"

namespace gatehouse::app {

CertificateWatch::Stamps CertificateWatch::look(const gateway::Config& config,
                                                const std::vector<gateway::ServedCertificate>& served) {
  Stamps stamps;
  const auto add = [&](const std::string& file) {
    if (!file.empty()) stamps.emplace(file, stamp_of(file));
  };
  for (const gateway::ListenerConfig& listener : config.listeners) {
    if (!listener.tls) continue;
    for (const gateway::TlsCertificateFiles& files : listener.tls->certificates) {
      add(files.cert), add(files.key), add(files.ocsp);
    }
    add(listener.tls->client_ca);
  }
  for (const gateway::ServiceConfig& service : config.services) {
    add(service.tls.ca), add(service.tls.client_cert), add(service.tls.client_key);
  }
  for (const gateway::ServedCertificate& one : served) add(one.file);
  return stamps;
}

void CertificateWatch::loaded(const gateway::Config& config, const std::vector<gateway::ServedCertificate>& served,
                              Stamps stamps) {
  // What was issued while loading has changed since that look, by ourselves.
  Stamps now = look(config, served);
  for (const gateway::ServedCertificate& one : served) {
    if (one.issued) stamps[one.file] = now[one.file];
  }
  loaded_ = seen_ = tried_ = std::move(stamps);
  retry_at_ = MonotonicTime::max();
  renew_after_ = clock_.now() + kRetry;
  next_poll_ = clock_.now() + kPoll;
  certificates_.clear();
  for (const gateway::ServedCertificate& one : served) {
    const auto expires = crypto::certificate_expiry(one.file);
    certificates_.push_back({one, expires ? *expires : WallTime{}});
  }
}

void CertificateWatch::failed(Stamps stamps) {
  tried_ = std::move(stamps);
  retry_at_ = renew_after_ = clock_.now() + kRetry;
}

std::vector<gateway::ServedCertificate> CertificateWatch::served() const {
  std::vector<gateway::ServedCertificate> all;
  for (const Certificate& one : certificates_) all.push_back(one.served);
  return all;
}

bool CertificateWatch::due(const gateway::Config& config) {
  const MonotonicTime now = clock_.now();
  if (now < next_poll_) return false;
  next_poll_ = now + kPoll;
  Stamps stamps = look(config, served());
  const bool settled = stamps == seen_;
  seen_ = std::move(stamps);
  if (seen_ != loaded_ && settled && (seen_ != tried_ || now >= retry_at_)) return true;
  const auto ends = [&](const Certificate& one) {
    return one.served.issued && one.expires - clock_.wall() < crypto::LocalAuthority::kRenewBefore;
  };
  return now >= renew_after_ && std::any_of(certificates_.begin(), certificates_.end(), ends);
}

std::vector<CertificateWatch::Certificate> CertificateWatch::ending() {
  std::vector<Certificate> found;
  for (const Certificate& one : certificates_) {
    if (one.expires - clock_.wall() >= kSoon) continue;
    MonotonicTime& again = reminded_[one.served.file];
    if (clock_.now() < again) continue;
    again = clock_.now() + kRemind;
    found.push_back(one);
  }
  return found;
}

}  // namespace gatehouse::app
