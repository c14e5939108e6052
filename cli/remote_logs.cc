#include "cli/remote_logs.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "cli/common.h"
#include "core/io/http.h"
#include "core/io/ip_address.h"
#include "core/io/loop.h"

namespace berth::cli {
namespace {

constexpr std::size_t kMostLine = 8u << 20;
constexpr std::chrono::seconds kSilence{45};  ///< a node gives a sign of life every 15 seconds
constexpr std::chrono::seconds kHead{30};     ///< until an answer begins
constexpr std::chrono::hours kLongest{10 * 365 * 24};
constexpr std::chrono::seconds kOverlap{10};  ///< of what was read with what is read next
constexpr std::chrono::seconds kBetweenTries{1};

std::string text_of_query(const std::map<std::string, std::string>& query) {
  std::string text;
  for (const auto& [name, value] : query) text += fmt::format("{}{}={}", text.empty() ? "?" : "&", name, io::percent_encode(value));
  return text;
}

/// Fails with what the node refuses, which it tells in an answer that ends.
Result<void> ask_first(const Console& console, const std::string& app, std::map<std::string, std::string> query) {
  query.erase("follow");
  query["lines"] = "0";
  BERTH_CHECK(ApiClient(console).get(app_target(app, "/logs" + text_of_query(query))));
  return {};
}

using Sink = std::function<Result<void>(std::string_view)>;

Result<void> read_there(const RemoteNode& node, const std::string& target, const Sink& sink) {
  io::FetchOptions options;
  options.most = UINT64_MAX;
  options.stall_timeout = kSilence;
  options.total_timeout = kLongest;
  options.tls = tls_of(node);
  options.user_agent = "berth/" BERTH_VERSION;
  return io::http_fetch(fmt::format("https://{}{}", io::with_port(node.host, node.port), target), options, sink);
}

boost::asio::awaitable<void> stream(io::HttpRequest request, std::function<bool(std::string_view)> sink, Result<io::HttpAnswer>* answer, io::Loop* loop) {
  *answer = co_await io::http_stream(std::move(request), std::move(sink));
  loop->stop();
}

Result<void> read_here(const std::string& socket, const std::string& target, const Sink& sink) {
  Result<void> taken;
  std::function<bool(std::string_view)> take = [&](std::string_view bytes) {
    taken = sink(bytes);
    return taken.has_value();
  };
  io::HttpRequest request{.to = {.unix_path = socket}, .target = target};
  request.deadline = kHead;
  io::Loop loop;
  Result<io::HttpAnswer> answer = fail(Errc::internal, "it ended without an answer");
  loop.spawn("logs", stream(std::move(request), std::move(take), &answer, &loop));
  loop.run();
  if (!taken) return taken;
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200) return std::unexpected(problem_error(answer->status, answer->body));
  return {};
}

Result<void> stream_logs(const Console& console, const std::string& app, const std::map<std::string, std::string>& query, const TakeLine& take) {
  std::string buffer;
  const auto sink = [&](std::string_view bytes) -> Result<void> {
    buffer += bytes;
    std::size_t from = 0;
    for (auto end = buffer.find('\n', from); end != std::string::npos; end = buffer.find('\n', from)) {
      const std::string line = buffer.substr(from, end - from);
      from = end + 1;
      if (line.empty()) continue;
      BERTH_TRY(auto told, logs::told_record(line));
      take(line, std::move(told));
    }
    buffer.erase(0, from);
    if (buffer.size() > kMostLine) return fail(Errc::protocol, "a line of it has no end");
    return {};
  };
  const std::string target = app_target(app, "/logs" + text_of_query(query));
  auto read = console.node ? read_there(*console.node, target, sink) : read_here(console.socket, target, sink);
  if (read) return {};
  return fail(Errc::unreachable, fmt::format("berthd at {}: its logs broke off: {}", console.node ? io::with_port(console.node->host, console.node->port) : console.socket, read.error().message));
}

}  // namespace

bool SeenLines::add(const logs::Told& told) {
  newest_ = std::max(newest_, std::optional(told.record.time));
  const auto [highest, is_first] = sequences_.try_emplace(to_string(told.id), told.record.sequence);
  if (is_first) return true;
  if (told.record.sequence <= highest->second) return false;
  highest->second = told.record.sequence;
  return true;
}

std::optional<logs::Time> SeenLines::next_since(std::optional<logs::Time> earliest) const {
  if (!newest_) return earliest;
  return std::max(*newest_ - kOverlap, earliest.value_or(logs::Time()));
}

Result<void> read_remote_logs(const Console& console, const std::string& app, const std::map<std::string, std::string>& query, const TakeLine& take) {
  BERTH_CHECK(ask_first(console, app, query));
  return stream_logs(console, app, query, take);
}

Result<void> follow_remote_logs(const Console& console, const std::string& app, std::map<std::string, std::string> query, const TakeLine& take) {
  query["follow"] = "true";
  std::optional<logs::Time> earliest;
  if (const auto since = query.find("since"); since != query.end()) {
    BERTH_TRY(earliest, logs::parse_moment(since->second, std::chrono::system_clock::now()));
  }
  BERTH_CHECK(ask_first(console, app, query));
  SeenLines seen;
  const auto take_new = [&](const std::string& line, logs::Told told) {
    if (seen.add(told)) take(line, std::move(told));
  };
  for (bool away = false;;) {
    auto done = away ? ask_first(console, app, query) : stream_logs(console, app, query, take_new);
    if (!done && done.error().code != Errc::unreachable) return done;
    if (away && done) {
      away = false;
      continue;
    }
    if (!std::exchange(away, true)) report(console, {Errc::unreachable, fmt::format("{}; waiting for it to come back", done ? "the logs ended" : done.error().message)});
    std::this_thread::sleep_for(kBetweenTries);
    if (const auto since = seen.next_since(earliest)) {
      query["since"] = logs::format_rfc3339(*since, 9);
      query.erase("lines");
    }
  }
}

}  // namespace berth::cli
