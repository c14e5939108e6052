#include <memory>

#include <fmt/core.h>

#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/repo_status.h"
#include "cli/verbs.h"
#include "core/publish/verify_repository.h"
#include "core/trust/repository.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string folder, keys;
};

/// Where a key belongs, by how often it is needed and what its thief could do.
constexpr std::pair<const char*, const char*> kKeyAdvice[] = {
    {"root", "move it offline now: it replaces all the others, and is needed again in a year"},
    {"targets", "signs releases: where releases are made, and nowhere else"},
    {"snapshot", "signs with every release, and when 'berth repo refresh' runs"},
    {"timestamp", "the same; a timer has to use it more often than once a week"},
};

fs::path absolute(const fs::path& path) { return fs::absolute(path).lexically_normal(); }

Result<Exit> init(const Console& console, const Options& options) {
  const fs::path folder = absolute(options.folder);
  const fs::path keys = options.keys.empty() ? keys_beside(folder) : absolute(options.keys);
  BERTH_CHECK(trust::init_repository(folder, keys, std::chrono::system_clock::now()));
  const fs::path root = folder / "metadata" / "1.root.json";
  if (console.json) {
    boost::json::array listed;
    for (const auto& [role, advice] : kKeyAdvice)
      listed.push_back({{"role", role}, {"path", (keys / (std::string(role) + ".pem")).string()}, {"offline", std::string_view(role) == "root"}});
    console.document(boost::json::object{{"repository", folder.string()}, {"keys", std::move(listed)}, {"root", root.string()}});
    return Exit::ok;
  }
  console.line(fmt::format("{} is a repository; any web server may serve it. Nodes pin its root: {}", folder.string(), root.string()));
  console.line(fmt::format("Its private keys are in {}, which must not be served:", keys.string()));
  for (const auto& [role, advice] : kKeyAdvice) console.line(fmt::format("  {:<14} {}", std::string(role) + ".pem", advice));
  return Exit::ok;
}

Result<Exit> refresh(const Console& console, const Options& options) {
  const auto now = std::chrono::system_clock::now;
  const fs::path keys = options.keys.empty() ? keys_beside(options.folder) : fs::path(options.keys);
  BERTH_TRY(auto writer, trust::RepositoryWriter::open(options.folder, keys, now));
  BERTH_CHECK(writer.refresh());
  return tell_roles(console, options.folder, writer.state(), now());
}

Result<Exit> status(const Console& console, const Options& options) {
  BERTH_TRY(const auto state, trust::read_repository(options.folder));
  return tell_status(console, options.folder, state, std::chrono::system_clock::now());
}

Result<Exit> verify(const Console& console, const Options& options) {
  BERTH_TRY(const auto found, publish::verify_repository(options.folder, std::chrono::system_clock::now()));
  const Exit exit = found.faults.empty() ? Exit::ok : Exit::trust;
  if (console.json) {
    console.document(boost::json::object{{"releases", found.releases}, {"blobs", found.blobs}, {"bytes", found.bytes},
                                         {"faults", boost::json::array(found.faults.begin(), found.faults.end())}});
    return exit;
  }
  for (const std::string& fault : found.faults) console.line(printable(fault));
  console.line(fmt::format("{}: {} releases and {} blobs read, {}: {}", options.folder, found.releases, found.blobs, bytes_text(found.bytes),
                           found.faults.empty() ? "all is as it was signed" : fmt::format("{} faults", found.faults.size())));
  return exit;
}

}  // namespace

Verb repo_verb() {
  auto o = std::make_shared<Options>();
  const Argument folder{"DIR", "the repository's folder", &o->folder, Completes::folder};
  const auto action = [o](Result<Exit> (*what)(const Console&, const Options&)) { return [o, what](Console& console) { return what(console, *o); }; };
  Verb root{.name = "repo", .summary = "Make and keep a repository", .examples = {"berth repo init ./repo", "berth repo status ./repo"}};
  root.verbs = {
      {.name = "init",
       .summary = "Make a repository and its keys",
       .text = "The keys are new files with mode 0600, beside the repository and never in it.",
       .examples = {"berth repo init ./repo", "berth repo init /srv/releases --keys /media/usb/keys"},
       .exits = {Exit::failed, Exit::permission, Exit::conflict},
       .arguments = {folder},
       .options = {keys_option(o->keys)},
       .action = action(&init)},
      {.name = "status",
       .summary = "Show what a repository holds, and how long its metadata may be believed",
       .text = "Warns when less than a fifth of a lifetime is left, and ends with 4 when one is over: nodes take no release from it then.",
       .examples = {"berth repo status ./repo"},
       .exits = {Exit::failed, Exit::not_found, Exit::trust},
       .arguments = {folder},
       .action = action(&status)},
      {.name = "refresh",
       .summary = "Sign the metadata anew, so that it does not expire",
       .text = "Run it by a timer, once a day. It needs the keys of snapshot and timestamp; with that of targets it renews those as well when half "
               "of their time is over.",
       .examples = {"berth repo refresh ./repo"},
       .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
       .arguments = {folder},
       .options = {keys_option(o->keys)},
       .action = action(&refresh)},
      {.name = "verify",
       .summary = "Read everything a repository holds, and compare it with what is signed",
       .examples = {"berth repo verify ./repo", "berth repo verify ./repo --json"},
       .exits = {Exit::failed, Exit::not_found, Exit::trust},
       .arguments = {folder},
       .action = action(&verify)},
  };
  return root;
}

}  // namespace berth::cli
