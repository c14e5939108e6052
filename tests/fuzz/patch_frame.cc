// A frame of a patch, as the unpack worker decodes it over what it refers to: it fills the room that it has, or is refused.

#include <algorithm>
#include <string>

#include "core/patch/frame.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size < 4) return 0;
  std::string content(data[0] * 256u + data[1] + 1, '#');
  content.back() = '!';  // behind the room: nobody writes there
  const std::size_t base = std::min<std::size_t>(data[2] * 256u + data[3], size - 4);
  const std::string_view rest = fuzz::text_of(data + 4, size - 4);
  const auto done = patch::decode_frame(rest.substr(base), rest.substr(0, base), {content.data(), content.size() - 1});
  fuzz::must(content.back() == '!', "it wrote behind its room");
  if (!done) fuzz::must(done.error().code == Errc::trust, "a frame that is no frame is not refused as that");
  return 0;
}
