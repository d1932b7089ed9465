#include "gateway/layers/authentication/key_source.h"

namespace gatehouse::gateway {

std::shared_ptr<const crypto::KeySet> IssuerKeys::get() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

void IssuerKeys::publish(crypto::KeySet keys) {
  auto next = std::make_shared<const crypto::KeySet>(std::move(keys));
  const std::lock_guard lock(mutex_);
  const bool revoked = keys_ && !next->keeps_all_of(*keys_);
  keys_.swap(next);
  if (revoked) epoch_.fetch_add(1, std::memory_order_release);
}

crypto::AlgorithmSet algorithms_of(const JwtIssuerConfig& issuer) {
  crypto::AlgorithmSet set;
  for (const std::string& name : issuer.algorithms) {
    if (const auto algorithm = crypto::parse_jose_algorithm(name)) set.add(*algorithm);
  }
  return set;
}

}  // namespace gatehouse::gateway
