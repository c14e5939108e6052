// berthd.toml.

#include "daemon/config/config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size > 1u << 14) return 0;
  const auto config = config::parse(fuzz::text_of(data, size), "berthd.toml", "host");
  if (config) fuzz::must(!config->environment.empty(), "a configuration without an environment was accepted");
  else fuzz::must(config.error().code == Errc::usage && !config.error().message.empty(), "a refusal says nothing");
  return 0;
}
