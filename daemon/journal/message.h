#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <spdlog/common.h>

namespace berth::journal {

/// Lines of berthd's log that mean something by themselves. systemd/berth.catalog has for each what it means and what to do, which 'journalctl -x' shows.
enum class Message {
  deployment_active,
  deployment_failed,
  deployment_reverted,
  deployment_interrupted,
  crash_loop,
  instance_unready,
  keeper_lost,
  keeper_taken_over,
  release_drifted,
  config_refused,
  events_changed,
  disk_low,
  metadata_expires,
  metadata_expired,
  certificate_ends,
  follow_failing,
  sink_failing,
  logs_lost,
};

/// A message as the journal has it.
struct Known {
  Message message;
  std::string_view name;  ///< "deployment_failed": BERTH_MESSAGE
  std::string_view id;    ///< 32 hexadecimal digits: MESSAGE_ID. It never changes, and is of no other message
};
std::span<const Known> messages();

/// What a line is about. What is empty is left out.
struct About {
  std::string app, release, instance;  ///< BERTH_APP, BERTH_RELEASE, BERTH_INSTANCE
  std::string subject;                 ///< BERTH_SUBJECT: what is none of these, such as a sink or a folder
  std::string reason;                  ///< BERTH_REASON
  std::int64_t deployment = 0;         ///< BERTH_DEPLOYMENT
};

/// Logs a line as `spdlog::log` does. Where the log is the journal, it has MESSAGE_ID, BERTH_MESSAGE and the fields of `about` besides. From any thread.
void log(spdlog::level::level_enum level, Message message, const About& about, std::string_view text);

/// The fields ("BERTH_APP=web") of the line that this thread logs right now, for the sink that the journal is; none where it is a line without.
std::span<const std::string> fields_of_line();

}  // namespace berth::journal
