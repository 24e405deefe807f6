// Redaction of a run's output: beside copying the same text, and beside memmem for the plain value alone.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <string>

#include "secrets/redactor.h"

namespace {

using namespace writ;

std::string Log() {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < (4u << 20)) {
    text += "2030-01-01T00:00:00.000Z build[";
    text += std::to_string(random() % 100000);
    text += "] compiling src/module_" + std::to_string(random() % 500) + "/file.cc -> object, status=ok, id=" + std::to_string(random()) + "\n";
  }
  return text;
}

std::string Token(std::size_t bytes, unsigned seed) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  std::mt19937 random(seed);
  std::string token(bytes, ' ');
  for (char& c : token) c = kDigits[random() % kDigits.size()];
  return token;
}

void Redact(benchmark::State& state) {
  const std::string text = Log();
  std::vector<std::string> values;
  for (int i = 0; i < state.range(0); ++i) values.push_back(Token(static_cast<std::size_t>(state.range(1)), static_cast<unsigned>(i + 1)));
  std::vector<secrets::RedactedValue> given;
  for (const auto& value : values) given.push_back({"TOKEN", AsBytes(value)});
  const auto patterns = secrets::RedactionPatterns::Make(given).value();
  std::string out;
  out.reserve(text.size() + 1024);
  for (auto _ : state) {
    out.clear();
    secrets::Redactor redactor(patterns);
    const secrets::Redactor::Sink sink = [&](ByteView piece) -> Result<> {
      out += AsText(piece);
      return {};
    };
    for (std::size_t at = 0; at < text.size(); at += 64 << 10) {
      if (!redactor.Write(AsBytes(std::string_view(text).substr(at, 64 << 10)), sink)) state.SkipWithError("sink");
    }
    if (!redactor.Finish(sink)) state.SkipWithError("sink");
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
  state.counters["nodes"] = static_cast<double>(patterns->node_count());
}
BENCHMARK(Redact)->Args({0, 0})->Args({1, 40})->Args({8, 40})->Args({1, 2000})->Args({64, 40});

void MakePatterns(benchmark::State& state) {
  const std::string value = Token(static_cast<std::size_t>(state.range(0)), 1);
  for (auto _ : state) benchmark::DoNotOptimize(secrets::RedactionPatterns::Make({{"TOKEN", AsBytes(value)}}));
}
BENCHMARK(MakePatterns)->Arg(40)->Arg(2000)->Arg(64 << 10);

void Memmem(benchmark::State& state) {
  const std::string text = Log(), value = Token(40, 1);
  for (auto _ : state) benchmark::DoNotOptimize(::memmem(text.data(), text.size(), value.data(), value.size()));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK(Memmem);

}  // namespace

BENCHMARK_MAIN();
