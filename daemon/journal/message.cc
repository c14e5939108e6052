#include "daemon/journal/message.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/core.h>
#include <spdlog/spdlog.h>

namespace berth::journal {
namespace {

constexpr Known kMessages[] = {
    {Message::deployment_active, "deployment_active", "d5b17742c7e7445ca2399f3f66a7717d"},
    {Message::deployment_failed, "deployment_failed", "5fff1887d7384a97986a51aa2ab359ff"},
    {Message::deployment_reverted, "deployment_reverted", "4bc81992b24748f2bd53691bad2613a6"},
    {Message::deployment_interrupted, "deployment_interrupted", "d5f52bfd268f454dbe00431de5cd55c2"},
    {Message::crash_loop, "crash_loop", "710cbd9fafa5436884f247b449f27467"},
    {Message::instance_unready, "instance_unready", "8e8411a0f10e4d1f810614a7c7ac5671"},
    {Message::keeper_lost, "keeper_lost", "e541b086f70e410d86bd83cc33b73e0d"},
    {Message::keeper_taken_over, "keeper_taken_over", "92bea3e15d58491da8333d8bd2ee1e22"},
    {Message::release_drifted, "release_drifted", "4c2d80ad32e54fa190f5297be4a42412"},
    {Message::config_refused, "config_refused", "73b71f74e5d94a9b89f0504ce5d57613"},
    {Message::events_changed, "events_changed", "e80a73122f0b4799a4b76ab4e58237f9"},
    {Message::disk_low, "disk_low", "be986208d4a643d9a9606d5c3f602465"},
    {Message::metadata_expires, "metadata_expires", "75b3e1082b2347c394789886741c8313"},
    {Message::metadata_expired, "metadata_expired", "bc05a4141b94461b9fe9306e02de5f11"},
    {Message::certificate_ends, "certificate_ends", "53d57bfe14c94b128965273bc08fac85"},
    {Message::follow_failing, "follow_failing", "55f33961fa29491096e35e678a1db720"},
    {Message::sink_failing, "sink_failing", "7b1e3ed5e4bd478aab13c6e524df5b2b"},
    {Message::logs_lost, "logs_lost", "80dcccfe4bbc435e800d1f20b19219b7"},
};

/// spdlog calls its sinks before it returns, on the thread that logs.
thread_local std::vector<std::string> fields;

std::vector<std::string> fields_of(Message message, const About& about) {
  const Known& known = *std::ranges::find(kMessages, message, &Known::message);
  std::vector<std::string> all{fmt::format("MESSAGE_ID={}", known.id), fmt::format("BERTH_MESSAGE={}", known.name)};
  const std::pair<const char*, std::string_view> texts[] = {{"BERTH_APP", about.app}, {"BERTH_RELEASE", about.release}, {"BERTH_INSTANCE", about.instance}, {"BERTH_SUBJECT", about.subject}, {"BERTH_REASON", about.reason}};
  for (const auto& [name, text] : texts)
    if (!text.empty()) all.push_back(fmt::format("{}={}", name, text));
  if (about.deployment != 0) all.push_back(fmt::format("BERTH_DEPLOYMENT={}", about.deployment));
  return all;
}

}  // namespace

std::span<const Known> messages() { return kMessages; }

void log(spdlog::level::level_enum level, Message message, const About& about, std::string_view text) {
  fields = fields_of(message, about);
  spdlog::log(level, "{}", text);
  fields.clear();
}

std::span<const std::string> fields_of_line() { return fields; }

}  // namespace berth::journal
