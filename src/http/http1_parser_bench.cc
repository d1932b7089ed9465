// ns for one head: what a browser sends (12 fields), what wrk sends, a small response, and the scan of a large chunk.
#include <benchmark/benchmark.h>

#include <string>

#include "http/http1_parser.h"
#include "http/http1_writer.h"

namespace gatehouse::http {
namespace {

const std::string kBrowser =
    "GET /shop/items/48213?page=2&sort=price HTTP/1.1\r\n"
    "Host: shop.example\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
    "Accept-Encoding: gzip, deflate, br\r\n"
    "Referer: https://shop.example/shop/items?page=1\r\n"
    "Connection: keep-alive\r\n"
    "Cookie: session=5f2a9c0e7d6b4381a1f0c2d4e6b8a901; theme=dark; consent=all; cart=3\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "Sec-Fetch-Dest: document\r\n"
    "Sec-Fetch-Mode: navigate\r\n"
    "Sec-Fetch-Site: same-origin\r\n"
    "\r\n";
const std::string kWrk = "GET /orders HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
const std::string kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 02 Jun 2025 10:00:00 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: 120\r\nConnection: keep-alive\r\n\r\n";

void parse_requests(benchmark::State& state, const std::string& bytes) {
  Arena arena;
  Http1Request request;
  const HeadLimits limits;
  for (auto _ : state) {
    arena.reset();
    const ParseResult result = parse_request_head(bytes, limits, arena, request);
    benchmark::DoNotOptimize(result);
    if (result.status != ParseStatus::complete) state.SkipWithError("refused");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * bytes.size()));
}

void request_browser(benchmark::State& state) { parse_requests(state, kBrowser); }
void request_wrk(benchmark::State& state) { parse_requests(state, kWrk); }
BENCHMARK(request_browser);
BENCHMARK(request_wrk);

void response_small(benchmark::State& state) {
  Arena arena;
  Http1Response response;
  const HeadLimits limits;
  for (auto _ : state) {
    arena.reset();
    benchmark::DoNotOptimize(parse_response_head(kResponse, limits, false, arena, response));
  }
}
BENCHMARK(response_small);

void write_request(benchmark::State& state) {
  Arena arena;
  Http1Request request;
  if (parse_request_head(kBrowser, {}, arena, request).status != ParseStatus::complete) return;
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_request_head(out, request.head, {});
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(write_request);

void chunks_of_16_bytes(benchmark::State& state) {
  std::string body;
  for (int i = 0; i < 1000; ++i) body += "10\r\n0123456789abcdef\r\n";
  const HeadLimits limits;
  for (auto _ : state) {
    ChunkedDecoder decoder(limits);
    std::string_view in = body, chunk;
    while (decoder.next(in, chunk) == ChunkedDecoder::Status::data) benchmark::DoNotOptimize(chunk.data());
  }
  state.SetItemsProcessed(state.iterations() * 1000);
}
BENCHMARK(chunks_of_16_bytes);

}  // namespace
}  // namespace gatehouse::http
