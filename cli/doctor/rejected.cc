#include "cli/doctor/rejected.h"

#include <algorithm>
#include <map>

#include <fmt/core.h>

#include "cli/json_view.h"
#include "core/logs/record_time.h"

namespace berth::cli::doctor {
namespace {

constexpr std::size_t kMostNamed = 5;

struct Rejected {
  std::string app, release, reason, at;
  std::string active, last;  ///< the app's, and what was deployed last
  bool was_here = false;
};

Result<std::vector<Rejected>> read_rejected(store::Database& database) {
  return database.rows(
      "SELECT r.app, r.release, r.reason, r.at, COALESCE((SELECT active FROM apps WHERE app = r.app), '') AS active,"
      " COALESCE((SELECT release FROM deployments WHERE app = r.app AND kind = 'deploy' ORDER BY id DESC LIMIT 1), ''),"
      " EXISTS (SELECT 1 FROM slots WHERE app = r.app AND release = r.release) OR EXISTS (SELECT 1 FROM deployments WHERE app = r.app AND release = r.release)"
      " FROM rejected AS r ORDER BY r.app, r.release = active DESC, r.at DESC",
      [](const store::Statement& row) { return Rejected{row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5), row.integer(6) != 0}; });
}

/// To the second.
std::string short_time(const std::string& text) {
  const auto at = logs::parse_rfc3339(text);
  return at ? time_text(std::chrono::time_point_cast<Clock::duration>(*at)) : text;
}

/// Who wants the release of the app, as a channel or as a release by itself; empty: nobody follows it.
std::string follower_of(const Subject& subject, const Rejected& one) {
  if (!subject.status) return {};
  for (const auto& follow : list_of(*subject.status, "follows"))
    if (text_of(follow, "app") == one.app && text_of(follow, "wanted") == one.release) {
      const std::string channel = text_of(follow, "channel");
      return channel.empty() ? "[[follow]]" : channel;
    }
  return {};
}

/// ", which is active": why a rejection matters; empty where it is history.
std::string matter_of(const Subject& subject, const Rejected& one) {
  if (one.release == one.active) return "which is active";
  if (const std::string follower = follower_of(subject, one); !follower.empty()) return fmt::format("which {} wants", follower);
  return one.release == one.last ? "which was deployed last" : "";
}

/// "v3, v2 and 4 more".
std::string names_of(const std::vector<Rejected>& all, const std::string& but) {
  std::vector<std::string> names;
  for (const Rejected& one : all)
    if (one.release != but && one.was_here) names.push_back(one.release);
  const std::size_t named = names.size() > kMostNamed + 1 ? kMostNamed : names.size();
  std::string text;
  for (std::size_t i = 0; i < named; ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return named == names.size() ? text : text + fmt::format(" and {} more", names.size() - named);
}

Finding judge_app(const Subject& subject, const std::string& app, const std::vector<Rejected>& all) {
  for (const Rejected& one : all) {
    const std::string matter = matter_of(subject, one), others = names_of(all, one.release);
    if (matter.empty()) continue;
    const bool is_active = one.release == one.active;
    return {Level::warning, "rejected", fmt::format("{}@{}, {}, since {}: {}{}", app, one.release, matter, short_time(one.at), one.reason, others.empty() ? "" : fmt::format(" (and {})", others)),
            is_active ? "it goes on; channels, retries and reverts pass it over on this node" : "channels and retries pass it over on this node, which stays where it is",
            fmt::format("berth history {0} tells what came of it; {1}berth mark {0}@{2} good, {3}", app, is_active ? fmt::format("berth revert {} leaves it; ", app) : "", one.release,
                        is_active ? "where it is well" : "once it can be tried again")};
  }
  const auto newest = std::ranges::find(all, true, &Rejected::was_here);
  return {Level::ok, "rejected", fmt::format("of {} {}, none of which is wanted", app, names_of(all, {})), {},
          fmt::format("berth history {0} tells what came of them; berth mark {0}@{1} good, if one is to be tried again", app, newest->release)};
}

}  // namespace

Result<void> check_rejected(store::Database& database, const Subject& subject, Findings& findings) {
  BERTH_TRY(const auto rejected, read_rejected(database));
  std::map<std::string, std::vector<Rejected>> by_app;
  for (const Rejected& one : rejected)
    if (one.was_here || !matter_of(subject, one).empty()) by_app[one.app].push_back(one);
  for (const auto& [app, all] : by_app) findings.push_back(judge_app(subject, app, all));
  if (by_app.empty()) findings.push_back({Level::ok, "rejected", rejected.empty() ? "no release is" : "no release is that was on this node"});
  return {};
}

}  // namespace berth::cli::doctor
