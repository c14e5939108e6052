#include <algorithm>
#include <array>

#include "core/spec/app_spec.h"

namespace berth::spec {
namespace {

/// What an instance's environment has beside the declared variables, and is there when its command is expanded (DESIGN 4).
constexpr std::array<std::string_view, 16> kProvided{
    "PATH",        "HOME",          "LANG",       "TZ",             "TMPDIR",         "BERTH_APP",     "BERTH_ENV",        "BERTH_RELEASE",
    "BERTH_BUILD", "BERTH_PROCESS", "BERTH_NODE", "BERTH_INSTANCE", "BERTH_DATA_DIR", "BERTH_RUN_DIR", "BERTH_CONFIG_DIR", "BERTH_SECRETS_DIR"};

}  // namespace

std::vector<std::string> known_variables(const AppSpec& spec, const Process& process) {
  std::vector<std::string> known(kProvided.begin(), kProvided.end());
  for (std::string& name : port_variables(process)) known.push_back(std::move(name));
  for (const auto& [name, variable] : spec.variables) known.push_back(name);
  return known;
}

bool is_reserved_variable(std::string_view name) {
  constexpr std::array<std::string_view, 3> kBeginnings{"BERTH_", "LISTEN_", "PORT_"};
  constexpr std::array<std::string_view, 5> kNames{"PORT", "NOTIFY_SOCKET", "WATCHDOG_USEC", "HOME", "TMPDIR"};
  return std::ranges::find(kNames, name) != kNames.end() ||
         std::ranges::any_of(kBeginnings, [name](std::string_view beginning) { return name.starts_with(beginning); });
}

}  // namespace berth::spec
