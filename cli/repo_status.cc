#include "cli/repo_status.h"

#include <algorithm>
#include <map>
#include <memory>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/output/table.h"
#include "cli/output/text.h"
#include "cli/repo.h"
#include "core/publish/contents.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

enum class Standing { good, soon, expired };

std::chrono::hours lifetime_of(const std::string& role) {
  const trust::Lifetimes lifetimes;
  if (role == "root") return lifetimes.root;
  if (role == "snapshot") return lifetimes.snapshot;
  return role == "timestamp" ? lifetimes.timestamp : lifetimes.targets;  // delegated roles live as long as targets
}

/// Soon: less than a fifth of its life is left.
Standing standing_of(const trust::RoleState& role, trust::WallTime now) {
  if (role.expires <= now) return Standing::expired;
  return role.expires - now < lifetime_of(role.role) / 5 ? Standing::soon : Standing::good;
}

const char* word_for(Standing standing) {
  switch (standing) {
    case Standing::good: return "good";
    case Standing::soon: return "soon";
    case Standing::expired: return "expired";
  }
  return "";
}

std::string left_text(const trust::RoleState& role, trust::WallTime now) {
  const auto left = std::chrono::duration_cast<milliseconds>(role.expires - now);
  return left.count() > 0 ? age_text(left) : age_text(-left) + " ago";
}

std::string remedy(const std::string& role, const fs::path& folder) {
  if (role == "root") return "it is renewed with the root key";
  if (role == "targets") return fmt::format("'berth repo refresh {}' where the targets key is, or the next release, renews it", folder.string());
  if (role == "snapshot" || role == "timestamp") return fmt::format("'berth repo refresh {}' renews it", folder.string());
  return fmt::format("whoever has its key renews it, with a release or 'berth repo refresh {} --role {}', and then 'berth repo accept {}'",
                     folder.string(), role, folder.string());
}

Exit exit_of(const trust::RepositoryState& state, trust::WallTime now) {
  for (const trust::RoleState& role : state.roles)
    if (role.expires <= now) return Exit::trust;
  return Exit::ok;
}

boost::json::array roles_json(const trust::RepositoryState& state, trust::WallTime now) {
  boost::json::array roles;
  for (const trust::RoleState& role : state.roles)
    roles.push_back({{"role", role.role},
                     {"version", role.version},
                     {"expires", trust::to_string(role.expires)},
                     {"left_seconds", std::chrono::duration_cast<std::chrono::seconds>(role.expires - now).count()},
                     {"standing", word_for(standing_of(role, now))}});
  return roles;
}

void print_roles(const Console& console, const trust::RepositoryState& state, trust::WallTime now) {
  Table table({"ROLE", "VERSION", "EXPIRES", "LEFT"});
  for (const trust::RoleState& role : state.roles) {
    const Standing standing = standing_of(role, now);
    const Tint tint = standing == Standing::good ? Tint::none : (standing == Standing::soon ? Tint::warning : Tint::bad);
    table.row({role.role, std::to_string(role.version), trust::to_string(role.expires), {left_text(role, now), tint}});
  }
  console.print(table.render(console.colour, console.room()));
}

boost::json::array delegations_json(const trust::RepositoryState& state) {
  boost::json::array delegations;
  for (const trust::DelegatedRole& role : state.delegations)
    delegations.push_back({{"role", role.role},
                           {"keyids", boost::json::array(role.keyids.begin(), role.keyids.end())},
                           {"threshold", role.threshold},
                           {"paths", boost::json::array(role.paths.begin(), role.paths.end())},
                           {"version", role.version},
                           {"trouble", role.trouble}});
  return delegations;
}

void print_delegations(const Console& console, const fs::path& folder, const trust::RepositoryState& state) {
  Table table({"DELEGATED", "VERSION", "KEYS", "PATHS"});
  for (const trust::DelegatedRole& role : state.delegations) {
    std::string paths;
    for (const std::string& path : role.paths) paths += (paths.empty() ? "" : " ") + path;
    table.row({role.role, role.version == 0 ? "none yet" : std::to_string(role.version),
               fmt::format("{} of {}", role.threshold, role.keyids.size()), printable(paths)});
  }
  if (!table.empty()) console.print("\n" + table.render(console.colour, console.room()));
  for (const trust::DelegatedRole& role : state.delegations)
    if (!role.trouble.empty()) console.warn(fmt::format("{}: role {}: {}", folder.string(), role.role, printable(role.trouble)));
}

/// "web/production" → its release ids.
std::map<std::string, std::vector<std::string>> releases_by_place(const trust::RepositoryState& state) {
  std::map<std::string, std::vector<std::string>> places;
  for (const trust::Target& target : state.targets)
    if (const auto ref = publish::release_of(target.name)) places[ref->app + "/" + ref->environment].push_back(ref->release);
  return places;
}

void warn_of(const Console& console, const fs::path& folder, const trust::RepositoryState& state, trust::WallTime now) {
  for (const std::string& warning : expiry_warnings(folder, state, now)) console.warn(warning);
}

Result<Exit> tell_status(const Console& console, const fs::path& folder, const trust::RepositoryState& state, trust::WallTime now) {
  const auto places = releases_by_place(state);
  if (console.json) {
    boost::json::object releases;
    for (const auto& [place, ids] : places) releases[place] = boost::json::array(ids.begin(), ids.end());
    console.document(boost::json::object{{"roles", roles_json(state, now)}, {"delegations", delegations_json(state)}, {"releases", std::move(releases)}});
    return exit_of(state, now);
  }
  print_roles(console, state, now);
  warn_of(console, folder, state, now);
  print_delegations(console, folder, state);
  if (places.empty()) console.note("no release is in it yet; make one: berth release APP --env NAME --repo " + folder.string());
  Table table({"APP/ENVIRONMENT", "RELEASES"});
  for (const auto& [place, ids] : places) table.row({place, std::to_string(ids.size())});
  if (!table.empty()) console.print("\n" + table.render(console.colour, console.room()));
  return exit_of(state, now);
}

Result<Exit> status(const Console& console, const std::string& folder) {
  BERTH_TRY(const auto state, trust::read_repository(folder));
  return tell_status(console, folder, state, std::chrono::system_clock::now());
}

}  // namespace

Result<Exit> tell_roles(const Console& console, const fs::path& folder, const trust::RepositoryState& state, trust::WallTime now) {
  if (console.json) {
    console.document(boost::json::object{{"roles", roles_json(state, now)}});
  } else {
    if (!console.quiet) print_roles(console, state, now);
    warn_of(console, folder, state, now);
  }
  return exit_of(state, now);
}

std::vector<std::string> expiry_warnings(const fs::path& folder, const trust::RepositoryState& state, trust::WallTime now) {
  std::vector<std::string> warnings;
  for (const trust::RoleState& role : state.roles) {
    const Standing standing = standing_of(role, now);
    if (standing == Standing::good) continue;
    const bool is_delegated = std::ranges::find(state.delegations, role.role, &trust::DelegatedRole::role) != state.delegations.end();
    const std::string what = standing == Standing::soon ? fmt::format("expires soon, in {}", left_text(role, now))
                             : is_delegated             ? "has expired, and nodes take no release of it"
                                                        : "has expired, and nodes take no release from here";
    warnings.push_back(fmt::format("{}: {} {}; {}", folder.string(), role.role, what, remedy(role.role, folder)));
  }
  return warnings;
}

std::vector<std::string> expiry_warnings(const fs::path& folder) {
  const auto state = trust::read_repository(folder);
  return state ? expiry_warnings(folder, *state, std::chrono::system_clock::now()) : std::vector<std::string>();
}

Verb repo_status_verb() {
  auto folder = std::make_shared<std::string>();
  return {.name = "status",
          .summary = "Show what a repository holds, and how long its metadata may be believed",
          .text = "Warns when less than a fifth of a lifetime is left, and ends with 4 when one is over: nodes take no release from it then.",
          .examples = {"berth repo status ./repo"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust},
          .arguments = {repository_argument(*folder)},
          .action = [folder](Console& console) { return status(console, *folder); }};
}

}  // namespace berth::cli
