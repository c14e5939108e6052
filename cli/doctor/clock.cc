#include <algorithm>
#include <fstream>

#include <fmt/core.h>
#include <sys/timex.h>

#include "cli/doctor/checks.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "core/files/files.h"
#include "core/logs/record_time.h"
#include "core/trust/time.h"

namespace berth::cli::doctor {
namespace {

constexpr std::chrono::seconds kTolerated{60};
constexpr std::size_t kMostLine = 256u << 10;  ///< of events.log; the last whole one is within so much of its end

std::optional<Clock::time_point> last_refresh(const Subject& subject) {
  auto text = files::read(subject.paths.trust() / "last_success", 256);
  if (!text) return {};
  while (text->ends_with('\n')) text->pop_back();
  const auto time = trust::parse_time(*text);
  return time ? std::optional<Clock::time_point>(*time) : std::nullopt;
}

/// The time of the last whole line of events.log.
std::optional<Clock::time_point> newest_event(const Subject& subject) {
  std::ifstream file(subject.paths.events(), std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file ? static_cast<std::streamoff>(file.tellg()) : 0, 0));
  if (size == 0) return {};
  const std::size_t take = std::min(size, kMostLine);
  std::string text(take, '\0');
  file.seekg(static_cast<std::streamoff>(size - take));
  file.read(text.data(), static_cast<std::streamsize>(take));
  const auto end = text.rfind('\n');
  if (!file || end == std::string::npos || end == 0) return {};
  const auto before = text.rfind('\n', end - 1);
  const auto begin = before == std::string::npos ? 0 : before + 1;
  const auto event = json::parse(std::string_view(text).substr(begin, end - begin));
  const auto at = event ? logs::parse_rfc3339(text_of(*event, "at")) : std::nullopt;
  return at ? std::optional<Clock::time_point>(std::chrono::time_point_cast<Clock::duration>(*at)) : std::nullopt;
}

}  // namespace

ClockFacts clock_facts(const Subject& subject) {
  timex asked{};
  const int state = ::adjtimex(&asked);
  std::error_code missing;
  // timesyncd writes this file where the kernel's own state says nothing, as in containers.
  const bool timesyncd = fs::exists(subject.root / "run/systemd/timesync/synchronized", missing);
  return {.now = subject.now, .last_refresh = last_refresh(subject), .newest_event = newest_event(subject), .synchronized = timesyncd || (state >= 0 && state != TIME_ERROR)};
}

Findings judge_clock(const ClockFacts& facts) {
  Findings findings;
  const auto behind = [&](const std::optional<Clock::time_point>& moment) { return moment && *moment > facts.now + kTolerated; };
  const std::string set = "set the clock and let a time service keep it (systemd-timesyncd, chrony)";
  if (behind(facts.last_refresh)) {
    findings.push_back({Level::error, "clock", fmt::format("it says {}, and the repository was read at {} last", time_text(facts.now), time_text(*facts.last_refresh)),
                        "berthd does not believe a clock that was turned back: metadata of the repository count as of then, certificates by what the clock says", set});
  } else if (behind(facts.newest_event)) {
    findings.push_back({Level::error, "clock", fmt::format("it says {}, and the newest event is of {}", time_text(facts.now), time_text(*facts.newest_event)),
                        "the clock was turned back: logs and events are out of order, and certificates are judged by a wrong time", set});
  }
  if (findings.empty() && !facts.synchronized)
    findings.push_back({Level::warning, "clock", fmt::format("it says {}, and nobody keeps it right", time_text(facts.now)),
                        "a clock that drifts makes metadata and certificates expire too early or too late", "run a time service: apt install systemd-timesyncd"});
  if (findings.empty()) findings.push_back({Level::ok, "clock", fmt::format("{}, kept by a time service", time_text(facts.now))});
  return findings;
}

}  // namespace berth::cli::doctor
