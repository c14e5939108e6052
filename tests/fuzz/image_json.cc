// The JSON of container images: whatever is accepted makes a spec that can be read again, or is refused.

#include "core/image/defaults.h"
#include "core/image/image_json.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const std::string_view text = fuzz::text_of(data, size);
  static_cast<void>(image::parse_index(text, "index"));
  static_cast<void>(image::parse_manifest(text, "manifest"));
  static_cast<void>(image::parse_saved(text, "saved"));
  const auto config = image::parse_config(text, "config");
  if (!config) return 0;
  const auto said = image::defaults_of(*config);
  if (!said) return 0;
  const auto spec = spec::spec_of("web", said->defaults);
  if (!spec) return 0;
  const auto again = spec::from_json(spec::to_json(*spec));
  fuzz::must(again.has_value() && *again == *spec, "a spec of an image is another one when it is read again");
  return 0;
}
