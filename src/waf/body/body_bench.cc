// What each body processor costs, and that the cost is linear: the same shape at 1, 4 and 16 times the size, hostile
// ones beside benign. Arena and vectors are used again, as a shard does.
#include <benchmark/benchmark.h>

#include <random>
#include <string>

#include "waf/body/json_body.h"
#include "waf/body/multipart.h"
#include "waf/body/urlencoded.h"
#include "waf/body/xml_body.h"

namespace {

using namespace gatehouse;

constexpr waf::BodyLimits kLimits{.arguments_max = 4'000'000, .parts_max = 1'000'000, .decoded_bytes_max = 256 << 20};

template <class Read>
void run(benchmark::State& state, const std::string& bytes, const Read& read) {
  Arena arena(64 * 1024);
  waf::Body body;
  std::size_t values = 0;
  for (auto _ : state) {
    arena.reset();
    body.clear();
    read(bytes, arena, body);
    values = body.arguments.size() + body.files.size() + body.xml_text.size() + body.xml_attributes.size();
    benchmark::DoNotOptimize(values);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes.size()) * state.iterations());
  state.counters["body"] = static_cast<double>(bytes.size());
  state.counters["values"] = static_cast<double>(values);
  state.counters["ns/value"] =
      benchmark::Counter(static_cast<double>(values ? values : 1) * 1e-9,
                         benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

std::string repeated(std::string_view text, std::int64_t times) {
  std::string out;
  for (std::int64_t i = 0; i < times; ++i) out += text;
  return out;
}

void form(benchmark::State& state) {
  std::string text;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    text += "field" + std::to_string(i) + "=some+text+with%20escapes+and+words&";
  }
  run(state, text, [](std::string_view bytes, Arena& arena, waf::Body& body) {
    waf::read_urlencoded_body(bytes, kLimits, arena, body);
  });
}
BENCHMARK(form)->Arg(50)->Arg(200)->Arg(800)->Arg(25600);

void json(benchmark::State& state, std::string_view item) {
  std::string text = "[";
  for (std::int64_t i = 0; i < state.range(0); ++i) text += (i ? "," : "") + std::string(item);
  text += "]";
  run(state, text,
      [](std::string_view bytes, Arena& arena, waf::Body& body) { waf::read_json_body(bytes, kLimits, arena, body); });
}
// 200 values in 10 KB, then 100,000 values in 800 KB and its multiples.
BENCHMARK_CAPTURE(
    json, records,
    R"({"id":1234,"name":"Some Name of a Person","city":"Some City","note":"a longer text with \"quotes\" and so on, as people write","ok":true})")
    ->Arg(40)
    ->Arg(160)
    ->Arg(640);
BENCHMARK_CAPTURE(json, numbers, "1234567")->Arg(25'000)->Arg(100'000)->Arg(400'000);
BENCHMARK_CAPTURE(json, escapes, R"("\u0041\u00e9\ud83d\ude00\n\t")")->Arg(25'000)->Arg(100'000);
BENCHMARK_CAPTURE(json, utf8, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa9\"")->Arg(25'000)->Arg(100'000);
BENCHMARK_CAPTURE(json, empty_objects, "{}")->Arg(25'000)->Arg(400'000);

constexpr std::string_view kField = "Content-Disposition: form-data; name=\"field\"";
const std::string kBoundary = std::string(40, '-') + "b";

void multipart(benchmark::State& state, const std::string& content) {
  const std::string text = "--" + kBoundary + "\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\n" +
                           repeated(content, state.range(0) * 1024 / static_cast<std::int64_t>(content.size())) +
                           "\r\n--" + kBoundary + "--\r\n";
  const std::string type = "multipart/form-data; boundary=" + kBoundary;
  run(state, text, [&](std::string_view bytes, Arena& arena, waf::Body& body) {
    waf::read_multipart_body(type, bytes, kLimits, arena, body);
  });
}
std::string binary() {
  std::mt19937 random(1);
  std::string out(64 * 1024, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}
BENCHMARK_CAPTURE(multipart, binary_upload, binary())->Arg(256)->Arg(1024)->Arg(4096);
BENCHMARK_CAPTURE(multipart, text_upload, std::string("some text as people write it, and then a line end\r\n"))
    ->Arg(256)
    ->Arg(1024);
BENCHMARK_CAPTURE(multipart, dashes, std::string("-"))->Arg(256)->Arg(1024);
BENCHMARK_CAPTURE(multipart, almost_the_boundary, "x--" + std::string(40, '-'))->Arg(256)->Arg(1024);
BENCHMARK_CAPTURE(multipart, lines_of_dashes, "--" + std::string(40, '-') + "\n")->Arg(256)->Arg(1024);
BENCHMARK_CAPTURE(multipart, line_ends, std::string("\n"))->Arg(256)->Arg(1024);

void parts(benchmark::State& state) {
  const std::string text =
      repeated("--b\r\n" + std::string(kField) + "\r\n\r\nvalue\r\n", state.range(0)) + "--b--\r\n";
  run(state, text, [](std::string_view bytes, Arena& arena, waf::Body& body) {
    waf::read_multipart_body("multipart/form-data; boundary=b", bytes, kLimits, arena, body);
  });
}
BENCHMARK(parts)->Arg(100)->Arg(10'000);

void folded_headers(benchmark::State& state) {
  const std::string text =
      repeated("--b\r\n" + std::string(kField) + repeated("\n x", 5'000) + "\r\n\r\nv\r\n", state.range(0));
  run(state, text, [](std::string_view bytes, Arena& arena, waf::Body& body) {
    waf::read_multipart_body("multipart/form-data; boundary=b", bytes, kLimits, arena, body);
  });
}
BENCHMARK(folded_headers)->Arg(16)->Arg(64);

void xml(benchmark::State& state, std::string_view item) {
  const std::string text = "<a>" + repeated(item, state.range(0)) + "</a>";
  run(state, text,
      [](std::string_view bytes, Arena& arena, waf::Body& body) { waf::read_xml_body(bytes, kLimits, arena, body); });
}
BENCHMARK_CAPTURE(xml, records, "<item id=\"1234\" kind=\"x\"><name>Some Name</name>text &amp; more</item>")
    ->Arg(200)
    ->Arg(3200)
    ->Arg(12800);
BENCHMARK_CAPTURE(xml, references, "&#65;&lt;")->Arg(25'000)->Arg(100'000);

void one_element(benchmark::State& state) {
  std::string text = "<a";
  for (std::int64_t i = 0; i < state.range(0); ++i) text += " x" + std::to_string(i) + "=''";
  run(state, text + "/>",
      [](std::string_view bytes, Arena& arena, waf::Body& body) { waf::read_xml_body(bytes, kLimits, arena, body); });
}
// Refused above 256: libxml2 compares each attribute's name with all before it.
BENCHMARK(one_element)->Arg(250)->Arg(64'000);

void many_attributes(benchmark::State& state) {
  std::string element = "<b";
  for (int i = 0; i < 256; ++i) element += " x" + std::to_string(i) + "=''";
  const std::string text = "<a>" + repeated(element + "/>", state.range(0)) + "</a>";
  run(state, text,
      [](std::string_view bytes, Arena& arena, waf::Body& body) { waf::read_xml_body(bytes, kLimits, arena, body); });
}
BENCHMARK(many_attributes)->Arg(50)->Arg(400);

void many_namespaces(benchmark::State& state) {
  std::string text = "<a";
  for (int i = 0; i < 64; ++i) text += " xmlns:n" + std::to_string(i) + "='u'";
  text += ">" + repeated("<n0:b/>", state.range(0)) + "</a>";
  run(state, text,
      [](std::string_view bytes, Arena& arena, waf::Body& body) { waf::read_xml_body(bytes, kLimits, arena, body); });
}
BENCHMARK(many_namespaces)->Arg(10'000)->Arg(100'000);

}  // namespace
