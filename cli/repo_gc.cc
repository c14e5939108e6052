#include <memory>

#include <boost/json/array.hpp>
#include <fmt/core.h>

#include "cli/common.h"
#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/repo.h"
#include "core/publish/collect.h"

namespace berth::cli {
namespace {

struct RepoGcOptions {
  std::string folder, grace;
  SigningOptions turn;  ///< of which it has --wait alone: it signs nothing
  std::optional<std::int64_t> keep;
  bool dry_run = false;
};

Result<Exit> gc(const Console& console, const RepoGcOptions& options) {
  publish::CollectOptions how{.dry_run = options.dry_run};
  if (options.keep) how.keep_metadata = *options.keep;
  BERTH_TRY(const auto grace, duration_argument(options.grace, "--grace"));
  if (grace) how.grace = std::chrono::ceil<std::chrono::seconds>(*grace);
  BERTH_TRY(const auto repository, publisher_repository("repo gc", options.folder, options.turn));
  BERTH_TRY(const auto done, publish::collect_repository(repository, how));
  if (console.json) {
    console.document(boost::json::object{{"files", boost::json::array(done.files.begin(), done.files.end())}, {"bytes", done.bytes},
                                         {"removed", !options.dry_run}});
    return Exit::ok;
  }
  for (const std::string& file : done.files) console.note(printable(file));
  console.line(fmt::format("{}: {}, {} {}", options.folder, count_text(done.files.size(), "file"), bytes_text(done.bytes),
                           options.dry_run ? "would be removed" : "removed"));
  return Exit::ok;
}

}  // namespace

Verb repo_gc_verb() {
  auto o = std::make_shared<RepoGcOptions>();
  return {.name = "gc",
          .summary = "Remove what nothing lists any more from a repository",
          .text = "Blobs and targets that no release needs, and old versions of metadata. What a listed release or one that waits needs always stays.",
          .examples = {"berth repo gc ./repo --dry-run", "berth repo gc ./repo --keep 3 --grace 1h"},
          .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
          .arguments = {repository_argument(o->folder)},
          .options = {{"--dry-run", "", "only show what would be removed", &o->dry_run},
                      {"--keep", "N", "versions of each role's metadata that stay (default: 10)", &o->keep},
                      {"--grace", "DURATION", "what was written within it stays (default: 24h)", &o->grace},
                      wait_option(o->turn.wait)},
          .action = [o](Console& console) { return gc(console, *o); }};
}

}  // namespace berth::cli
