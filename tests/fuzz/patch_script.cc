// The script of a patch, as the unpack worker applies it to an old tree: it makes just what it says, or nothing.

#include <algorithm>
#include <string>

#include "core/patch/script.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size < 4) return 0;
  const std::uint64_t said = data[0] * 256u + data[1];
  const std::size_t base = std::min<std::size_t>(data[2] * 256u + data[3], size - 4);
  const std::string_view rest = fuzz::text_of(data + 4, size - 4);
  std::uint64_t made = 0;
  const auto take = [&](std::string_view piece) -> Result<void> {
    made += piece.size();
    return {};
  };
  const auto done = patch::apply(rest.substr(base), rest.substr(0, base), said, take);
  if (done) fuzz::must(made == said, "it made another size than was asked for");
  else fuzz::must(made == 0 && done.error().code == Errc::trust, "something was made before it was refused");
  return 0;
}
