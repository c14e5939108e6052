// The frames of a blob, as the unpack worker decodes them: never more than the index says.

#include <sys/mman.h>
#include <unistd.h>

#include "core/bundle/frame_reader.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size < 3) return 0;
  static const int file = ::memfd_create("blob", 0);
  const std::uint64_t blob = size - 2, said = data[0] * 256u + data[1];
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, data + 2, blob, 0) != static_cast<ssize_t>(blob)) std::abort();
  std::uint64_t made = 0;
  const auto done = bundle::decode_frames(file, {{.offset = 0, .size = blob, .tar_size = said}}, [&made](std::string_view piece) -> Result<bool> {
    made += piece.size();
    return true;
  });
  fuzz::must(made <= said, "more was handed on than the index says");
  if (done) fuzz::must(made == said, "less was accepted than the index says");
  return 0;
}
