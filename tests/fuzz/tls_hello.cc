// The first bytes of a client of the control API, as far as berth looks at them itself.

#include <string>

#include "core/io/tls_hello.h"
#include "tests/fuzz/fuzz.h"

using namespace berth;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::text_of(data, size);
  const bool newer = io::offers_only_newer_tls(bytes);
  if (newer) fuzz::must(size > 50 && bytes.front() == '\x16' && bytes[5] == '\x01', "what is no hello was taken for one");
  // What follows the hello is not looked at.
  if (newer) fuzz::must(io::offers_only_newer_tls(std::string(bytes) + "more"), "what follows a hello matters");
  return 0;
}
