#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/doctor/checks.h"
#include "cli/doctor/rejected.h"
#include "cli/json_view.h"
#include "core/logs/record_time.h"
#include "daemon/store/database.h"
#include "daemon/store/event_line.h"
#include "daemon/store/migrations.h"

namespace berth::cli::doctor {
namespace {

constexpr std::size_t kMostTold = 3;
constexpr const char* kMend =
    "systemctl restart berthd, which stops no app: it keeps the file under another name and makes another one of the releases on the disk, events.log and what runs; `berth restore` of a backup has more "
    "where there is one (docs/operating.md, Backup)";
constexpr auto kToldFor = std::chrono::hours(7 * 24);

Finding damaged(const fs::path& path, const std::string& what) {
  return {Level::error, "database", fmt::format("{} is damaged: {}", path.string(), what), "it is the truth about what should run: berthd may fail to change it, or not start again", kMend};
}

/// False where the rest must not be believed.
Result<bool> check_whole(store::Database& database, const fs::path& path, Findings& findings) {
  BERTH_TRY(const auto said, database.rows("PRAGMA integrity_check(100)", [](const store::Statement& row) { return row.text(0); }));
  if (said == std::vector<std::string>{"ok"}) return true;
  std::string what;
  for (std::size_t i = 0; i < std::min(said.size(), kMostTold); ++i) what += (i == 0 ? "" : "; ") + said[i];
  if (said.size() > kMostTold) what += fmt::format("; and {} more", said.size() - kMostTold);
  for (char& c : what)
    if (c == '\n') c = ' ';
  findings.push_back(damaged(path, what));
  return false;
}

/// False where it is of another berth, whose tables may be others.
Result<bool> check_schema(store::Database& database, const fs::path& path, Findings& findings) {
  const int known = store::migrations().back().number;
  BERTH_TRY(const std::int64_t schema, database.number("PRAGMA user_version"));
  if (schema > known)
    findings.push_back({Level::error, "database", fmt::format("{} has schema {}, and this berth knows up to {}", path.string(), schema, known), "a berthd of this version does not start with it",
                        fmt::format("install the berth that wrote it, or put {}.v{}.backup in its place", path.string(), known)});
  else if (schema < known)
    findings.push_back({Level::warning, "database", fmt::format("{} has schema {}, and this berth has {}", path.string(), schema, known), "berthd is older than this command line, or has not started since the upgrade",
                        "systemctl restart berthd, which brings it to the new schema and stops no app"});
  return schema == known;
}

struct SlotState {
  std::string name, looked_at, drift;
  std::int64_t drifted = 0;
};

Result<void> check_drift(store::Database& database, const Subject& subject, Findings& findings) {
  BERTH_TRY(const auto slots, database.rows("SELECT app || '@' || release, CASE verified_at WHEN '' THEN sealed_at ELSE verified_at END, drift, drifted FROM slots ORDER BY app, sequence",
                                            [](const store::Statement& row) { return SlotState{row.text(0), row.text(1), row.text(2), row.integer(3)}; }));
  const auto every = subject.config ? subject.config->verify_every : config::Config().verify_every;
  std::size_t drifted = 0;
  for (const SlotState& slot : slots) {
    if (slot.drifted > 0) {
      ++drifted;
      findings.push_back({Level::error, "drift", fmt::format("{} is not as it was signed since {} or before: {} path{}, first {}", slot.name, slot.looked_at, slot.drifted, slot.drifted == 1 ? "" : "s", slot.drift),
                          "what runs is not what was published: somebody wrote to it as root, or the disk did", fmt::format("berth verify {} names all of it, berth deploy {} --force repairs it", slot.name, slot.name)});
      continue;
    }
    const auto at = logs::parse_rfc3339(slot.looked_at);
    if (every.count() == 0 || !at || subject.now - std::chrono::time_point_cast<Clock::duration>(*at) < 3 * every + std::chrono::hours(1)) continue;
    ++drifted;
    findings.push_back({Level::warning, "drift", fmt::format("{} was compared with what is signed at {} last", slot.name, slot.looked_at), "[store] verify_every asks for it more often: berthd was away, or does not come to it",
                        fmt::format("berth verify {}", slot.name)});
  }
  if (drifted == 0) findings.push_back({Level::ok, "drift", fmt::format("{} release{} as signed when last compared", slots.size(), slots.size() == 1 ? "" : "s")});
  return {};
}

Result<void> look(const Subject& subject, Findings& findings) {
  const fs::path path = subject.paths.database();
  BERTH_TRY(store::Database database, store::Database::open_to_read(path));
  BERTH_TRY(const bool whole, check_whole(database, path, findings));
  if (!whole) return {};
  BERTH_TRY(const bool known, check_schema(database, path, findings));
  if (!known) return {};
  findings.push_back({Level::ok, "database", fmt::format("{} is whole, schema {}", path.string(), store::migrations().back().number)});
  BERTH_CHECK(check_drift(database, subject, findings));
  return check_rejected(database, subject, findings);
}

/// That it was made anew: for a week, and for as long as what was there before is kept.
void check_rebuilt(const Subject& subject, Findings& findings) {
  std::ifstream log(subject.paths.events(), std::ios::binary);
  std::optional<store::Event> newest;
  for (std::string line; std::getline(log, line);) {
    if (!line.contains(R"("kind":"database.rebuilt")")) continue;
    if (auto parsed = store::parse_line(line)) newest = std::move(parsed->event);
  }
  if (!newest) return;
  const json::value told(newest->data);
  const std::string set_aside = text_of(told, "set_aside");
  std::error_code missing;
  const bool is_kept = !set_aside.empty() && fs::exists(set_aside, missing);
  const auto at = logs::parse_rfc3339(newest->at);
  if (!is_kept && (!at || subject.now - std::chrono::time_point_cast<Clock::duration>(*at) > kToldFor)) return;
  const bool brought_forward = truth_of(told, "brought_forward");
  std::string seen = fmt::format("{} was {} at {}: {}", subject.paths.database().string(), brought_forward ? "brought forward" : "made anew", newest->at, text_of(told, "reason"));
  for (bool first = true; const auto& lost : list_of(told, "lost"))
    if (lost.is_string()) seen += fmt::format("{}{}", std::exchange(first, false) ? "; not known any more: " : "; ", std::string_view(lost.get_string()));
  findings.push_back({Level::warning, "database", seen,
                      brought_forward ? "what it did not know comes from events.log, the releases on the disk and what ran then; the keys that requests gave themselves since are gone"
                                      : "what it says comes from the releases on the disk, events.log and what ran then: holds, pins and stops that no event tells of are gone",
                      is_kept ? fmt::format("look through berth status and berth history; remove {} and what else begins so once nobody needs it", set_aside)
                              : std::string("look through berth status and berth history; this is told for a week")});
}

}  // namespace

Findings check_database(const Subject& subject) {
  Findings findings;
  const auto looked = look(subject, findings);
  check_rebuilt(subject, findings);
  if (looked) return findings;
  const fs::path path = subject.paths.database();
  switch (looked.error().code) {
    case Errc::not_found: findings.push_back({Level::warning, "database", path.string() + " is not there", "berthd never ran with this state, or it was removed", "systemctl start berthd makes it, of what is on the disk where there is something"}); break;
    case Errc::permission: findings.push_back({Level::warning, "database", looked.error().message, "it was not looked at", "run berth doctor as root"}); break;
    case Errc::conflict: findings.push_back({Level::warning, "database", looked.error().message, "it was not looked at", "run berth doctor again"}); break;
    default:
      if (::access(path.c_str(), R_OK) != 0) findings.push_back({Level::warning, "database", looked.error().message, "it was not looked at", "run berth doctor as root"});
      else findings.push_back(damaged(path, looked.error().message));
  }
  return findings;
}

}  // namespace berth::cli::doctor
