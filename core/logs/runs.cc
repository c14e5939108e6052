#include "core/logs/runs.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ranges>
#include <string_view>
#include <vector>

#include "core/files/files.h"
#include "core/logs/cri_line.h"
#include "core/logs/segment_reader.h"

namespace berth::logs {
namespace {

/// The runs with a line in a segment, by their tags; who wrote last is last.
Result<std::vector<std::string>> runs_in(const Segment& segment) {
  BERTH_TRY(auto reader, SegmentReader::open(segment));
  std::vector<std::string> runs;
  for (;;) {
    const auto line = reader.next_line();
    if (!line || !*line) return runs;  // of a damaged one what can be read
    const auto parsed = parse_cri_line(**line);
    if (!parsed || parsed->tag.empty()) continue;
    std::string_view tag = parsed->tag;
    const LineTag parts = parse_tag(tag);
    if (parts.pid.empty()) continue;  // of no run that is known
    if (parts.keeper) tag.remove_suffix(std::string_view(":keeper").size());
    if (!runs.empty() && runs.back() == tag) continue;
    if (const auto known = std::ranges::find(runs, tag); known != runs.end()) runs.erase(known);
    runs.emplace_back(tag);
  }
}

/// `RELEASE:DEPLOYMENT`, of `RELEASE:DEPLOYMENT:PID`.
std::string_view deployment_of(std::string_view tag) { return tag.substr(0, tag.rfind(':')); }

/// The tag of the run that last ended though nobody had asked for that, as its keeper wrote it down; empty where none did, or keepers are older.
std::string ended_by_itself(const std::filesystem::path& folder) {
  constexpr std::size_t kMostTag = 200;
  const auto text = files::read(folder / kEndedName, kMostTag);
  return text ? *text : std::string();
}

/// Whether it wrote anything, as far back as its deployment did.
bool has_lines(const std::vector<Segment>& segments, const std::string& tag) {
  for (const Segment& segment : segments | std::views::reverse) {
    const auto found = runs_in(segment);
    if (!found) continue;
    if (std::ranges::find(*found, tag) != found->end()) return true;
    if (std::ranges::none_of(*found, [&](const std::string& one) { return deployment_of(one) == deployment_of(tag); })) return false;
  }
  return false;
}

Run run_of(std::string_view tag) {
  const LineTag parts = parse_tag(tag);
  return {std::string(parts.release), std::string(parts.deployment), std::string(parts.pid)};
}

}  // namespace

bool is_alive(const Run& run) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(run.pid.data(), run.pid.data() + run.pid.size(), pid);
  return error == std::errc() && end == run.pid.data() + run.pid.size() && pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

Result<std::optional<PreviousRun>> previous_run(const InstanceLog& log, const Lives& lives, const std::optional<std::string>& release) {
  const auto is_wanted = [&](const Run& run) { return (!release || run.release == *release) && !lives(run); };
  BERTH_TRY(const auto segments, list_segments(log.folder));
  const std::string ended = ended_by_itself(log.folder);
  std::string previous;
  std::uint64_t first = 0;
  for (const Segment& segment : segments | std::views::reverse) {
    const auto found = runs_in(segment);
    if (!found && found.error().code == Errc::not_found) continue;  // rotated away meanwhile
    if (!found) return pass(found.error());
    const bool begins = previous.empty();
    for (const std::string& tag : *found | std::views::reverse)
      if (previous.empty() && is_wanted(run_of(tag))) previous = tag;
    if (previous.empty()) continue;
    // A run that was started again and stopped says less than the one which had ended.
    if (begins && ended != previous && deployment_of(ended) == deployment_of(previous) && !lives(run_of(ended)) && has_lines(segments, ended)) previous = ended;
    if (std::ranges::find(*found, previous) != found->end()) first = segment.first;
    else if (first != 0) break;
  }
  if (previous.empty()) return std::optional<PreviousRun>();
  return PreviousRun{run_of(previous), first};
}

}  // namespace berth::logs
