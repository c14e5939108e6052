#include <memory>

#include <boost/json/object.hpp>
#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/repo.h"
#include "core/publish/push.h"

namespace berth::cli {
namespace {

struct RepoPushOptions {
  std::string folder, destination, command;
};

Result<Exit> push(const Console& console, const RepoPushOptions& options) {
  BERTH_TRY(const auto pushed, publish::push_repository(options.folder, options.destination, options.command));
  if (console.json) {
    console.document(boost::json::object{{"destination", options.destination}, {"files", pushed.files}, {"bytes", pushed.bytes}});
    return Exit::ok;
  }
  console.line(options.command.empty() ? fmt::format("{}: {} files copied, {}", options.destination, pushed.files, bytes_text(pushed.bytes))
                                       : fmt::format("{}: copied by '{}'", options.destination, options.command));
  return Exit::ok;
}

}  // namespace

Verb repo_push_verb() {
  auto o = std::make_shared<RepoPushOptions>();
  return {.name = "push",
          .summary = "Copy a repository to where it is served from, in an order in which readers always find a whole one",
          .text = "Blobs and targets first, then metadata, timestamp.json last. --with COMMAND is called with a folder and DESTINATION/, several times, and "
                  "copies the folder into there. Without it the destination is a local folder. incoming/ is not copied.",
          .examples = {"berth repo push ./repo /srv/www/releases", "berth repo push ./repo web1:/srv/www/releases --with 'rsync -a'"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder), {"DESTINATION", "a folder, or what the command knows", &o->destination, Completes::folder}},
          .options = {{"--with", "COMMAND", "copies a folder: 'rsync -a', 'scp -r', 'cp -a'", &o->command}},
          .action = [o](Console& console) { return push(console, *o); }};
}

}  // namespace berth::cli
