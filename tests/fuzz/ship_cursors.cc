// How far a sink is, as its file says it. The checksum is made right, so that what is behind it is reached.

#include "core/crypto/sha256.h"
#include "daemon/ship/cursors.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size > 1u << 14) return 0;
  const std::string text(fuzz::text_of(data, size));
  for (const std::string& tried : {text, text + "sha256 " + crypto::sha256_hex(text) + "\n"}) {
    const auto cursors = ship::parse_cursors(tried);
    if (!cursors) {
      fuzz::must(cursors.error().code == Errc::protocol && !cursors.error().message.empty(), "a refusal says nothing");
      continue;
    }
    const auto again = ship::parse_cursors(ship::to_text(*cursors));
    fuzz::must(again && *again == *cursors, "what was read is not what is written");
  }
  return 0;
}
