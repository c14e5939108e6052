#include "daemon/deploy/deployment_plan.h"

#include <algorithm>

#include "core/files/files.h"
#include "daemon/deploy/app_facts.h"

namespace berth::deploy {
namespace {

namespace fs = std::filesystem;

Result<std::vector<bundle::Entry>> entries_of(const fs::path& slot, const std::string& part, const bundle::LayerRef& layer) {
  BERTH_TRY(const std::string text, files::read(slot / (part + ".index.json"), layer.index.size));
  BERTH_TRY(bundle::LayerIndex index, bundle::parse_index(text, layer));
  return std::move(index.entries);
}

/// Bytes of a file by its path; 0 where it is none.
std::uint64_t size_of(const std::vector<bundle::Entry>& entries, const std::string& path) {
  const auto found = std::ranges::lower_bound(entries, path, {}, &bundle::Entry::path);
  return found != entries.end() && found->path == path && found->type == bundle::EntryType::file ? found->size : 0;
}

/// Where the release has one of that name.
void add_hook(std::vector<DeploymentPlan::Hook>& way, const bundle::Manifest& of, const std::string& hook, bool may_stop) {
  const auto found = of.spec.hooks.find(hook);
  if (found != of.spec.hooks.end()) way.push_back({.hook = hook, .release = of.release, .timeout = found->second.timeout, .may_stop = may_stop});
}

}  // namespace

std::vector<DeploymentPlan::Hook> hooks_on_the_way(const Course& course, const bundle::Manifest& manifest, const bundle::Manifest* old) {
  std::vector<DeploymentPlan::Hook> way;
  const auto add = [&way](const bundle::Manifest& of, const std::string& hook, bool may_stop) { add_hook(way, of, hook, may_stop); };
  const bool after_stop = starts_after_snapshot(course, manifest);
  const auto leave = [&] {
    if (old != nullptr && old->release != manifest.release) add(*old, "pre-stop", false);
  };
  if (course.stop_first) {
    add(manifest, "ready-to-switch", true);
    if (!after_stop) add(manifest, "pre-start", true);
    leave();
    if (after_stop) add(manifest, "pre-start", true);
    add(manifest, "post-start", true);
  } else {
    add(manifest, "pre-start", true);
    add(manifest, "post-start", true);
    add(manifest, "ready-to-switch", true);
    leave();
  }
  add(manifest, "post-switch", false);
  return way;
}

std::vector<DeploymentPlan::Hook> hooks_on_the_way_back(const Course& course, const bundle::Manifest& manifest, const bundle::Manifest* left, bool left_runs) {
  std::vector<DeploymentPlan::Hook> way;
  if (!course.stop_first) add_hook(way, manifest, "post-start", true);
  if (left != nullptr && left_runs) add_hook(way, *left, "pre-stop", false);
  if (left != nullptr) add_hook(way, *left, "on-revert", false);
  if (course.stop_first) add_hook(way, manifest, "post-start", true);
  add_hook(way, manifest, "post-switch", false);
  return way;
}

Result<Trees> trees_of(const fs::path& slot, const bundle::Manifest& manifest, const bundle::BuildRef& build) {
  Trees trees;
  BERTH_TRY(trees.app, entries_of(slot, "app", build.layer));
  BERTH_TRY(trees.config, entries_of(slot, "config", manifest.config));
  return trees;
}

void compare(DeploymentPlan& plan, const bundle::Side& from, const bundle::Side& to) {
  plan.compared = true;
  plan.changes = bundle::difference(from, to);
  for (const bundle::Change& one : plan.changes) {
    if (one.what != "file") continue;
    const bool removed = one.kind == bundle::Change::Kind::removed;
    DeploymentPlan::Count& count = removed ? plan.removed : one.kind == bundle::Change::Kind::added ? plan.added : plan.changed;
    ++count.files;
    count.bytes += size_of(removed ? from.app : to.app, one.name);
  }
}

DeploymentPlan::Count count_files(const std::vector<bundle::Entry>& entries) {
  DeploymentPlan::Count count;
  for (const bundle::Entry& entry : entries) {
    if (entry.type != bundle::EntryType::file) continue;
    ++count.files;
    count.bytes += entry.size;
  }
  return count;
}

}  // namespace berth::deploy
