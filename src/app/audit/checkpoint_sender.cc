#include "app/audit/checkpoint_sender.h"

#include <pthread.h>

#include <charconv>

#include "app/outside_call.h"
#include "audit/note.h"
#include "audit/tiles.h"
#include "base/file.h"
#include "codec/json_writer.h"
#include "telemetry/log.h"

namespace gatehouse::app {

CheckpointSender::CheckpointSender(std::string folder, std::vector<CheckpointTarget> targets, const Clock& clock)
    : folder_(std::move(folder)), clock_(clock) {
  for (CheckpointTarget& target : targets) places_.push_back({.target = std::move(target), .log = {}, .trouble = {}});
}

CheckpointSender::~CheckpointSender() { stop(); }

void CheckpointSender::start() {
  if (places_.empty()) return;
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "checkpoints");
}

void CheckpointSender::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void CheckpointSender::send(const std::string& note) {
  {
    const std::lock_guard lock(mutex_);
    waiting_ = note;
  }
  changed_.notify_all();
}

void CheckpointSender::run() {
  std::string newest;
  for (;;) {
    bool stopping = false, fresh = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, kRetry, [this] { return stopping_ || !waiting_.empty(); });
      stopping = stopping_;
      fresh = !waiting_.empty();
      if (fresh) newest = std::exchange(waiting_, {});
    }
    for (Place& place : places_) {
      if (newest.empty() || (!fresh && !place.behind)) continue;
      // Whoever ends the program does not wait for somebody else's server.
      if (stopping && place.target.kind != CheckpointTarget::Kind::file) continue;
      deliver(place, newest);
    }
    if (stopping) return;
  }
}

void CheckpointSender::deliver(Place& place, const std::string& note) {
  const Status put_there = put(place, note);
  place.behind = !put_there;
  const std::string trouble = put_there ? std::string() : put_there.error().message;
  if (trouble == place.trouble) return;
  place.trouble = trouble;
  if (trouble.empty()) {
    GH_LOG(info, "checkpoints of the audit log arrive again", {"at", place.target.where});
  } else if (put_there.error().code == ErrorCode::denied) {
    GH_LOG(error, "the audit log is not the one that was seen elsewhere", {"at", place.target.where}, {"why", trouble});
  } else {
    GH_LOG(warn, "a checkpoint of the audit log did not arrive", {"at", place.target.where}, {"why", trouble});
  }
}

Status CheckpointSender::put(Place& place, const std::string& note) {
  switch (place.target.kind) {
    case CheckpointTarget::Kind::file: return write_file_atomically(place.target.where, note, 0644);
    case CheckpointTarget::Kind::syslog: return put_into_syslog(place, note);
    case CheckpointTarget::Kind::post: return post(place, note);
    case CheckpointTarget::Kind::witness: return ask_witness(place, note);
  }
  return {};
}

Status CheckpointSender::put_into_syslog(Place& place, const std::string& note) {
  if (!place.log) {
    const auto target = telemetry::parse_log_target(place.target.where);
    if (!target) return tl::unexpected(target.error());
    auto log = open_log_destination(*target, clock_);
    if (!log) return tl::unexpected(std::move(log.error()));
    place.log = std::move(*log);
  }
  std::string line;
  codec::JsonWriter json(line);
  json.raw("{\"audit_checkpoint\":");
  json.string(note);
  json.raw("}\n");
  json.flush();
  const auto taken = place.log->take({std::span<const char>(line), {}});
  if (!taken) return tl::unexpected(taken.error());
  return {};
}

Status CheckpointSender::post(const Place& place, const std::string& note) {
  OutsideCall call{.url = place.target.where, .form = note, .authorization = {}, .ca = {}};
  call.content_type = "text/plain; charset=utf-8";
  call.plain_http = true;  // parse_checkpoint_target has let it pass for this machine alone
  const auto answer = call_outside(call);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status / 100 != 2) return fail(ErrorCode::unavailable, fmt::format("it answered {}", answer->status));
  return {};
}

// C2SP tlog-witness, add-checkpoint. What the witness has seen last it tells when we have got it wrong.
Status CheckpointSender::ask_witness(Place& place, const std::string& note) {
  std::string_view body, ours;
  const auto checkpoint = audit::parse_checkpoint(note, &body, &ours);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  const auto verifier = audit::NoteVerifier::parse(place.target.vkey);
  if (!verifier) return tl::unexpected(verifier.error());
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (place.witnessed > checkpoint->size) {
      return fail(ErrorCode::denied,
                  fmt::format("it has signed for {} entries, and there are {}: the log was rolled back",
                              place.witnessed, checkpoint->size));
    }
    audit::TileReader reader(audit::system_files(), folder_, checkpoint->size);
    const auto proof = audit::consistency_proof(place.witnessed, checkpoint->size, reader.reader());
    if (!proof) return tl::unexpected(proof.error());
    std::string text = fmt::format("old {}\n", place.witnessed);
    for (const audit::Hash& hash : *proof) text += audit::base64_of(hash) + '\n';
    OutsideCall call{
        .url = place.target.where + "/add-checkpoint", .form = text + '\n' + note, .authorization = {}, .ca = {}};
    call.content_type = "text/plain; charset=utf-8";
    call.plain_http = true;
    const auto answer = call_outside(call);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status == 409 && attempt == 0) {
      const std::string& size = answer->body;
      std::uint64_t seen = 0;
      const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), seen);
      if (error != std::errc() || (end != size.data() + size.size() && *end != '\n')) {
        return fail(ErrorCode::denied, "it has signed another root for as many entries");
      }
      if (seen == place.witnessed) return fail(ErrorCode::denied, "it has signed another root for as many entries");
      place.witnessed = seen;
      continue;
    }
    if (answer->status == 422) return fail(ErrorCode::denied, "it has signed for another log of this name");
    if (answer->status != 200) return fail(ErrorCode::unavailable, fmt::format("it answered {}", answer->status));
    const std::string lines = verifier->signature_lines(body, answer->body);
    if (lines.empty()) return fail(ErrorCode::unavailable, "its answer is not signed by its key");
    place.witnessed = checkpoint->size;
    return keep_witnessed(note, lines);
  }
  return fail(ErrorCode::unavailable, "it says something else each time");
}

Status CheckpointSender::keep_witnessed(const std::string& note, const std::string& signatures) {
  if (witnessed_body_ != note) witnessed_body_ = note, witnessed_lines_.clear();
  witnessed_lines_ += signatures;
  return write_file_atomically(folder_ + "/witnessed", witnessed_body_ + witnessed_lines_, 0600);
}

}  // namespace gatehouse::app
