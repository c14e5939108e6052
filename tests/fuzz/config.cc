// berthd.toml, and what files beside it add: they stand behind it, a NUL before each.

#include "daemon/config/config.h"
#include "daemon/config/section.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  if (size > 1u << 14) return 0;
  static const std::vector<config::SinkKind> kinds{{"file", [](config::Section& section) { return std::any(section.string("path", {})); }}};
  std::vector<config::Source> sources;
  std::string_view rest = fuzz::text_of(data, size);
  for (std::size_t end = 0; end != std::string_view::npos && sources.size() < 8; rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1)) {
    end = rest.find('\0');
    sources.push_back({.name = "berthd.toml", .text = std::string(rest.substr(0, end))});
  }
  const auto config = config::parse(sources, "host", kinds);
  if (config) fuzz::must(!config->environment.empty(), "a configuration without an environment was accepted");
  else fuzz::must(config.error().code == Errc::usage && !config.error().message.empty(), "a refusal says nothing");
  return 0;
}
