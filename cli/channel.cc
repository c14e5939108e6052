#include <memory>

#include <boost/json/array.hpp>
#include <fmt/core.h>

#include "cli/common.h"
#include "cli/output/table.h"
#include "cli/parse.h"
#include "cli/publishing.h"
#include "cli/verbs.h"
#include "core/publish/channels.h"

namespace berth::cli {
namespace {

struct ChannelOptions {
  std::string channel, release, app, repository, incoming;
  SigningOptions signing;
};

boost::json::object channel_json(const bundle::Channel& channel) {
  return {{"app", channel.app},         {"environment", channel.environment}, {"channel", channel.channel},
          {"release", channel.release}, {"serial", channel.serial}};
}

/// That nothing follows a channel yet that somebody may have misspelt, and which channels there are.
std::string new_channel_text(const ChannelOptions& options, const ReleaseRef& ref) {
  std::vector<std::string> others;
  if (const auto channels = publish::list_channels(options.repository, ref.app))
    for (const bundle::Channel& one : *channels)
      if (one.environment == ref.environment && one.channel != options.channel) others.push_back(one.channel);
  if (others.empty()) return fmt::format("It is a new channel, the first of {}/{}", ref.app, ref.environment);
  return fmt::format("It is a new channel; {}/{} has {}{}", ref.app, ref.environment, joined(others), did_you_mean(options.channel, others));
}

Result<Exit> set(const Console& console, const ChannelOptions& options) {
  BERTH_TRY(const auto ref, release_argument(options.release, "channel set"));
  if (ref.environment.empty())
    return fail(Errc::usage, fmt::format("berth channel set: say of which environment, as in {}/production@{}", ref.app, ref.release));
  BERTH_TRY(const auto repository, publisher_repository("channel set", options.repository, options.signing, options.incoming));
  BERTH_TRY(const auto done, publish::set_channel(repository, options.channel, ref));
  if (console.json) {
    auto told = channel_json(done.channel);
    told["before"] = done.before;
    if (!done.handed_in.empty()) {
      told["handed_in"] = done.handed_in.string();
      told["missing_signatures"] = done.missing_signatures;
    }
    console.document(told);
    return Exit::ok;
  }
  const std::string name = fmt::format("{}/{} {}", ref.app, ref.environment, options.channel);
  if (done.before == ref.release) {
    console.line(fmt::format("{} points to {} already", name, ref.release));
    return Exit::ok;
  }
  console.line(fmt::format("{}: {}{}", name, done.before.empty() ? "" : done.before + " → ", ref.release));
  if (done.before.empty()) console.note(new_channel_text(options, ref));
  if (!done.handed_in.empty()) console.note(next_step(done.handed_in, done.missing_signatures, options.repository));
  return Exit::ok;
}

Result<Exit> list(const Console& console, const ChannelOptions& options) {
  if (options.repository.empty()) return fail(Errc::usage, "berth channel list: say in which repository: --repo DIR");
  BERTH_TRY(const auto channels, publish::list_channels(options.repository, options.app));
  if (console.json) {
    boost::json::array all;
    for (const bundle::Channel& channel : channels) all.push_back(channel_json(channel));
    console.document(boost::json::object{{"channels", std::move(all)}});
    return Exit::ok;
  }
  Table table({"APP/ENVIRONMENT", "CHANNEL", "RELEASE", "SERIAL"});
  for (const bundle::Channel& channel : channels)
    table.row({channel.app + "/" + channel.environment, channel.channel, channel.release, std::to_string(channel.serial)});
  console.print(table.empty() ? "" : table.render(console.colour, console.room()));
  const std::string whose = options.app.empty() ? "there is no channel" : options.app + " has no channel";
  if (table.empty())
    console.note(fmt::format("{} in {}; make one: berth channel set stable {}/ENV@RELEASE --repo DIR", whose, options.repository,
                             options.app.empty() ? "APP" : options.app));
  return Exit::ok;
}

}  // namespace

Verb channel_verb() {
  auto o = std::make_shared<ChannelOptions>();
  Verb root{.name = "channel", .summary = "Point channels such as stable or canary to releases",
            .examples = {"berth channel set stable web/production@v42 --repo ./repo", "berth channel list --repo ./repo"}};
  root.verbs = {
      {.name = "set",
       .summary = "Point a channel to a release, and sign that",
       .text = "Forward or back: each move has a higher serial, so that an old one cannot be played back. Signed as a release is, by the targets key or by "
               "the role that the app is delegated to.",
       .examples = {"berth channel set stable web/production@v42 --repo ./repo",
                    "berth channel set canary web/production@v43 --repo ./repo --key ci-web.pem # then: berth repo accept ./repo"},
       .exits = {Exit::failed, Exit::not_found, Exit::trust, Exit::permission, Exit::conflict},
       .arguments = {{"CHANNEL", "its name", &o->channel, Completes::channel}, {"APP/ENV@RELEASE", "where it points", &o->release, Completes::release_of_environment}},
       .options = with_signing({repository_option(o->repository), incoming_option(o->incoming), wait_option(o->signing.wait)}, o->signing),
       .action = [o](Console& console) { return set(console, *o); }},
      {.name = "list",
       .summary = "List the channels of a repository",
       .examples = {"berth channel list --repo ./repo", "berth channel list web --repo ./repo"},
       .exits = {Exit::failed, Exit::not_found, Exit::trust},
       .arguments = {{"APP", "of this app only", &o->app, Completes::app, false}},
       .options = {repository_option(o->repository)},
       .action = [o](Console& console) { return list(console, *o); }},
  };
  return root;
}

}  // namespace berth::cli
