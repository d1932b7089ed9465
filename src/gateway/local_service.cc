#include "gateway/local_service.h"

#include "gateway/server/shard.h"

namespace gatehouse::gateway {
namespace {

thread_local AnsweringNow* t_answering = nullptr;

}  // namespace

AnsweringNow::AnsweringNow(const ReplyDesk& desk, std::uint32_t index, std::uint64_t generation) noexcept
    : desk_(desk), generation_(generation), outer_(std::exchange(t_answering, this)), index_(index) {}

AnsweringNow::~AnsweringNow() { t_answering = outer_; }

void LocalReply::send(LocalAnswer answer) {
  const std::shared_ptr<ReplyDesk> desk = std::exchange(desk_, nullptr);
  if (!desk) return;
  AnsweringNow* const now = t_answering;
  if (now != nullptr && &now->desk_ == desk.get() && now->index_ == index_ && now->generation_ == generation_) {
    now->answer = std::move(answer);
    now->answered = true;
    return;
  }
  desk->post(index_, generation_, std::move(answer));
}

void ReplyDesk::post(std::uint32_t index, std::uint64_t generation, LocalAnswer answer) {
  const std::lock_guard lock(mutex_);
  if (shard_ == nullptr) return;
  // The loop belongs to the shard: what is posted to it runs before the shard is gone, or not at all.
  shard_->loop().post([shard = shard_, index, generation, kept = std::move(answer)]() mutable {
    shard->local_answered(index, generation, std::move(kept));
  });
}

void ReplyDesk::close() {
  const std::lock_guard lock(mutex_);
  shard_ = nullptr;
}

KeptCall::KeptCall(const LocalRequest& request, LocalReply reply) : request_(request), reply_(std::move(reply)) {
  const auto own = [this](std::string_view& text) { text = arena_.copy(text); };
  for (std::string_view* text :
       {&request_.method, &request_.scheme, &request_.authority, &request_.path, &request_.query, &request_.body,
        &request_.request_id, &request_.route, &request_.certificate_sha256, &request_.certificate_subject}) {
    own(*text);
  }
  for (const http::Field& field : *request_.fields) fields_.add(arena_.copy(field.name), arena_.copy(field.value));
  request_.fields = &fields_;
  for (std::string_view& name : request_.certificate_sans) own(name);
  Principal& who = request_.principal;
  for (std::string_view* text : {&who.user, &who.issuer, &who.key_id, &who.fingerprint}) own(*text);
  for (std::span<std::string_view>* list : {&who.roles, &who.scopes, &who.audiences}) {
    const std::span<std::string_view> mine = arena_.array<std::string_view>(list->size());
    for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = arena_.copy((*list)[i]);
    *list = mine;
  }
}

}  // namespace gatehouse::gateway
