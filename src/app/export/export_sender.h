#pragma once
// Brings batches to a receiver: by HTTP, in datagrams, or over a connection that stays, with TLS or without.
//
// An error with Retry::safe is tried again with the same batch: what a receiver has of it already comes twice (but for
// Elasticsearch, which knows documents by their id). Any other error means that the receiver refuses this batch and
// would again. Each call takes at most kSendMax. TLS is 1.2 at least, and verified.
//
// Thread safety: one thread.

#include <chrono>
#include <functional>
#include <memory>

#include "app/export/export_queue.h"
#include "gateway/telemetry_config.h"

namespace gatehouse::app {

class ExportSender {
 public:
  static constexpr std::chrono::milliseconds kConnectMax{5000}, kSendMax{10'000};

  virtual ~ExportSender() = default;
  // How many of the batch the receiver has refused, while it took the others.
  virtual Result<std::uint32_t> send(const ExportBatch& batch) = 0;
};

// `abandoned` is asked while a call waits, and ends it.
std::unique_ptr<ExportSender> make_export_sender(const ExportTarget& target, const gateway::ExportConfig& config,
                                                 std::function<bool()> abandoned);

// What an answer to `_bulk` or to OTLP says, as `send` returns it. For tests.
Result<std::uint32_t> read_bulk_answer(std::string_view body);
std::uint32_t read_otlp_answer(std::string_view body);

}  // namespace gatehouse::app
