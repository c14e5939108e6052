// berth.toml: what is accepted is the same in a manifest.

#include "core/spec/app_spec.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size > 1u << 14) return 0;
  const auto spec = spec::parse_toml(fuzz::text_of(data, size), "berth.toml");
  if (!spec) {
    fuzz::must(!spec.error().message.empty(), "a refusal says nothing");
    return 0;
  }
  const auto again = spec::from_json(spec::to_json(*spec));
  fuzz::must(again.has_value() && *again == *spec, "a spec changes on its way through a manifest");
  return 0;
}
