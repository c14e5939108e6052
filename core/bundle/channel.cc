#include "core/bundle/channel.h"

#include <array>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/json/json.h"

namespace berth::bundle {
namespace {

constexpr int kChannelFormat = 1;
constexpr std::string_view kEnding = ".json";

}  // namespace

std::string to_canonical_json(const Channel& channel) {
  const json::object members{{"app", channel.app},         {"channel", channel.channel}, {"environment", channel.environment},
                             {"format", kChannelFormat},          {"release", channel.release}, {"serial", channel.serial}};
  return *json::canonical(members);  // no floats
}

Result<Channel> parse_channel(std::string_view text) {
  const auto parsed = json::parse(text, {.most_bytes = kLargestChannel, .most_depth = 4});
  if (!parsed) return fail(Errc::trust, "channel: " + parsed.error().message);
  json::ObjectReader reader(*parsed, "channel");
  reader.integer("format", kChannelFormat, kChannelFormat);
  Channel channel{.app = reader.string("app"),
                  .environment = reader.string("environment"),
                  .channel = reader.string("channel"),
                  .release = reader.string("release"),
                  .serial = reader.integer("serial", 1)};
  BERTH_CHECK(reader.done());
  for (const std::string* name : {&channel.app, &channel.environment, &channel.channel})
    if (!is_name(*name)) return fail(Errc::trust, fmt::format("channel: '{}' is no name", *name));
  if (!is_release_id(channel.release)) return fail(Errc::trust, fmt::format("channel: '{}' is no release id", channel.release));
  if (to_canonical_json(channel) != text) return fail(Errc::trust, "channel: is not in canonical form");
  return channel;
}

std::string channel_target(std::string_view app, std::string_view environment, std::string_view channel) {
  return fmt::format("{}/{}/channels/{}.json", app, environment, channel);
}

std::optional<Channel> channel_of(std::string_view target) {
  std::array<std::string_view, 4> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto slash = target.find('/');
    if ((slash == std::string_view::npos) != (i + 1 == parts.size())) return std::nullopt;
    parts[i] = target.substr(0, slash);
    if (slash != std::string_view::npos) target.remove_prefix(slash + 1);
  }
  if (parts[2] != "channels" || !parts[3].ends_with(kEnding)) return std::nullopt;
  const auto name = parts[3].substr(0, parts[3].size() - kEnding.size());
  if (!is_name(parts[0]) || !is_name(parts[1]) || !is_name(name)) return std::nullopt;
  return Channel{.app = std::string(parts[0]), .environment = std::string(parts[1]), .channel = std::string(name)};
}

}  // namespace berth::bundle
