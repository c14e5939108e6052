#include <set>

#include "daemon/deploy/engine.h"

namespace berth::deploy {
namespace {

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// What is not to go of an app.
struct InUse {
  std::vector<std::string> releases;
  std::vector<std::int64_t> deployments;  ///< whose copies of data are needed
};

InUse in_use_of(const App& app) {
  InUse used{.releases = releases_in_use(app), .deployments = {}};
  std::vector<RunPtr> runs(app.queue.begin(), app.queue.end());
  if (app.run) runs.push_back(app.run);
  runs.insert(runs.end(), app.giving_way.begin(), app.giving_way.end());
  for (const RunPtr& run : runs) {
    used.releases.insert(used.releases.end(), {run->row.release, run->row.from});
    if (is_terminal(run->position.state)) continue;  // it only tidies up
    used.deployments.push_back(run->row.id);
    // A revert's copy has the number of the deployment that made it.
    const auto* puts_back = run->row.detail.if_contains("puts_back_of");
    if (puts_back != nullptr && puts_back->is_int64()) used.deployments.push_back(puts_back->get_int64());
  }
  return used;
}

/// Of one app. Blocking.
Result<Collected> collect_of(store::Store& store, const std::string& app, const InUse& used, const store::Keep& keep, bool dry_run) {
  Collected collected;
  BERTH_TRY(collected.slots, store.collect(app, used.releases, keep, dry_run));
  if (!dry_run) {
    BERTH_TRY(collected.imports, store.drop_imports(app, used.releases, true));
    BERTH_TRY(collected.data, store.collect_data(app, used.deployments, true));
    return collected;
  }
  const std::vector<std::string> gone = releases_of(collected.slots, true);
  BERTH_TRY(collected.imports, store.needless_imports(app, used.releases, true, gone));
  BERTH_TRY(collected.data, store.needless_data(app, used.deployments, true, gone));
  return collected;
}

/// What was loaded for apps that are not among `known`. Blocking.
Result<std::vector<store::Import>> imports_of_strangers(store::Store& store, const std::set<std::string>& known, bool dry_run) {
  std::set<std::string> strangers;
  for (const store::Import& import : store.imports({}))
    if (!known.contains(import.app)) strangers.insert(import.app);
  std::vector<store::Import> dropped;
  for (const std::string& app : strangers) {
    BERTH_TRY(const auto of_app, dry_run ? store.needless_imports(app, {}, true) : store.drop_imports(app, {}, true));
    append(dropped, of_app);
  }
  return dropped;
}

bool is_any(const Collected& collected) {
  return !releases_of(collected.slots, true).empty() || !collected.data.empty() || !collected.imports.empty() || collected.partial_blobs > 0;
}

}  // namespace

std::vector<std::string> releases_of(const std::vector<store::SlotFate>& fates, bool that_go) {
  std::vector<std::string> releases;
  for (const store::SlotFate& fate : fates)
    if (fate.goes == that_go) releases.push_back(fate.slot.release);
  return releases;
}

void forget_manifests(App& app, const std::vector<store::SlotFate>& fates) {
  for (const std::string& release : releases_of(fates, true))
    if (release != app.row.active) app.manifests.erase(release);  // it may have come again meanwhile
}

awaitable<Result<Collected>> Engine::collect(std::string name, bool dry_run, Asked asked) {
  std::vector<AppPtr> chosen;
  if (name.empty()) {
    for (const auto& [each, app] : node_.apps) chosen.push_back(app);
  } else {
    const auto app = node_.known(name);
    if (!app) co_return std::unexpected(app.error());
    chosen.push_back(*app);
  }
  if (!dry_run) {
    // Who asks for it is written down first: a berthd that ends in the middle would never tell.
    auto planned = co_await collect(name, true, asked);
    if (!planned) co_return planned;
    const boost::json::object data{{"slots", releases_of(planned->slots, true).size()}, {"data", planned->data.size()}, {"imports", planned->imports.size()}, {"partial", planned->partial_blobs}};
    const store::Event event = operator_event("gc", name, asked, data);
    if (is_any(*planned)) {
      if (auto written = co_await node_.write_down(event); !written) co_return std::unexpected(written.error());
    }
  }
  Collected all;
  for (const AppPtr& app : chosen) {
    const auto collect = [this, each = app->name(), used = in_use_of(*app), dry_run] { return collect_of(node_.store, each, used, node_.options.keep, dry_run); };
    const auto collected = co_await node_.pool.run(collect);
    if (!collected && !dry_run) remove_rests_later();
    if (!collected) co_return std::unexpected(collected.error());
    if (!dry_run) forget_manifests(*app, collected->slots);
    append(all.slots, collected->slots);
    append(all.data, collected->data);
    append(all.imports, collected->imports);
  }
  if (name.empty()) {
    std::set<std::string> others;  // that are not to lose what was loaded for them
    for (const auto* known : {&node_.apps, &node_.newcomers})
      for (const auto& [each, app] : *known) others.insert(each);
    const auto drop = [this, others, dry_run] { return imports_of_strangers(node_.store, others, dry_run); };
    const auto dropped = co_await node_.pool.run(drop);
    if (!dropped) co_return std::unexpected(dropped.error());
    append(all.imports, *dropped);
  }
  if (name.empty() && node_.repository != nullptr) {
    const auto clear = [this, dry_run] { return dry_run ? node_.repository->partial_blobs().clearable() : node_.repository->partial_blobs().clear(); };
    const fetch::PartialBlobs::Removed cleared = co_await node_.pool.run(clear);
    all.partial_blobs = cleared.blobs;
    all.partial_bytes = cleared.bytes;
  }
  co_return all;
}

}  // namespace berth::deploy
