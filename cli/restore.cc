#include <memory>

#include <fmt/core.h>
#include <pwd.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/doctor/subject.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "daemon/ship/cursors.h"
#include "daemon/store/backup.h"

namespace berth::cli {
namespace {

struct RestoreOptions {
  std::string file, state, config;
  bool force = false;
};

/// "root (uid 0)", as berthd tells of who asks it.
std::string who_asks() {
  const uid_t uid = ::getuid();
  const passwd* entry = ::getpwuid(uid);
  return entry == nullptr ? fmt::format("uid {}", uid) : fmt::format("{} (uid {})", entry->pw_name, uid);
}

Result<Exit> restore(const Console& console, const RestoreOptions& options) {
  if (::geteuid() != 0) return fail(Errc::permission, "berth restore: it writes what root alone may write: use sudo");
  const doctor::Subject subject = doctor::read_subject(console, options.config);
  // berthd is stopped and cannot be asked, and a node that is made of a guess is one that nobody runs.
  if (options.state.empty() && !subject.config && !subject.status)
    return fail(Errc::usage, fmt::format("where berthd's state is to be is not known: {}; name the configuration by --config FILE, or the folder by --state DIR", subject.config_trouble));
  const doctor::fs::path state = options.state.empty() ? subject.paths.state : doctor::fs::path(options.state);
  BERTH_TRY(const auto restored, store::restore_backup(options.file, state, options.force, who_asks()));
  BERTH_CHECK(ship::take_back(state, restored.backup.last_event));
  if (console.json) {
    json::array aside, notes(restored.notes.begin(), restored.notes.end());
    for (const auto& path : restored.set_aside) aside.emplace_back(path.string());
    console.document(json::object{{"state", state.string()}, {"node", restored.backup.node}, {"at", restored.backup.at}, {"last_event", restored.backup.last_event},
                                  {"set_aside", std::move(aside)}, {"notes", std::move(notes)}});
    return Exit::ok;
  }
  console.line(fmt::format("{}: as {} was at {}, with {}", state.string(), restored.backup.node.empty() ? "the node" : printable(restored.backup.node), printable(restored.backup.at),
                           count_text(static_cast<std::size_t>(restored.backup.last_event), "event")));
  for (const auto& path : restored.set_aside) console.line("kept: " + path.string());
  for (const std::string& note : restored.notes) console.line(printable(note));
  console.note("Next: systemctl start berthd, berth status, berth doctor.");
  return Exit::ok;
}

}  // namespace

Verb restore_verb() {
  auto o = std::make_shared<RestoreOptions>();
  return {.name = "restore",
          .summary = "Put a backup's database and events in place, while berthd is stopped",
          .text = "It refuses while a berthd works with the state, and where there is a state already unless --force is given; what is there is kept under other names. A "
                  "release that is not on this disk is not active any more: deploy or import it, or let the node follow. Deployments that were under way do not go on.",
          .examples = {"systemctl stop berthd; berth restore /var/backups/edge-1.tar --force; systemctl start berthd # apps go on meanwhile"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {{"FILE", "as 'berth backup' wrote it, or that compressed by gzip or zstd", &o->file, Completes::file}},
          .options = {{"--force", "", "also where there is a state already", &o->force},
                      {"--state", "DIR", "where berthd's state is to be (default: as berthd.toml says; without one it has to be named)", &o->state, Completes::folder},
                      {"--config", "FILE", "berthd's configuration (default: the one of the berthd that is installed beside this program)", &o->config, Completes::file}},
          .action = [o](Console& console) { return restore(console, *o); }};
}

}  // namespace berth::cli
