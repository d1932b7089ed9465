#include <utility>

#include "http/http1_server_session.h"

namespace gatehouse::http {
namespace {

// Where heads and chunk lines are put together; one per shard.
std::string& line_buffer() {
  thread_local std::string instance;
  instance.clear();
  return instance;
}

}  // namespace

void Http1Server::send(std::string_view bytes) {
  bytes_out_ += bytes.size();
  transport_.write(bytes);
}

void Http1Server::send_informational(const ResponseHead& head) {
  if (out_ != Out::waiting || version_ == Version::http10) return;
  if (head.status == 100) {
    if (!continue_wanted_) return;
    continue_wanted_ = false;
    restart_window();  // only now the client begins
  }
  std::string& out = line_buffer();
  append_response_head(out, head, {});
  send(out);
}

void Http1Server::send_head(const ResponseHead& head, End end) {
  if (out_ != Out::waiting) return;
  // What is left of the request would be taken for the next one, unless all of it has come and is read right away.
  if (in_ != In::done && !body_at_hand_) keep_alive_ = false;
  const bool bodyless = head_method_ || head.status == 204 || head.status == 304;
  FramingChoice choice;
  if (head.content_length && head.status != 204) {
    choice = {WriteFraming::length, *head.content_length, {}};
  } else if (end == End::yes && !bodyless) {
    choice = {WriteFraming::length, 0, {}};
  } else if (!bodyless) {
    choice.framing = version_ == Version::http10 ? WriteFraming::until_close : WriteFraming::chunked;
    if (version_ == Version::http10) keep_alive_ = false;
  }
  if (draining_) keep_alive_ = false;
  if (!keep_alive_) {
    choice.connection = "close";
  } else if (version_ == Version::http10) {
    choice.connection = "keep-alive";
  }
  out_framing_ = bodyless ? WriteFraming::none : choice.framing;
  out_left_ = choice.length;
  std::string& out = line_buffer();
  append_response_head(out, head, choice);
  out_ = Out::body;
  send(out);
  if (end == End::yes) response_done();
}

void Http1Server::send_body(std::string_view data, End end) {
  if (out_ == Out::tunnel) {
    if (!data.empty()) send(data);
    if (end == End::no) return;
    out_ = Out::half;
    transport_.end_output();
    if (eof_told_) response_done();
    return;
  }
  if (out_ != Out::body) return;
  if (!data.empty() && out_framing_ != WriteFraming::none) {
    if (out_framing_ == WriteFraming::chunked) {
      std::string& out = line_buffer();
      append_chunk_size(out, data.size());
      send(out);
      send(data);
      send("\r\n");
    } else {
      if (out_framing_ == WriteFraming::length) {
        // Whoever announced a length that is too short: not a byte more, the client would take it for the next answer.
        if (data.size() > out_left_) data = data.substr(0, static_cast<std::size_t>(out_left_)), keep_alive_ = false;
        out_left_ -= data.size();
      }
      send(data);
    }
  }
  if (end == End::yes) {
    if (out_framing_ == WriteFraming::chunked) send("0\r\n\r\n");
    response_done();
  }
}

void Http1Server::send_trailers(const Fields& trailers) {
  if (out_ != Out::body) return;
  if (out_framing_ == WriteFraming::chunked) {
    std::string& out = line_buffer();
    append_trailers(out, trailers);
    send(out);
  }
  response_done();
}

void Http1Server::open_tunnel(const ResponseHead& head) {
  if (out_ != Out::waiting || !wants_tunnel_) return;
  std::string& out = line_buffer();
  append_response_head(out, head, {WriteFraming::none, 0, "upgrade"});
  send(out);
  in_ = In::tunnel;
  out_ = Out::tunnel;
  keep_alive_ = false;
  transport_.set_deadline(options_.idle_timeout / 2);
  steer_reading();
}

void Http1Server::response_done() {
  // Fewer bytes than announced: only the connection's end tells the client.
  if (out_framing_ == WriteFraming::length && out_left_ > 0) keep_alive_ = false;
  out_ = Out::done;
  transport_.request_flush();
}

void Http1Server::abort() {
  events_ = nullptr;
  in_ = In::closed;
  out_ = Out::done;
  transport_.close_now();
}

void Http1Server::after_flush() {
  if (out_ == Out::done && in_ != In::closed) finish();
}

// The answer is with the kernel.
void Http1Server::finish() {
  if (ServerStreamEvents* events = std::exchange(events_, nullptr)) events->on_complete(bytes_out_);
  if (in_ == In::closed) return;
  wants_tunnel_ = paused_ = false;
  chunked_.reset();
  // A client that closed its half after several requests still gets all its answers.
  if (!keep_alive_ || in_ != In::done || draining_ || (eof_ && kept_.empty())) {
    end();
    return;
  }
  in_ = In::head;
  out_ = Out::idle;
  transport_.set_deadline(options_.idle_timeout);
  if (!kept_.empty()) consume_kept();
  if (eof_ && in_ == In::head) end();
  steer_reading();
}

// Nothing more is read or said; what was written still leaves.
void Http1Server::end() {
  in_ = In::closed;
  out_ = Out::done;
  kept_.clear();
  kept_at_ = 0;
  if (std::exchange(stopped_, false)) transport_.resume_reading();  // to see the peer's end
  transport_.close_after_flush();
}

}  // namespace gatehouse::http
