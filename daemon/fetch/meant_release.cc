#include "daemon/fetch/meant_release.h"

#include <fmt/core.h>

#include "core/bundle/channel.h"
#include "core/bundle/manifest.h"
#include "core/ids.h"

namespace berth::fetch {

std::string meant(trust::Client& client, const Repository::Listed& wanted) {
  const auto is_there = [&client](const std::string& name) { return client.find(name).has_value(); };
  if (is_name(wanted.release) && is_there(bundle::channel_target(wanted.app, wanted.environment, wanted.release)))
    return fmt::format(" ('{}' is a channel, which [[follow]] of berthd.toml follows; name the release that it points to)", wanted.release);
  if (const std::string id = "v" + wanted.release; is_release_id(id) && is_there(bundle::target_name(wanted.app, wanted.environment, id)))
    return fmt::format(" (did you mean {}@{}?)", wanted.app, id);
  return {};
}

}  // namespace berth::fetch
