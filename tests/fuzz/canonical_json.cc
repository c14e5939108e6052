// Canonical JSON: one form, which is what it makes of itself.

#include "core/json/json.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto read = json::parse(fuzz::text_of(data, size), {.most_bytes = 1u << 16, .most_depth = 32});
  if (!read) return 0;
  const auto form = json::canonical(*read);
  if (!form) return 0;
  // Control characters stand bare in it, as OLPC has it, and a strict parser refuses those.
  const auto again = json::parse(*form, {.most_bytes = 1u << 20, .most_depth = 32});
  if (!again) return 0;
  fuzz::must(json::canonical(*again).value() == *form, "the canonical form has another canonical form");
  return 0;
}
