#include "core/publish/channels.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/publish/contents.h"
#include "core/publish/publisher.h"

namespace berth::publish {
namespace {

Result<bundle::Channel> read_channel(const Folders& folders, const trust::Target& target) {
  BERTH_TRY(const std::string bytes, read_target(folders, target));
  auto channel = bundle::parse_channel(bytes);
  if (!channel) return pass(channel.error(), target.name);
  return channel;
}

}  // namespace

Result<SetChannel> set_channel(const Repository& repository, const std::string& name, const ReleaseRef& release) {
  if (!is_name(name))
    return fail(Errc::usage, fmt::format("channel '{}': must be a lower-case letter, then at most 30 of a-z, 0-9 and -", name));
  BERTH_TRY(auto publisher, Publisher::open(repository, release.app, release.environment));
  const auto& targets = publisher.state().targets;
  const auto find = [&](const std::string& target) { return std::ranges::find(targets, target, &trust::Target::name); };
  if (find(bundle::target_name(release.app, release.environment, release.release)) == targets.end())
    return no_such_release(repository.folder, publisher.state(), release);

  SetChannel set{.channel = {.app = release.app, .environment = release.environment, .channel = name, .release = release.release, .serial = 1}};
  const std::string target = bundle::channel_target(release.app, release.environment, name);
  if (const auto held = find(target); held != targets.end()) {
    BERTH_TRY(const bundle::Channel before, read_channel(publisher.folders(), *held));
    set.before = before.release;
    set.channel.serial = before.release == release.release ? before.serial : before.serial + 1;
  }
  if (set.before == release.release) return set;
  BERTH_CHECK(publisher.add_targets({}, {{target, bundle::to_canonical_json(set.channel)}}));
  set.handed_in = publisher.handed_in();
  set.missing_signatures = publisher.missing_signatures();
  return set;
}

Result<std::vector<bundle::Channel>> list_channels(const fs::path& repository, const std::string& app) {
  BERTH_TRY(const auto state, trust::read_repository(repository));
  std::vector<bundle::Channel> channels;
  for (const trust::Target& target : state.targets) {
    const auto named = bundle::channel_of(target.name);
    if (!named || (!app.empty() && named->app != app)) continue;
    BERTH_TRY(bundle::Channel channel, read_channel({repository}, target));
    channels.push_back(std::move(channel));
  }
  return channels;
}

}  // namespace berth::publish
