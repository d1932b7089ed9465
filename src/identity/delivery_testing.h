#pragma once
// Keeps what would have been sent.

#include <mutex>
#include <vector>

#include "identity/users/delivery.h"

namespace gatehouse::identity {

class Outbox final : public Delivery {
 public:
  Status send(Mail mail) override {
    if (!with_mail) return fail(ErrorCode::unavailable, "no mail");
    const std::lock_guard lock(mutex_);
    mails.push_back(std::move(mail));
    return {};
  }
  Status send(ShortMessage message) override {
    if (!with_sms) return fail(ErrorCode::unavailable, "no short messages");
    const std::lock_guard lock(mutex_);
    messages.push_back(std::move(message));
    return {};
  }
  bool has_mail() const noexcept override { return with_mail; }
  bool has_sms() const noexcept override { return with_sms; }

  bool with_mail = true, with_sms = true;
  std::vector<Mail> mails;
  std::vector<ShortMessage> messages;

 private:
  std::mutex mutex_;
};

}  // namespace gatehouse::identity
