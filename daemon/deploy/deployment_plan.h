#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bundle/difference.h"
#include "core/bundle/manifest.h"
#include "core/exit_code.h"
#include "core/result.h"
#include "daemon/deploy/machine.h"
#include "daemon/store/store.h"

namespace berth::deploy {

/// What a deployment, or a revert by hand, would do, as `docs/api.md` shows it. Where it would be refused early, there is less of it.
struct DeploymentPlan {
  /// What a deployment that was asked for now would not go by: it ends in that.
  struct Refusal {
    Error error;
    Exit exit = Exit::failed;
  };
  /// A deployment of the app that has not ended.
  struct Other {
    std::int64_t id = 0;
    std::string release, state;
    bool gives_way = false;  ///< else this one waits for its end
  };
  struct Count {
    std::uint64_t files = 0, bytes = 0;
  };
  struct Blob {
    std::string part, kind, from, sha256;  ///< see fetch::StagePlan
    std::uint64_t bytes = 0;
  };
  struct Port {
    std::string process;
    std::uint16_t port = 0;
    spec::Routing routing = spec::Routing::none;
  };
  struct Hook {
    std::string hook, release;
    std::chrono::milliseconds timeout{0};
    bool may_stop = false;  ///< its failure ends the deployment; else it is noted
  };

  bool is_revert = false;
  std::string app, release, from;  ///< `from`: what is active; empty: nothing
  bool already = false;            ///< it is active: nothing would be done
  std::optional<Other> same;       ///< a deployment of this very release is under way: nothing new would begin
  std::vector<Other> others;       ///< those of other releases
  std::vector<Refusal> refusals;   ///< the first is what the deployment would end in
  bool forcible = false;           ///< the first is one that `--force` goes by
  std::vector<std::string> notes;

  std::shared_ptr<const bundle::Manifest> manifest;  ///< of the release; null where it could not be had
  std::string platform;
  std::string digest, version, from_digest, from_version;  ///< of the builds
  std::string source;                                      ///< "node", "file" or "repository"
  Count tree;                                              ///< all files of the build
  bool compared = false;                                   ///< with what is active
  std::vector<bundle::Change> changes;
  Count added, changed, removed;                           ///< files of the build

  std::vector<Blob> fetched;
  std::uint64_t disk_needed = 0, disk_free = 0, disk_reserve = 0;

  Course course;                          ///< how the release takes over
  bool goes_on = false;                   ///< it runs already: none of its instances is started or stopped
  std::map<std::string, int> instances, instances_before;  ///< by process
  std::vector<Port> ports;
  std::vector<Hook> hooks;                ///< that would run, in their order
  std::vector<std::string> ended_jobs;    ///< of the release that is left, which run now and would be ended
  std::string snapshot;                   ///< how the data would be copied: "subvolume", "reflink", "copy"; empty: not at all
  std::uint64_t data_bytes = 0;           ///< that would be copied by "copy"
  std::optional<store::DataCopy> puts_back;  ///< of a revert: the copy that would take the place of the data
  bool keeps_data = false;                ///< of a revert: there is such a copy, and it would be left where it is
  std::string migrated;                   ///< of a revert: "web@v3", whose hook may have changed the data, which stay as they are; empty: none

  std::uint64_t fetched_bytes() const {
    std::uint64_t bytes = 0;
    for (const Blob& one : fetched) bytes += one.bytes;
    return bytes;
  }
  void refuse(Error error, Exit exit) { refusals.push_back({std::move(error), exit}); }
};
using PlanPtr = std::shared_ptr<DeploymentPlan>;

/// The hooks of a deployment that ends well, in the order in which it comes by them. `old`: the release that is left while something of it runs, or null. Pure.
std::vector<DeploymentPlan::Hook> hooks_on_the_way(const Course& course, const bundle::Manifest& manifest, const bundle::Manifest* old);

/// The same of a revert by hand, which asks and migrates nothing. `left`: the release that is left, or null; `left_runs`: something of it does. Pure.
std::vector<DeploymentPlan::Hook> hooks_on_the_way_back(const Course& course, const bundle::Manifest& manifest, const bundle::Manifest* left, bool left_runs);

/// The trees of a sealed slot's build and configuration, as they are signed for.
struct Trees {
  std::vector<bundle::Entry> app, config;
};
Result<Trees> trees_of(const std::filesystem::path& slot, const bundle::Manifest& manifest, const bundle::BuildRef& build);

/// Puts the differences into the plan, and counts those of files. Pure.
void compare(DeploymentPlan& plan, const bundle::Side& from, const bundle::Side& to);
DeploymentPlan::Count count_files(const std::vector<bundle::Entry>& entries);

}  // namespace berth::deploy
