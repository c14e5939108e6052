#include <memory>

#include <fmt/core.h>

#include "cli/common.h"
#include "cli/output/text.h"
#include "cli/release_view.h"
#include "cli/verbs.h"
#include "core/bundle/difference.h"

namespace berth::cli {
namespace {

using bundle::Change;

struct DiffOptions {
  std::string from, to;
  RepositoryLocation repository;
};

constexpr std::string_view kKinds[] = {"added", "removed", "changed"};
constexpr std::string_view kMarks = "+-~";

/// A platform that both have: what this machine runs, else the first one.
Result<std::string> platform_of(const ReleaseView& from, const ReleaseView& to) {
  if (from.files.contains(bundle::this_platform()) && to.files.contains(bundle::this_platform())) return bundle::this_platform();
  for (const auto& [platform, entries] : from.files)
    if (to.files.contains(platform)) return platform;
  return fail(Errc::usage, fmt::format("{} and {} have no platform in common", name_of(from.manifest), name_of(to.manifest)));
}

void print_change(const Console& console, const Change& change) {
  std::string line = fmt::format("{} {}", kMarks[static_cast<std::size_t>(change.kind)], change.what);
  if (!change.name.empty()) line += " " + change.name;
  if (change.kind == Change::Kind::changed) line += fmt::format(": {} -> {}", change.before, change.after);
  else line += ": " + (change.kind == Change::Kind::added ? change.after : change.before);
  console.line(printable(line));
}

Result<Exit> diff(const Console& console, const DiffOptions& options) {
  BERTH_TRY(const auto from, view_release(console, "diff", options.from, options.repository));
  BERTH_TRY(const auto to, view_release(console, "diff", options.to, options.repository));
  BERTH_TRY(const std::string platform, platform_of(from, to));
  const auto changes = bundle::difference(
      {.manifest = from.manifest, .build = from.manifest.builds.at(platform), .app = from.files.at(platform), .config = from.config},
      {.manifest = to.manifest, .build = to.manifest.builds.at(platform), .app = to.files.at(platform), .config = to.config});
  if (console.json) {
    json::array list;
    for (const Change& one : changes)
      list.push_back(json::object{{"kind", kKinds[static_cast<std::size_t>(one.kind)]}, {"what", one.what}, {"name", one.name}, {"before", one.before}, {"after", one.after}});
    console.document(json::object{{"from", name_of(from.manifest)}, {"to", name_of(to.manifest)}, {"platform", platform}, {"changes", std::move(list)}});
    return Exit::ok;
  }
  for (const Change& change : changes) print_change(console, change);
  if (changes.empty()) console.note(fmt::format("{} and {} have the same files, configuration and spec.", name_of(from.manifest), name_of(to.manifest)));
  return Exit::ok;
}

}  // namespace

Verb diff_verb() {
  auto o = std::make_shared<DiffOptions>();
  return {
      .name = "diff",
      .summary = "Show what two releases do not have alike",
      .text = "Files, configuration, variables, references to secrets, the app spec and where the build came from. Without --repo both are releases on this node, or release files.",
      .examples = {"berth diff web@v41 web@v42", "berth diff web/qa@v7 web/production@v42 --repo ./repo"},
      .exits = with_daemon_exits({Exit::failed, Exit::not_found, Exit::trust}),
      .arguments = {{"FROM", "a release, APP@RELEASE or APP/ENV@RELEASE, or a release file", &o->from, Completes::release}, {"TO", "the other one", &o->to, Completes::release}},
      .options = location_options(o->repository, "the repository's folder or URL (default: what is on this node is read)"),
      .action = [o](Console& console) { return diff(console, *o); },
  };
}

}  // namespace berth::cli
