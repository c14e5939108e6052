// The manifest of a release: what is accepted is in its one form, and can be written.

#include "core/bundle/manifest.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto text = fuzz::text_of(data, size);
  const auto manifest = bundle::parse_manifest(text);
  if (!manifest) {
    fuzz::must(manifest.error().code == Errc::trust, "a manifest is refused for another reason than trust");
    return 0;
  }
  fuzz::must(bundle::to_canonical_json(*manifest) == text, "an accepted manifest is not in canonical form");
  return 0;
}
