#include <chrono>
#include <memory>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/common.h"
#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/repo.h"
#include "cli/repository_source.h"
#include "core/publish/push.h"

namespace berth::cli {
namespace {

struct RepoPushOptions {
  std::string folder, destination, command, grace;
  SigningOptions turn;  ///< of which it has --wait alone: it signs nothing
  std::optional<std::int64_t> keep;
  RepositoryLocation served;
  bool force = false, prune = false;
};

Result<publish::PushOptions> push_options(const RepoPushOptions& options) {
  publish::PushOptions how{.command = options.command, .served_at = options.served.at, .force = options.force};
  if (!options.prune && (options.keep || !options.grace.empty()))
    return fail(Errc::usage, "berth repo push: --keep and --grace say what --prune leaves; add --prune");
  if (!options.prune) return how;
  how.prune.emplace();
  if (options.keep) how.prune->keep_metadata = *options.keep;
  BERTH_TRY(const auto grace, duration_argument(options.grace, "--grace"));
  if (grace) how.prune->grace = std::chrono::ceil<std::chrono::seconds>(*grace);
  return how;
}

Result<Exit> push(const Console& console, const RepoPushOptions& options) {
  BERTH_TRY(auto how, push_options(options));
  std::unique_ptr<trust::Remote> served;
  if (!options.served.at.empty()) {
    RepositoryLocation at = options.served;
    at.tell = console.teller();
    BERTH_TRY(served, open_metadata(at));
    how.served = served.get();
  }
  BERTH_TRY(const auto wait, wait_of(options.turn));
  const publish::Repository repository{.folder = options.folder, .keys = {}, .now = std::chrono::system_clock::now, .wait = wait};
  const auto pushed = publish::push_repository(repository, options.destination, how);
  if (!pushed && pushed.error().code == Errc::unreachable) return std::unexpected(of_repository(pushed.error(), options.served.at));
  BERTH_CHECK(pushed);
  if (console.json) {
    console.document(boost::json::object{{"destination", options.destination}, {"files", pushed->files}, {"bytes", pushed->bytes},
                                         {"pruned_files", pushed->pruned.files.size()}, {"pruned_bytes", pushed->pruned.bytes}});
    return Exit::ok;
  }
  console.line(options.command.empty() ? fmt::format("{}: {}{} copied, {}", options.destination, pushed->made ? "a new folder, " : "", count_text(pushed->files, "file"), bytes_text(pushed->bytes))
                                       : fmt::format("{}: copied by '{}'", options.destination, options.command));
  if (options.prune)
    console.line(fmt::format("{}: {}, {} removed", options.destination, count_text(pushed->pruned.files.size(), "file"), bytes_text(pushed->pruned.bytes)));
  return Exit::ok;
}

}  // namespace

Verb repo_push_verb() {
  auto o = std::make_shared<RepoPushOptions>();
  return {.name = "push",
          .summary = "Copy a repository to where it is served from, in an order in which readers always find a whole one",
          .text = "Blobs and targets first, then metadata, timestamp.json last. --with COMMAND is called with a folder and DESTINATION/, several times, and "
                  "copies the folder into there. Without it the destination is a local folder, which is made where the folder above it is there. incoming/ is not copied. What is newer at the destination, or "
                  "comes from another copy of the repository, is not overwritten: a local folder is looked at, and what is served at --served. "
                  "Where nothing is served there yet, the first push takes --force.",
          .examples = {"berth repo push ./repo /srv/www/releases", "berth repo push ./repo /srv/www/releases --prune",
                       "berth repo push ./repo web1:/srv/www/releases --with 'rsync -a' --served https://releases.example.com"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder), {"DESTINATION", "a folder, or what the command knows", &o->destination, Completes::folder}},
          .options = {{"--with", "COMMAND", "copies a folder: 'rsync -a', 'scp -r', 'cp -a'", &o->command},
                      {"--served", "URL", "where the destination is served: looked at first, so that nothing newer is overwritten", &o->served.at},
                      {"--ca-file", "FILE", "for https: the CAs (PEM) that may vouch for that server", &o->served.tls.ca_file, Completes::file},
                      {"--force", "", "overwrite also what is newer there, or comes from another copy", &o->force},
                      {"--prune", "", "then remove from a local folder what nothing lists there any more", &o->prune},
                      {"--keep", "N", "with --prune: versions of each role's metadata that stay (default: 10)", &o->keep},
                      {"--grace", "DURATION", "with --prune: what came there within it stays (default: 24h)", &o->grace},
                      wait_option(o->turn.wait)},
          .action = [o](Console& console) { return push(console, *o); }};
}

}  // namespace berth::cli
