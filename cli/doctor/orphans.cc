#include <algorithm>
#include <charconv>
#include <iterator>
#include <sstream>

#include <fmt/core.h>

#include "cli/doctor/belongings.h"
#include "cli/doctor/checks.h"
#include "core/files/files.h"
#include "daemon/host/cgroup.h"
#include "daemon/route/port_table.h"
#include "daemon/route/table_owner.h"

namespace berth::cli::doctor {
namespace {

constexpr std::size_t kKeyLength = 16;
constexpr const char* kKeeper = "berth-keeper";
constexpr const char* kRestart = "systemctl restart berthd, which takes it away and stops no app";

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code failure;
  for (fs::directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) found.push_back(it->path());
  std::ranges::sort(found);
  return found;
}

/// A keeper's process, and whose it is by the name of its socket.
struct KeeperProcess {
  std::string pid, key;
};

/// The keepers of this node that run. A command line is arguments, each with a NUL behind it.
std::vector<KeeperProcess> keepers_of(const Subject& subject) {
  std::vector<KeeperProcess> found;
  for (const fs::path& folder : entries_of(subject.root / "proc")) {
    const std::string pid = folder.filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto line = files::read(folder / "cmdline", kMostSystemFile);
    if (!line) continue;
    const std::string program = line->substr(0, line->find('\0'));
    if (fs::path(program).filename() != kKeeper || program.size() + 1 >= line->size()) continue;
    const fs::path socket = line->substr(program.size() + 1, line->find('\0', program.size() + 1) - program.size() - 1);
    if (socket.parent_path() == subject.paths.run / "keepers") found.push_back({pid, socket.stem().string()});
  }
  return found;
}

struct Cgroup {
  fs::path folder;
  std::string key;
};

/// Folders of instances below berthd's own cgroup, and services of keepers below systemd's slice.
std::vector<Cgroup> cgroups_of(const Subject& subject) {
  std::vector<Cgroup> found;
  const auto mounts = files::read(subject.root / "proc/self/mountinfo", kMostSystemFile);
  const auto mount = mounts ? host::cgroup2_mount(*mounts) : std::nullopt;
  if (!mount) return found;
  const fs::path top = subject.root / mount->relative_path();
  for (const fs::path& app : entries_of(top / host::cgroup_name(subject.paths.run)))
    for (const fs::path& instance : entries_of(app))
      if (std::error_code missing; fs::is_directory(instance, missing) && instance.filename().string().size() == kKeyLength) found.push_back({instance, instance.filename()});
  if (subject.paths.run != "/run/berth") return found;  // the slice may be another berthd's
  std::vector<fs::path> services = entries_of(top / "berth.slice");  // and below each app's slice; of an older berthd they are right here
  for (const fs::path& slice : std::vector(services))
    if (slice.extension() == ".slice") std::ranges::copy(entries_of(slice), std::back_inserter(services));
  for (const fs::path& service : services) {
    const std::string name = service.stem();  // berth-web-web-1-0123456789abcdef.service
    if (service.extension() == ".service" && name.starts_with("berth-") && name.size() > kKeyLength) found.push_back({service, name.substr(name.size() - kKeyLength)});
  }
  return found;
}

void check_folders(const Subject& subject, const Belongings& known, const std::vector<fs::path>& staged, const std::vector<fs::path>& slots, Findings& findings) {
  std::error_code missing;
  for (const fs::path& folder : staged) {
    const std::string name = folder.filename();
    // A release file that is being imported has a number below 0, which no deployment has.
    const auto written = fs::last_write_time(folder, missing);
    const bool importing = subject.status && name.starts_with("-") && !missing && fs::file_time_type::clock::now() - written < std::chrono::hours(1);
    if (known.deployments.contains(name) || importing || !fs::exists(folder, missing)) continue;
    findings.push_back({Level::warning, "orphans", fmt::format("{} is of no deployment that is under way", folder.string()), "it takes room that no `berth gc` gives back", kRestart});
  }
  for (const fs::path& slot : slots) {
    const std::string app = slot.parent_path().parent_path().filename();
    if (known.busy || known.slots.contains({app, slot.filename()}) || !fs::exists(slot, missing)) continue;
    findings.push_back({Level::warning, "orphans", fmt::format("{} is no release that the database knows", slot.string()), "it takes room, and nothing runs from it", kRestart});
  }
  for (const auto& [app, release] : known.slots) {
    const fs::path slot = subject.paths.slot(app, release);
    if (known.busy || fs::exists(fs::symlink_status(slot, missing))) continue;
    findings.push_back({Level::error, "orphans", fmt::format("{}@{} has no folder: {} is not there", app, release, slot.string()), "what should run from it cannot be started again",
                        fmt::format("berth deploy {}@{} --force fetches it again", app, release)});
  }
}

void check_processes(const Subject& subject, const Belongings& known, Findings& findings) {
  if (known.busy) return;
  std::set<std::string> told;
  for (const KeeperProcess& keeper : keepers_of(subject)) {
    if (known.keeper_keys.contains(keeper.key)) continue;
    told.insert(keeper.key);
    findings.push_back({Level::warning, "orphans", fmt::format("pid {} is a keeper ({}) of no instance that the database knows", keeper.pid, keeper.key), "it keeps a program running that nobody asked for", subject.status ? kRestart : "systemctl start berthd, which stops it"});
  }
  for (const Cgroup& cgroup : cgroups_of(subject)) {
    if (known.keeper_keys.contains(cgroup.key) || told.contains(cgroup.key)) continue;
    findings.push_back({Level::warning, "orphans", fmt::format("{} is a cgroup of no instance that the database knows", cgroup.folder.string()), "what runs in it is nobody's, and is not limited with its app",
                        "look who is in it (cgroup.procs below it); end them, and rmdir it"});
  }
}

/// The file of a process that did not end: the instance, then a pid and its start on each line (daemon/supervise/left_behind.h).
void check_left_behind(const Subject& subject, Findings& findings) {
  for (const fs::path& file : entries_of(subject.paths.run / "keepers")) {
    if (file.extension() != ".left") continue;
    std::istringstream text(files::read(file, kMostSystemFile).value_or(""));
    std::string instance, pids;
    std::getline(text, instance);
    for (std::string pid, start; text >> pid >> start;) {
      const std::string stat = files::read(subject.root / "proc" / pid / "stat", kMostSystemFile).value_or("");
      if (stat.find(" " + start + " ") != std::string::npos) pids += (pids.empty() ? "" : ", ") + pid;
    }
    if (!pids.empty())
      findings.push_back({Level::warning, "orphans", fmt::format("pid {} of {} did not end when it was killed", pids, instance.empty() ? "an app" : instance), "it keeps its memory and its files, and data of its app may still be written",
                          "it waits for a device or a file system that does not answer: mend that, or reboot"});
  }
}

bool is_same_folder(const fs::path& one, const fs::path& other) {
  std::error_code missing;
  return one == other || fs::equivalent(one, other, missing);
}

/// Whether the table is another berthd's of this network, which is told.
bool check_owner(const Subject& subject, const std::string& mark, Findings& findings) {
  const auto owner = route::table_owner(subject.root / "proc");
  const auto ours = files::read(route::table_mark_file(subject.paths.run), kMostSystemFile);
  const bool runs = owner && !owner->state.empty() && !is_same_folder(owner->state, subject.paths.state);
  if (!runs && (mark.empty() || (ours && *ours == mark))) return false;
  const std::string whose = runs ? "another " + route::to_text(*owner) : "another berthd, which does not run now";
  findings.push_back({Level::warning, "nftables", fmt::format("the table `inet {}` is of {}", route::kTableName, whose), "releases whose processes have a public `port` are refused here: one berthd of a network namespace has the table",
                      runs ? "let apps use `socket` in the place of `port`; or give one of the two a network namespace of its own, or stop one"
                           : "start that one again; where it is not to come back: nft delete table inet berth"});
  return true;
}

void check_rules(const Subject& subject, const Belongings& known, const std::function<Result<std::string>()>& rules, Findings& findings) {
  const auto said = rules();
  const auto table = said && !said->empty() ? route::parse_table(*said) : route::PortTable();
  if (!table || check_owner(subject, table->mark, findings) || known.busy) return;
  for (const auto& [port, targets] : table->routes)
    for (const std::uint16_t target : targets)
      if (!known.ports.contains(target))
        findings.push_back({Level::warning, "orphans", fmt::format("the table `inet berth` sends port {} to {}, which is no instance's", port, target), "connections to it are refused, or reach a stranger",
                            "systemctl restart berthd, which writes the table anew; without one: nft delete table inet berth"});
}

}  // namespace

Findings check_orphans(const Subject& subject, const std::function<Result<std::string>()>& rules) {
  // Folders first: what comes into being while the database is read is not there yet.
  const std::vector<fs::path> staged = entries_of(subject.paths.staging());
  std::vector<fs::path> slots;
  for (const fs::path& app : entries_of(subject.paths.state / "apps"))
    for (const fs::path& slot : entries_of(app / "slots")) slots.push_back(slot);
  const auto known = read_belongings(subject);
  if (!known && known.error().code == Errc::not_found) return {{Level::ok, "orphans", "there is no database, and so nobody to whom anything belongs"}};
  if (!known) return {{Level::warning, "orphans", "not looked for: the database cannot be read", "what belongs to nobody is not known", "see what is said of the database; run berth doctor as root"}};
  Findings findings;
  check_folders(subject, *known, staged, slots, findings);
  check_processes(subject, *known, findings);
  check_left_behind(subject, findings);
  check_rules(subject, *known, rules, findings);
  if (findings.empty()) findings.push_back({Level::ok, "orphans", known->busy ? "none that can be told while something is under way" : "everything belongs to somebody"});
  return findings;
}

}  // namespace berth::cli::doctor
