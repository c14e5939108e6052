#include <memory>

#include <fmt/core.h>
#include <unistd.h>

#include "cli/common.h"
#include "cli/doctor/subject.h"
#include "cli/json_view.h"
#include "cli/output/text.h"
#include "cli/verbs.h"
#include "daemon/store/backup.h"

namespace berth::cli {
namespace {

struct BackupOptions {
  std::string file, state, config;
};

/// As the configuration says, else as berthd does.
std::string node_of(const doctor::Subject& subject) {
  if (subject.config) return subject.config->node;
  return subject.status ? text_of(*subject.status, "node") : std::string();
}

/// Fails where no file can be made there.
Result<void> check_file(const std::string& file) {
  if (file == "-") return fail(Errc::usage, "berth backup: -: it writes a file that root alone may read, and none to stdout; name one");
  const doctor::fs::path folder = doctor::fs::absolute(file).parent_path();
  if (std::error_code error; !doctor::fs::is_directory(folder, error))
    return fail(Errc::not_found, fmt::format("berth backup: {}: there is no folder {}: make it, or name another file", file, folder.string()));
  return {};
}

Result<Exit> back_up(const Console& console, const BackupOptions& options) {
  BERTH_CHECK(check_file(options.file));
  const doctor::Subject subject = doctor::read_subject(console, options.config);
  const doctor::fs::path state = options.state.empty() ? subject.paths.state : doctor::fs::path(options.state);
  const doctor::fs::path database = state / "berth.db";
  // SQLite writes where it reads, and does not tell why it cannot.
  if (::access(database.c_str(), R_OK | W_OK) != 0) {
    auto refused = fail_errno("open " + database.string());
    if (options.state.empty() && !subject.config && !subject.status)
      refused.error().message += "; that is the usual place: name berthd's configuration by --config FILE, or the folder by --state DIR";
    if (refused.error().code == Errc::permission) refused.error().message += ": root alone may read it: use sudo";
    return refused;
  }
  BERTH_TRY(const auto backup, store::write_backup(state, options.file, node_of(subject)));
  if (console.json) {
    console.document(json::object{{"file", options.file}, {"state", state.string()}, {"node", backup.node}, {"at", backup.at}, {"schema", backup.schema},
                                  {"last_event", backup.last_event}, {"bytes", backup.bytes}});
    return Exit::ok;
  }
  console.line(fmt::format("{}: {} with {}, {}", options.file, state.string(), count_text(static_cast<std::size_t>(backup.last_event), "event"), bytes_text(backup.bytes)));
  console.note("Releases, apps' data, /etc/berth and keys are not in it. It tells who did what on this node: keep it where root alone reads it.");
  return Exit::ok;
}

}  // namespace

Verb backup_verb() {
  auto o = std::make_shared<BackupOptions>();
  return {.name = "backup",
          .summary = "Copy this node's database and events into a file",
          .text = "A tar that root alone may read, with berth.db and events.log as they are at one moment; berthd may run meanwhile, or not. What it is for: 'berth restore' "
                  "on this node or on another one, to which it moves. Releases are fetched or imported again, and apps' data are theirs to back up.",
          .examples = {"berth backup /var/backups/edge-1.tar # as root, such as from a timer", "tar -tvf /var/backups/edge-1.tar"},
          .exits = {Exit::failed, Exit::not_found, Exit::permission, Exit::conflict},
          .arguments = {{"FILE", "the tar to write, which is not there yet", &o->file, Completes::file}},
          .options = {{"--state", "DIR", "berthd's state (default: as berthd.toml says)", &o->state, Completes::folder},
                      {"--config", "FILE", "berthd's configuration (default: that of the berthd that answers, else of the one beside this program)", &o->config, Completes::file}},
          .action = [o](Console& console) { return back_up(console, *o); }};
}

}  // namespace berth::cli
