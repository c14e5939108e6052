// berthd.toml.

#include "daemon/config/config.h"
#include "daemon/config/section.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size > 1u << 14) return 0;
  static const std::vector<config::SinkKind> kinds{{"file", [](config::Section& section) { return std::any(section.string("path", {})); }}};
  const auto config = config::parse(fuzz::text_of(data, size), "berthd.toml", "host", kinds);
  if (config) fuzz::must(!config->environment.empty(), "a configuration without an environment was accepted");
  else fuzz::must(config.error().code == Errc::usage && !config.error().message.empty(), "a refusal says nothing");
  return 0;
}
