// Strict JSON: what is read and written again is read as the same.

#include "core/json/json.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto read = json::parse(fuzz::text_of(data, size), {.most_bytes = 1u << 16, .most_depth = 32}, true);
  if (!read) return 0;
  const auto again = json::parse(json::text(*read), {.most_bytes = 1u << 20, .most_depth = 32}, true);
  fuzz::must(again.has_value(), "what was written cannot be read");
  return 0;
}
