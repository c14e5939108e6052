#include <memory>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "cli/common.h"
#include "cli/output/text.h"
#include "cli/publishing.h"
#include "cli/verbs.h"
#include "core/bundle/layer.h"
#include "core/files/files.h"
#include "core/publish/blob_folder.h"
#include "core/publish/contents.h"

namespace berth::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string release, repository;
  bool files = false;
};

/// A layer's index, as the manifest names it.
Result<bundle::LayerIndex> read_index(const fs::path& repository, const bundle::LayerRef& layer) {
  const fs::path file = publish::BlobFolder(repository).path_of(layer.index.sha256);
  BERTH_TRY(const std::string text, files::read(file, layer.index.size));
  if (publish::blob_of(text) != layer.index)
    return fail(Errc::trust, fmt::format("{}: is damaged; 'berth repo verify {}' tells more", file.string(), repository.string()));
  return bundle::parse_index(text, layer);
}

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
  print_pair(console, "commit", manifest.commit);
  for (const auto& [platform, build] : manifest.builds)
    print_pair(console, "build",
               fmt::format("{} {}for {}, {}", build.digest, build.version.empty() ? "" : "(" + build.version + ") ", platform,
                           bytes_text(build.layer.blob.size)));
  print_pair(console, "requires", "berthd " + manifest.requires_berthd);
  for (const auto& [name, process] : manifest.spec.processes)
    print_pair(console, "process", fmt::format("{} × {}{}: {}", name, process.instances, routing_text(process), fmt::join(process.command, " ")));
  for (const auto& [name, value] : manifest.variables) print_pair(console, "variable", name + "=" + value);
  for (const auto& [name, reference] : manifest.secrets) print_pair(console, "secret", fmt::format("{} from {}", name, reference));
  for (const bundle::Attachment& attachment : manifest.attachments)
    print_pair(console, "attachment", fmt::format("{} {}", attachment.name, attachment.blob.sha256));
}

Result<void> print_files(const Console& console, const fs::path& repository, const std::string& title, const bundle::LayerRef& layer) {
  BERTH_TRY(const auto index, read_index(repository, layer));
  console.line(title);
  for (const bundle::Entry& entry : index.entries) {
    const std::string what = entry.type == bundle::EntryType::symlink ? entry.path + " -> " + entry.target
                                                                      : entry.path + (entry.type == bundle::EntryType::directory ? "/" : "");
    console.line(fmt::format("  {:04o} {:>12} {}", entry.mode, entry.size, printable(what)));
  }
  return {};
}

Result<Exit> inspect(const Console& console, const Options& options) {
  BERTH_TRY(const auto ref, release_argument(options.release, "inspect"));
  if (ref.environment.empty())
    return fail(Errc::usage, fmt::format("berth inspect: say of which environment, as in {}/production@{}", ref.app, ref.release));
  if (options.repository.empty()) return fail(Errc::usage, "berth inspect: say in which repository: --repo DIR");
  BERTH_TRY(const auto manifest, publish::find_release(options.repository, ref));
  if (console.json) {
    console.line(bundle::to_canonical_json(manifest));
    return Exit::ok;
  }
  print_release(console, manifest);
  if (!options.files) return Exit::ok;
  for (const auto& [platform, build] : manifest.builds) BERTH_CHECK(print_files(console, options.repository, "files for " + platform, build.layer));
  BERTH_CHECK(print_files(console, options.repository, "configuration", manifest.config));
  return Exit::ok;
}

}  // namespace

Verb inspect_verb() {
  auto o = std::make_shared<Options>();
  return {
      .name = "inspect",
      .summary = "Show what a release in a repository consists of",
      .text = "With --json it is the signed manifest itself.",
      .examples = {"berth inspect web/production@v3 --repo ./repo", "berth inspect web/production@v3 --repo ./repo --files # every path, too"},
      .exits = {Exit::failed, Exit::not_found, Exit::trust},
      .arguments = {{"APP/ENV@RELEASE", "the release", &o->release, Completes::release}},
      .options = {repository_option(o->repository), {"--files", "", "list the files of its layers, too", &o->files}},
      .action = [o](Console& console) { return inspect(console, *o); },
  };
}

}  // namespace berth::cli
