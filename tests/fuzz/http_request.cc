// What somebody asks of berthd's sockets.

#include <string>

#include "core/io/http_reader.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size == 0) return 0;
  io::RequestReader reader({});
  std::string buffer;
  const auto bytes = fuzz::text_of(data + 1, size - 1);
  for (std::size_t at = 0; at < bytes.size() && !reader.done(); at += 1u + data[0]) {
    buffer += bytes.substr(at, 1u + data[0]);
    if (reader.take(buffer)) return 0;
  }
  return 0;
}
