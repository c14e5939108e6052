#include "daemon/ship/sinks/severity.h"

#include <algorithm>
#include <utility>

namespace berth::ship {
namespace {

constexpr std::string_view kSeverityNames[] = {"emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"};

constexpr std::pair<std::string_view, Severity> kOfSyslogAlone[] = {
    {"emergency", Severity::emergency}, {"emerg", Severity::emergency}, {"alert", Severity::alert}};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Severity severity_of(logs::Level level) {
  constexpr Severity kSeverities[] = {Severity::debug, Severity::debug, Severity::info, Severity::notice, Severity::warning, Severity::error, Severity::critical};
  return kSeverities[static_cast<std::size_t>(level)];
}

}  // namespace

std::string_view to_string(Severity severity) { return kSeverityNames[static_cast<std::size_t>(severity)]; }

Severity severity_of(std::string_view said, logs::Level level) {
  for (const auto& [known, severity] : kOfSyslogAlone)
    if (std::ranges::equal(known, said, {}, {}, lower)) return severity;
  if (said.size() == 1 && said[0] >= '0' && said[0] <= '7') return static_cast<Severity>(said[0] - '0');
  return severity_of(level);
}

GuessedSeverity guess_severity(std::string_view line) {
  if (line.size() >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>')
    return {.severity = static_cast<Severity>(line[1] - '0'), .prefix = 3};
  const auto level = logs::level_of(line);
  if (!level) return {};
  return {.severity = severity_of(*level)};
}

}  // namespace berth::ship
