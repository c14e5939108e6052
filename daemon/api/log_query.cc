#include "daemon/api/log_query.h"

#include <charconv>

#include <fmt/core.h>

#include "core/ids.h"
#include "core/logs/level.h"
#include "core/logs/record_time.h"
#include "daemon/api/call.h"

namespace berth::api {
namespace {

constexpr std::int64_t kMostNumber = 256;  ///< of an instance
constexpr std::size_t kLongestText = 1000;

InstanceSelector read_selector(QueryReader& query, const std::string& app) {
  InstanceSelector selector{.app = app};
  const std::string process = query.text("process");
  const std::int64_t number = query.integer("number", 0, 1, kMostNumber);
  if (!process.empty() && !is_name(process)) query.complain("process is no name of a process");
  if (number > 0 && process.empty()) query.complain("number needs a process that it is of");
  if (!process.empty()) selector.process = process;
  if (number > 0) selector.number = static_cast<int>(number);
  return selector;
}

/// As it stands: what an expression may cost is not bounded.
std::optional<logs::Pattern> read_pattern(QueryReader& query) {
  const std::string text = query.text("grep");
  if (text.size() > kLongestText) query.complain(fmt::format("grep has more than {} bytes", kLongestText));
  if (text.empty() || text.size() > kLongestText) return {};
  return logs::Pattern::fixed(text);
}

}  // namespace

Result<logs::LogQuery> read_log_query(const io::ServerRequest& request, const std::string& app, logs::Time now) {
  QueryReader query(request);
  logs::LogQuery asked{.selector = read_selector(query, app), .filter = {}, .last = {}};
  asked.filter.pattern = read_pattern(query);
  asked.filter.since = query.moment("since", now);
  asked.filter.until = query.moment("until", now);
  const std::string release = query.text("release"), level = query.text("level"), stream = query.text("stream");
  if (!release.empty() && !is_release_id(release)) query.complain("release is no id of a release");
  if (!release.empty()) asked.filter.release = release;
  if (!level.empty()) {
    const auto known = logs::parse_level(level);
    if (known) asked.filter.level = *known;
    else query.complain("level: " + known.error().message);
  }
  if (stream == "stdout") asked.filter.stream = logs::Stream::out;
  else if (stream == "stderr") asked.filter.stream = logs::Stream::err;
  else if (!stream.empty()) query.complain("stream is neither 'stdout' nor 'stderr'");
  asked.follow = query.boolean("follow", false);
  asked.previous = query.boolean("previous", false);
  if (asked.follow && asked.previous) query.complain("previous: it is a run that is over, so it goes without follow");
  const std::int64_t lines = query.integer("lines", -1, 0, INT64_MAX);
  if (lines >= 0) asked.last = static_cast<std::uint64_t>(lines);
  BERTH_CHECK(query.done());
  return asked;
}

Result<std::optional<std::int64_t>> last_event_id(const io::Headers& headers) {
  const auto said = headers.find("last-event-id");
  if (said == headers.end()) return std::optional<std::int64_t>();
  const std::string& text = said->second;
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0 || number == INT64_MAX) return fail(Errc::usage, "the header Last-Event-ID takes the number of an event");
  return std::optional(number);
}

}  // namespace berth::api
