#include "gateway/table_key.h"

namespace gatehouse::gateway {

IpAddress counted_address(const IpAddress& address) noexcept {
  IpAddress counted = address;
  if (!address.is_v4()) std::memset(counted.bytes.data() + 8, 0, 8);
  return counted;
}

void TableKey::append(const void* bytes, std::size_t size) noexcept {
  if (used_ + size > buffer_.size()) {
    // More than the buffer holds: what is in it becomes its hash. The parts keep their order and lengths.
    const std::uint64_t so_far = crypto::keyed_hash({buffer_.data(), used_}, key_);
    std::memcpy(buffer_.data(), &so_far, sizeof so_far);
    used_ = sizeof so_far;
  }
  std::memcpy(buffer_.data() + used_, bytes, size);
  used_ += size;
}

TableKey& TableKey::add(std::string_view part) noexcept {
  const auto size = static_cast<std::uint32_t>(part.size());
  append(&size, sizeof size);
  if (part.size() > buffer_.size() / 2) return add(crypto::keyed_hash(part, key_));
  append(part.data(), part.size());
  return *this;
}

TableKey& TableKey::add(std::uint64_t number) noexcept {
  append(&number, sizeof number);
  return *this;
}

TableKey& TableKey::add(const IpAddress& address) noexcept {
  const IpAddress counted = counted_address(address);
  append(counted.bytes.data(), counted.bytes.size());
  return *this;
}

std::uint64_t TableKey::hash() const noexcept {
  const std::uint64_t hash = crypto::keyed_hash({buffer_.data(), used_}, key_);
  return hash == 0 ? 1 : hash;
}

}  // namespace gatehouse::gateway
