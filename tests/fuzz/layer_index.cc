// The index of a layer, signed by whoever gave it: the sizes that the manifest says are made to fit, so that the rules behind them are reached.

#include "core/bundle/layer.h"
#include "core/crypto/sha256.h"
#include "core/json/json.h"
#include "tests/fuzz/fuzz.h"

namespace {

std::uint64_t sum_of(const berth::json::value& index, const char* member) {
  std::uint64_t sum = 0;
  const auto* object = index.if_object();
  const auto* frames = object == nullptr ? nullptr : object->if_contains("frames");
  if (frames == nullptr || !frames->is_array()) return 0;
  for (const auto& frame : frames->get_array()) {
    const auto* one = frame.if_object();
    const auto* number = one == nullptr ? nullptr : one->if_contains(member);
    if (number != nullptr && number->is_int64() && number->get_int64() > 0 && number->get_int64() < (1 << 30)) sum += number->get_int64();
  }
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto text = fuzz::text_of(data, size);
  bundle::LayerRef layer;
  layer.index = {.sha256 = crypto::sha256_hex(text), .size = size};
  if (const auto index = json::parse(text)) {
    layer.blob.size = sum_of(*index, "size");
    layer.tar_size = sum_of(*index, "tar_size");
  }
  const auto index = bundle::parse_index(text, layer);
  if (!index) {
    fuzz::must(index.error().code == Errc::trust, "an index is refused for another reason than trust");
    return 0;
  }
  fuzz::must(bundle::to_canonical_json(*index) == text, "an accepted index is not in canonical form");
  return 0;
}
