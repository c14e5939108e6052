#include <memory>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/common.h"
#include "cli/output/text.h"
#include "cli/release_view.h"
#include "cli/verbs.h"
#include "core/bundle/tree.h"
#include "core/publish/build.h"
#include "core/publish/commit.h"

namespace berth::cli {
namespace {

struct InspectOptions {
  std::string release;
  RepositoryLocation repository;
  bool files = false;
};

void print_pair(const Console& console, std::string_view name, const std::string& value) {
  if (!value.empty()) console.line(fmt::format("  {:<14} {}", name, printable(value)));
}

std::string routing_text(const spec::Process& process) {
  switch (process.routing) {
    case spec::Routing::none: return "";
    case spec::Routing::socket: return fmt::format(", socket {}", process.public_port);
    case spec::Routing::port: return fmt::format(", port {}", process.public_port);
  }
  return "";
}

void print_release(const Console& console, const bundle::Manifest& manifest) {
  console.line(fmt::format("{}/{}@{}", manifest.app, manifest.environment, manifest.release));
  print_pair(console, "created", fmt::format("{} by {}", manifest.created, manifest.builder.empty() ? "nobody named" : manifest.builder));
  print_pair(console, "previous", manifest.previous);
  print_pair(console, "commit", publish::is_dirty(manifest.commit) ? manifest.commit + " (with changes that were not committed)" : manifest.commit);
  for (const auto& [platform, build] : manifest.builds) {
    print_pair(console, "build",
               fmt::format("{} {}for {}, {}", build.digest, build.version.empty() ? "" : "(" + build.version + ") ", platform,
                           bytes_text(build.layer.blob.size)));
    for (const bundle::PatchRef& patch : build.patches)
      print_pair(console, "patch", fmt::format("from index {}, {}", publish::short_digest(patch.from), bytes_text(patch.blob.size)));
  }
  print_pair(console, "requires", "berthd " + manifest.requires_berthd);
  for (const auto& [name, process] : manifest.spec.processes) {
    const std::string command = fmt::format("{}", fmt::join(process.command, " "));
    if (process.job)
      print_pair(console, "job", fmt::format("{} {}, at most {}: {}", name, process.job->run == spec::Job::When::hand ? "by hand" : "after each switch",
                                             spec::to_string(process.job->timeout), command));
    else print_pair(console, "process", fmt::format("{} × {}{}: {}", name, process.instances, routing_text(process), command));
  }
  for (const auto& [name, hook] : manifest.spec.hooks)
    print_pair(console, "hook", fmt::format("{}, at most {}: {}", name, spec::to_string(hook.timeout), fmt::join(hook.command, " ")));
  if (manifest.spec.data.snapshot) print_pair(console, "data", "copied before a deployment, and put back by a revert");
  for (const auto& [name, value] : manifest.variables) print_pair(console, "variable", name + "=" + value);
  for (const auto& [name, reference] : manifest.secrets) print_pair(console, "secret", fmt::format("{} from {}", name, reference));
  for (const bundle::Attachment& attachment : manifest.attachments)
    print_pair(console, "attachment", fmt::format("{}, {}, {}", attachment.name, bytes_text(attachment.blob.size), attachment.blob.sha256));
}

void print_files(const Console& console, const std::string& title, const std::vector<bundle::Entry>& entries) {
  console.line(title);
  for (const bundle::Entry& entry : entries) {
    const std::string what = entry.type == bundle::EntryType::symlink ? entry.path + " -> " + entry.target
                                                                      : entry.path + (entry.type == bundle::EntryType::directory ? "/" : "");
    console.line(fmt::format("  {:04o} {:>12} {}", entry.mode, entry.size, printable(what)));
  }
}

/// How much there is of it.
std::string amount_of(const std::vector<bundle::Entry>& entries) {
  return fmt::format("{}, {}", count_text(entries.size(), "path"), bytes_text(bundle::total_size(entries)));
}

/// The first digits of the ids of keys, which tell them apart.
std::string signers_of(const ReleaseView& view) {
  std::string keys;
  for (const std::string& key : view.keys) keys += (keys.empty() ? "" : ", ") + publish::short_digest(key);
  return fmt::format("the role {}{}", view.role, keys.empty() ? "" : ", by " + keys);
}

/// What a reader must know before believing who signed it, a line each.
std::vector<std::string> doubts_of(const ReleaseView& view) {
  std::vector<std::string> doubts;
  if (view.proves_itself)
    doubts.emplace_back("nothing proves who signed it: it was compared with the root in the file itself, and anybody can make one; name a root that you trust: --root FILE");
  if (!view.expired.empty()) doubts.push_back(view.expired + ": a newer state of the repository may know more");
  return doubts;
}

Result<Exit> inspect(const Console& console, const InspectOptions& options) {
  BERTH_TRY(const auto view, view_release(console, "inspect", options.release, options.repository));
  if (console.json) {
    for (const std::string& doubt : doubts_of(view)) console.warn(doubt);
    console.line(bundle::to_canonical_json(view.manifest));
    return Exit::ok;
  }
  print_release(console, view.manifest);
  for (const auto& [platform, entries] : view.files) print_pair(console, "files", fmt::format("{} for {}", amount_of(entries), platform));
  print_pair(console, "configuration", amount_of(view.config));
  if (!view.role.empty()) print_pair(console, "signed for by", signers_of(view));
  for (const std::string& doubt : doubts_of(view)) print_pair(console, "but", doubt);
  if (!options.files) return Exit::ok;
  for (const auto& [platform, entries] : view.files) print_files(console, "files for " + platform, entries);
  print_files(console, "configuration", view.config);
  return Exit::ok;
}

}  // namespace

Verb inspect_verb() {
  auto o = std::make_shared<InspectOptions>();
  std::vector<Option> options = location_options(o->repository, "the repository's folder or URL (default: what is on this node is read)");
  options.push_back({"--files", "", "list the files of its layers, too", &o->files});
  return {
      .name = "inspect",
      .summary = "Show what a release consists of",
      .text =
          "Build, commit, processes, variables, references to secrets, files and sizes, attachments. It is a release on this node, in a file that "
          "'berth export' made or, with --repo, in a repository; the latter are read as a node reads them. It says who signed for it, a role and its keys; of a release on this "
          "node as berthd found it when it took it. A file alone proves only that it is of a piece, which it says: --root FILE names a root that you trust. It says so, too, where metadata has expired. With --json it is the signed manifest itself.",
      .examples = {"berth inspect web@v3", "berth inspect web-v3.berth", "berth inspect web/production@v3 --repo ./repo",
                   "berth inspect web/production@v3 --repo ./repo --files # every path, too"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::trust}),
      .arguments = {{"APP[/ENV]@RELEASE|FILE", "the release, or a release file", &o->release, Completes::release}},
      .options = std::move(options),
      .action = [o](Console& console) { return inspect(console, *o); },
  };
}

}  // namespace berth::cli
