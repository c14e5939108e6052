#include "daemon/fetch/channel_floor.h"

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::fetch {
namespace {

std::string name_of_channel(const bundle::Channel& channel) {
  return fmt::format("channel {} of {}/{}", channel.channel, channel.app, channel.environment);
}

}  // namespace

// None of the three has a dot in it, so that no two channels have one file.
std::filesystem::path ChannelFloor::file(const bundle::Channel& channel) const {
  return folder_ / fmt::format("{}.{}.{}.json", channel.app, channel.environment, channel.channel);
}

Result<std::optional<bundle::Channel>> ChannelFloor::last(const std::string& app, const std::string& environment, const std::string& channel) const {
  const bundle::Channel asked{.app = app, .environment = environment, .channel = channel};
  const auto path = file(asked);
  const auto text = files::read(path, bundle::kLargestChannel);
  if (!text && text.error().code == Errc::not_found) return std::nullopt;
  if (!text && text.error().code != Errc::protocol) return std::unexpected(text.error());
  auto kept = text ? bundle::parse_channel(*text) : Result<bundle::Channel>(std::unexpected(text.error()));
  if (kept && file(*kept) == path) return std::optional(std::move(*kept));
  return fail(Errc::trust,
              fmt::format("{}: what this node has seen of it cannot be made out ({}: {}), so that an old one could not be told from a new one; put "
                          "the file back, or remove it when you know that the repository is right",
                          name_of_channel(asked), path.string(), kept ? "it is of another channel" : kept.error().message));
}

Result<void> ChannelFloor::take(const bundle::Channel& channel) const {
  BERTH_TRY(const auto seen, last(channel.app, channel.environment, channel.channel));
  if (seen && *seen == channel) return {};
  if (seen && channel.serial < seen->serial) {
    return fail(Errc::trust, fmt::format("{} is an old one that was played back: its serial is {} ({}), and this node has seen {} ({}); a serial never falls. "
                                         "Set the channel anew, until its serial is higher, when you know how the old one came back",
                                         name_of_channel(channel), channel.serial, channel.release, seen->serial, seen->release));
  }
  if (seen && channel.serial == seen->serial) {
    return fail(Errc::trust,
                fmt::format("{} says two things under one serial, {}: {} now, and {} when this node saw it before; each move has a serial of its own",
                            name_of_channel(channel), channel.serial, channel.release, seen->release));
  }
  BERTH_CHECK(files::make_directories(folder_, 0755));
  return files::replace(file(channel), bundle::to_canonical_json(channel));
}

}  // namespace berth::fetch
